"""What is told of a long run while it goes on: what is being done, and each row as it is finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from nqperf.records.results import Controls, Pairs, VariantResult, Verdict

# A variant's row, the two controls, a trial's verdict, or the times of one set of processes.
Row = VariantResult | Controls | Verdict | Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What is being done: the stage, the variant or trial that it is for, and the pairs taken so far."""

    stage: str
    name: str = ""
    pairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFinished:
    """A row that is finished; units: seconds since the one before. `left` rows are still to come."""

    name: str
    row: Row
    seconds: float
    left: int


Progress = Callable[[Doing | RowFinished], None]


def silent(_event: Doing | RowFinished) -> None:
    """Tell nobody."""


class Rows:
    """Counts down the rows of a run, and tells of each one that is finished."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress = progress
        self._left = count
        self._since = time.perf_counter()

    def finished(self, name: str, row: Row, *, dropped: int = 0) -> None:
        """Tell of a row; with it, `dropped` more will not come."""
        now = time.perf_counter()
        self._left -= 1 + dropped
        self._progress(RowFinished(name=name, row=row, seconds=now - self._since, left=self._left))
        self._since = now
