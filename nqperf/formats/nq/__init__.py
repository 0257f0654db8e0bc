"""The files of the task: examples, features, logits, predictions."""
