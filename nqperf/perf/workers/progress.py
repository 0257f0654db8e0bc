"""What is told of a long run while it goes on: what is being done, and each row as it is finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nqperf.records.results import Pairs, VariantResult, Verdict
from nqperf.statistics.verdicts import RowVerdict

# A variant's row, a trial's verdict, or the times of one set of processes.
Row = VariantResult | Verdict | Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What is being done: the `stage`, the row, round or trial that it is for, and what is known by now.

    `name` is what it is for, empty for nothing of its own; `so_far` is what was done and found, in words. `left` are
    the seconds that the whole may still take at most, None where that is not known. `share` is the part of the stage
    that is done, from 0 to 1, where that is known: then `left` is what the rest of it takes at this pace. Units: it has
    been done for `past` seconds.
    """

    stage: str
    name: str = ""
    so_far: str = ""
    left: float | None = None
    share: float | None = None
    past: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFinished:
    """A `row` that is finished, called `name`; units: `seconds` since the one before. `left` rows are still to come."""

    name: str
    row: Row
    seconds: float
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFinished:
    """A set of fresh processes that is finished, and what is known of each row by now.

    Fields:
        number: The set's, from 1.
        left: About how many more there is time for.
        rows: What the judge says of each row.
        seconds: The wall time that the set took.
    """

    number: int
    left: int
    rows: tuple[RowVerdict, ...]
    seconds: float


Event = Doing | RowFinished | SetFinished
Progress = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Tell nobody."""


class Rows:
    """Counts down the rows of a run, `count` of them, and tells `progress` of each one that is finished."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress = progress
        self._left = count
        self._since = time.perf_counter()

    def finished(self, name: str, row: Row, *, dropped: int = 0) -> None:
        """Tell of the `row` called `name`; with it, `dropped` more will not come."""
        now = time.perf_counter()
        self._left -= 1 + dropped
        self._progress(RowFinished(name=name, row=row, seconds=now - self._since, left=self._left))
        self._since = now
