"""Worker processes: how they start, what is said to them, and how their progress is told."""
