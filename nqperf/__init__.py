"""nqperf: a performance regression suite for BERT question answering on Natural Questions."""

__version__ = "0.1.0"
