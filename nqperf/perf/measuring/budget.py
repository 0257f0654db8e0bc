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
# A run whose budget is over before gets so long for its first process: only then is it known which budget is enough.
FIRST_SECONDS = 120.0
# The fewest processes of a set, each of which starts: the baseline, a row, and the two controls.
_LEAST_STARTS = 4
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
        return _MEASURING * self.seconds - self._spent()

    def part(self, seconds: float) -> Budget:
        """Return a budget of so many `seconds` of those that are left, from now on."""
        return Budget(seconds=max(min(seconds, self.left()), 1e-3) / _MEASURING, clock=self.clock)

    def first(self) -> Budget:
        """Return the budget of a run's first process: what is left, or what is left of FIRST_SECONDS if that is more.

        A budget that ends before any process was ready would say nothing of the one that is enough.
        """
        left = self.left()
        most = max(left, FIRST_SECONDS - self._spent())
        return self if math.isinf(left) else Budget(seconds=max(most, 1e-3) / _MEASURING, clock=self.clock)

    def never_ready(self, waited: float) -> OutOfTimeError:
        """Return the error where the first process was not ready after it was `waited` for so many seconds.

        It names the least budget that can be enough: all processes of a set start at the least as slowly.
        """
        least = math.ceil((self._spent() + 1.2 * _LEAST_STARTS * waited) / _MEASURING / 10) * 10
        return OutOfTimeError(
            f"out of time: the baseline's first process was not ready after {waited:.0f} s, and a set starts "
            f"{_LEAST_STARTS} or more; expected a budget of {least} s or more, not {self.seconds:g}"
        )

    def _spent(self) -> float:
        return self.clock() - self._started

    def require(self, least: float, what: str) -> float:
        """Return the seconds that are left, of which `what` will take `least`.

        Raises: OutOfTimeError when fewer are left, with a budget that is enough.
        """
        left = self.left()
        if left < least:
            raise OutOfTimeError(
                f"{what} takes about {least:.0f} s here, and {max(left, 0.0):.0f} of {self.seconds:g} s are left; "
                f"expected a budget of {self.enough(least)} s or more"
            )
        return left

    def enough(self, least: float) -> float:
        """Return the budget, in tens of seconds, that would have room for `least` seconds more, and a little beside."""
        if math.isinf(self.seconds):
            return self.seconds
        return math.ceil((self.seconds - self.left() + 1.2 * least) / 10) * 10

    def windows(self, measuring: float, *, passes: int, batch: float, batch_size: int) -> int | None:
        """Return how many windows can be answered in each of `passes` beside `measuring` seconds; None: any.

        One pass is the baseline's, the others are of rows. A batch is `batch_size` windows, and takes the baseline
        `batch` seconds.
        """
        left = self.left()
        answers = max(left - measuring, _ANSWERS * left) / ((1 + SLOWER * (passes - 1)) * batch)
        return None if math.isinf(answers) else max(1, int(answers)) * batch_size
