"""The seconds that a run may take, whatever machine it runs on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nqperf.errors import ConfigError, OutOfTimeError

# The rest is for what follows the measuring: scores, the record, the report.
_MEASURING = 0.96
# Unknown before they are measured, rows are taken to be this slow beside the baseline: on the mean, 1.3 was measured.
SLOWER = 1.5
# Seconds of the baseline's that a round times each row over: less is noise of the clock and of waking a device.
SHORTEST_TURN = 0.05
# However slow the machine, this share is for the answers: nobody wants the speed of what was hardly seen to answer.
_ANSWERS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast this machine is with the baseline; units: seconds.

    `start` is how long a worker takes until it is ready, `batch` one batch, of which a round times so many `batches`.
    For `lead_in` a row computes before them, untimed.
    """

    start: float
    batch: float
    batches: int = 1
    lead_in: float = 0.0

    @property
    def turn(self) -> float:
        """The seconds of the baseline's batches in a round, at one end of it."""
        return self.lead_in + self.batch * self.batches


def batches_of_turn(batch: float) -> int:
    """Return over how many batches a round times each row, where the baseline takes `batch` seconds for one.

    >>> batches_of_turn(0.2), batches_of_turn(0.004)
    (1, 13)
    """
    return max(1, math.ceil(SHORTEST_TURN / max(batch, 1e-9)))


@dataclass(slots=True, kw_only=True)
class Budget:
    """The seconds that a run may take from when this is made; infinite where the run takes what it needs.

    `spent` of the `seconds` were gone before; `clock` returns the time in seconds.
    Raises: ConfigError unless the seconds are above 0.
    """

    seconds: float = math.inf
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"the budget is {self.seconds:g} s; expected above 0")
        self._started = self.clock() - self.spent

    def left(self) -> float:
        """Return the seconds that are left for measuring, 0 or fewer when the time is up."""
        return _MEASURING * self.seconds - (self.clock() - self._started)

    def part(self, seconds: float) -> Budget:
        """Return a budget of so many `seconds` of those that are left, from now on."""
        return Budget(seconds=max(min(seconds, self.left()), 1e-3) / _MEASURING, clock=self.clock)

    def require(self, least: float, what: str) -> float:
        """Return the seconds that are left, of which `what` will take `least`.

        Raises: OutOfTimeError when fewer are left, with a budget that is enough.
        """
        left = self.left()
        if left < least:
            enough = math.ceil((self.seconds - left + 1.2 * least) / 10) * 10
            raise OutOfTimeError(
                f"{what} takes about {least:.0f} s here, and {max(left, 0.0):.0f} of {self.seconds:g} s are left; "
                f"expected a budget of {enough} s or more"
            )
        return left

    def windows(self, measuring: float, *, passes: int, batch: float, batch_size: int) -> int | None:
        """Return how many windows can be answered in each of `passes` beside `measuring` seconds; None: any.

        One pass is the baseline's, the others are of rows. A batch is `batch_size` windows, and takes the baseline
        `batch` seconds.
        """
        left = self.left()
        answers = max(left - measuring, _ANSWERS * left) / ((1 + SLOWER * (passes - 1)) * batch)
        return None if math.isinf(answers) else max(1, int(answers)) * batch_size
