"""Planted work: so much real computing beside what is timed that a gate must see it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

# Real work beside the baseline's, as a share of its time: what the gate must find in every run.
PLANTED = 0.10
_ROUNDS = 7
# Far less than a share of any work worth timing: a few microseconds.
_SIZE = 48


def plant(fraction: float, run: Callable[[], float], multiply: Callable[[int], None]) -> tuple[int, float]:
    """Return how many products add `fraction` to the time of a run, and the fraction that they add, as measured.

    Units: `run` does the work and returns its seconds; `multiply` computes so many products.
    """
    multiply(1)
    seconds_of_run = statistics.median(run() for _ in range(_ROUNDS))
    count, seconds = 1, _timed(multiply, 1)
    while seconds < fraction * seconds_of_run:  # one product may take no longer than the call to make it
        count *= 2
        seconds = min(_timed(multiply, count) for _ in range(_ROUNDS))
    planted = max(1, round(count * fraction * seconds_of_run / seconds))
    added = statistics.median(_timed(multiply, planted) for _ in range(_ROUNDS))
    return planted, added / seconds_of_run


def multiply_matrices(count: int) -> None:
    """Compute so many small matrix products with NumPy."""
    values = np.full((_SIZE, _SIZE), 0.5, dtype=np.float32)
    out = np.empty_like(values)
    for _ in range(count):
        np.matmul(values, values, out=out)


def _timed(multiply: Callable[[int], None], count: int) -> float:
    start = time.perf_counter()
    multiply(count)
    return time.perf_counter() - start
