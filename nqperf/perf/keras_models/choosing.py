"""Which rows of the table a user's model is run in, where the time is not enough for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nqperf.perf.variants.floors import most_likely_first
from nqperf.perf.variants.variant import Variant

# What people ask for first: whether 16 bits are safe and pay, and the one switch that most often gains in float32.
_WANTED = ("mixed_float16", "mixed_bfloat16", "xla")
# A ratio has an interval after so many sets.
QUICK_SETS = 2


def in_order(variants: Iterable[Variant], *, on_gpu: bool, wanted_first: bool) -> list[Variant]:
    """Return `variants` in the order in which the time is given to them: those first that have won somewhere.

    With `wanted_first` the policies of 16 bits and XLA stand before all others. The devices are GPUs with `on_gpu`.
    """
    likely = most_likely_first(variants, on_gpu=on_gpu)
    if not wanted_first:
        return likely
    return sorted(likely, key=lambda row: _WANTED.index(row.name) if row.name in _WANTED else len(_WANTED))


def that_fit(rows: int, *, sets: int, left: float, set_seconds: Callable[[int], float]) -> int:
    """Return how many of so many `rows` have time for `sets` sets of processes in the seconds that are `left`.

    `set_seconds` returns what a set of a number of rows takes. One row is tried whatever it takes.
    """
    count = rows
    while count > 1 and sets * set_seconds(count) > left:
        count -= 1
    return count
