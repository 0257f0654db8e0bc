"""The doors: one module per file format, and the only place where paths are opened."""
