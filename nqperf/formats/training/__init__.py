"""The files of training: articles that it reads, and its state."""
