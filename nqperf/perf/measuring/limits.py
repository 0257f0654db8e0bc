"""How long a process may take before it is ended, by the baseline's own seconds: one ill row then costs little."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nqperf.errors import NqPerfError

# Nobody waits longer for a row than so many times as long as for the baseline.
TIMES = 20.0
# A start has more in it that differs from row to row, such as compiling.
_START_TIMES = 10.0
# However short the baseline's own seconds: a busy machine holds up any process for a moment.
LEAST_START, LEAST_BATCH = 30.0, 3.0


class TooSlowError(NqPerfError):
    """A process that computed was ended at its limit, as `message` says.

    `seconds` is what it had, `times` that beside the baseline's.
    """

    def __init__(self, message: str, *, seconds: float, times: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.times = times


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a row's process may take; units: seconds.

    `start` is for each of importing with building, and tracing; `first` for the first batch, in which an engine may
    compile; `batch` for each later one; `answers` for all features, in `batches` batches. `baseline_batch` is what a
    batch takes the baseline.
    """

    start: float = math.inf
    first: float = math.inf
    batch: float = math.inf
    baseline_batch: float = math.inf

    @classmethod
    def of(cls, *, start: float, batch: float) -> Limits:
        """Return the limits that follow from the seconds that the baseline takes to `start`, and for a `batch`."""
        return cls(
            start=max(LEAST_START, TIMES * start),
            first=max(LEAST_START, _START_TIMES * start) + max(LEAST_BATCH, TIMES * batch),
            batch=max(LEAST_BATCH, TIMES * batch),
            baseline_batch=batch,
        )

    def answers(self, batches: int) -> float:
        """Return how long so many `batches` may take."""
        return max(LEAST_START, TIMES * batches * self.baseline_batch)

    def times_slower(self, seconds: float) -> float:
        """Return how many times as long as the baseline's a batch surely takes that had so many `seconds`."""
        return seconds / self.baseline_batch if self.baseline_batch > 0 else TIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a worker may take at the most, whatever the baseline takes; units: seconds.

    Fields:
        load: Each step of a start, and of a look at what was started.
        predict: The answers to all features.
        batch: One batch.
    """

    load: float = 600.0
    predict: float = 3600.0
    batch: float = 120.0


DEFAULT_TIMEOUTS = Timeouts()
