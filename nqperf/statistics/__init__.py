"""The statistics of a verdict: pure functions over NumPy arrays."""
