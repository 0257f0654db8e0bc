"""The files of a benchmark run."""
