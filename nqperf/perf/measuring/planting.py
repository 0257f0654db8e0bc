"""Planted work: so much real computing beside what is timed that a gate must see it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

# Real work beside the baseline's, as a share of its time: what the gate must find in every run.
PLANTED = 0.10
_ROUNDS, _FEW = 5, 3
_NEAR = 0.25  # of the work that is wanted, planted work may be off by this share
# Far less than a share of any work worth timing: a few microseconds.
_SIZE = 48


def plant(fraction: float, run: Callable[[], float], multiply: Callable[[int], None]) -> tuple[int, float]:
    """Return how many products add `fraction` to the time of a run, and the fraction that they add, as measured.

    Units: `run` does the work and returns its seconds; `multiply` computes so many products.
    """
    multiply(1)
    # The least of a few: whatever else the machine does only adds to a time.
    seconds_of_run = min(run() for _ in range(_ROUNDS))
    wanted = fraction * seconds_of_run
    count, seconds = 1, _least(multiply, 1)
    while seconds < wanted:  # one product may take no longer than the call to make it
        count *= 2
        seconds = _least(multiply, count)
    for _ in range(_FEW):  # whatever holds the machine up while it is measured makes too few of them
        planted = max(1, round(count * wanted / seconds))
        added = _least(multiply, planted)
        if planted == 1 or abs(added - wanted) <= _NEAR * wanted:
            break
        count, seconds = planted, added
    return planted, added / seconds_of_run


def multiply_matrices(count: int) -> None:
    """Compute `count` small matrix products with NumPy."""
    values = np.full((_SIZE, _SIZE), 0.5, dtype=np.float32)
    out = np.empty_like(values)
    for _ in range(count):
        np.matmul(values, values, out=out)


def _least(multiply: Callable[[int], None], count: int) -> float:
    return min(_timed(multiply, count) for _ in range(_ROUNDS))


def _timed(multiply: Callable[[int], None], count: int) -> float:
    start = time.perf_counter()
    multiply(count)
    return time.perf_counter() - start
