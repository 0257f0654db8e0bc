"""Two pieces of work timed in turns, for a first impression of how much faster the one is."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

# The quartiles of 21 rounds hold the median of all with 97 percent; fewer rounds are for slow products.
_PRODUCTS = 21
_FEWEST = 11
_PRODUCT_SECONDS = 3.0
# Nor is it noise where every round but the first has one side so many times as slow as the other: three rounds tell.
_HOPELESS = 10.0
_FEWEST_HOPELESS = 3
# Where units compute in a type, large products are 1.5 to 16 times as fast as in float32, without them 0.3 to 0.95. A
# row is skipped only where the whole interval of what was measured lies below this. Unsure, it is run: that costs
# seconds and tells its speed, while a row that was promised and is skipped by noise would be missed.
FASTER = 1.15


def speedup_in_turns(slow: Callable[[], object], fast: Callable[[], object]) -> tuple[float, float]:
    """Return between what `fast` is how many times as fast as `slow`: the quartiles of rounds of both, each in turn.

    What slows this machine for a while slows both of a round, and what hits one alone leaves the middle half alone. A
    type that a library computes without any kernel of its own takes seconds a product: it is soon known.
    """
    sides, began = (slow, fast), time.perf_counter()
    times: tuple[list[float], list[float]] = ([], [])
    # The first of each traces, and is slower.
    while len(times[0]) <= _FEWEST or (len(times[0]) <= _PRODUCTS and time.perf_counter() - began < _PRODUCT_SECONDS):
        for side in (0, 1) if len(times[0]) % 2 else (1, 0):
            start = time.perf_counter()
            sides[side]()
            times[side].append(time.perf_counter() - start)
        if len(times[0]) >= _FEWEST_HOPELESS and all(
            one > _HOPELESS * other for other, one in zip(times[0][1:], times[1][1:], strict=True)
        ):
            break
    low, high = np.quantile(np.asarray(times[0][1:]) / np.asarray(times[1][1:]), (0.25, 0.75))
    return float(low), float(high)
