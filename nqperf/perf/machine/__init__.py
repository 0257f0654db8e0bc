"""The machine: what it is, what it can do, what it allows, and how it is examined."""
