"""Edits: proposed from a conflict, tried in memory, and written to files as one patch."""
