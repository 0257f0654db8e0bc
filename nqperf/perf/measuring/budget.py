"""How the seconds that a run may take are shared out among its comparisons, whatever machine it runs on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nqperf.errors import ConfigError, OutOfTimeError

# The rest is for what follows the measuring: scores, the record, the report.
_MEASURING = 0.96
# Unknown before they are measured, rows are taken to be this slow beside the baseline: on the mean, 1.3 was measured.
_SLOWER = 1.5
# However slow the machine, this share is for the answers: nobody wants the speed of what was hardly seen to answer.
_ANSWERS = 0.2
# The pairs to the first look are given a little more than they should take.
SLACK = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast this machine is with the baseline: seconds until a worker is ready, and of one batch."""

    start: float
    batch: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is to do: how often the data is answered, comparisons of speed, and the fewest pairs that judge one.

    `slower` is how slow rows are taken to be beside the baseline.
    """

    answers: int
    comparisons: int
    pairs: int
    slower: float = _SLOWER


@dataclass(slots=True, kw_only=True)
class Budget:
    """The seconds that a run may take from when this is made; infinite where the run takes what it needs.

    `spent` seconds of them were gone before. `planned` is how many comparisons are still to share what is left, each
    with its weight.
    Raises: ConfigError unless the seconds are above 0.
    """

    seconds: float = math.inf
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic
    planned: float = 1.0
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ConfigError(f"the budget is {self.seconds:g} s; expected above 0")
        self._started = self.clock() - self.spent

    def left(self) -> float:
        """Return the seconds that are left for measuring, 0 or fewer when the time is up."""
        return _MEASURING * self.seconds - (self.clock() - self._started)

    def require(self, least: float) -> float:
        """Return the seconds that are left, of which something will take `least`.

        Raises: OutOfTimeError when fewer are left: what is begun can so be ended.
        """
        left = self.left()
        if left < least:
            raise OutOfTimeError(
                f"not judged: out of time: it needs about {least:.0f} s, "
                f"and {max(left, 0.0):.0f} of {self.seconds:g} s are left"
            )
        return left

    def share(self, least: float, weight: float = 1.0) -> float:
        """Return the seconds of the next comparison: its share by weight, but enough for it to be judged.

        Raises: OutOfTimeError when fewer than `least` are left.
        """
        planned = max(self.planned, weight)
        self.planned -= weight
        return max(self.require(least) * weight / planned, least)

    def another(self, least: float) -> float:
        """Return the seconds of a comparison that was not planned: it shares what is left with those that were.

        Raises: OutOfTimeError when fewer than `least` are left.
        """
        self.planned = max(self.planned, 0.0) + 1
        return self.share(least)

    def fits(self, speed: Speed, plan: Plan) -> bool:
        """Return whether all comparisons come to their first look in what the answers leave them."""
        return self._comparing(speed, plan) <= (1 - _ANSWERS) * self.left()

    def windows(self, speed: Speed, plan: Plan, batch_size: int) -> int | None:
        """Return how many windows each row can answer in the time that the pairs do not need; None: any."""
        left = self.left()
        batches = max(left - self._comparing(speed, plan), _ANSWERS * left) / (plan.answers * plan.slower * speed.batch)
        return None if math.isinf(batches) else max(1, int(batches)) * batch_size

    def _comparing(self, speed: Speed, plan: Plan) -> float:
        """Return about how many seconds it takes until every comparison comes to its first look."""
        pair = (1 + plan.slower) * speed.batch
        return plan.comparisons * (speed.start + SLACK * plan.pairs * pair)
