"""The task: pure functions over NumPy arrays, from an example's words to a prediction's score."""
