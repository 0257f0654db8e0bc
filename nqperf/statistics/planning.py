"""How many rounds make a set, how many sets fit a budget, and how many more would decide a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from nqperf.errors import ConfigError
from nqperf.statistics.verdicts import JudgeConfig

FEWEST_ROUNDS, MOST_ROUNDS = 3, 30
# Beyond so many more sets nobody waits: nothing is said then.
MOST_MORE = 200
# So many sets are taken to be still to come, where there is time for more.
_SOON = 3
# A verdict that is asked for is to be reached with this probability, in standard deviations: 80 %.
_POWER = 0.84
# The scatter of few sets is a rough guess: it is taken to be as large as it is in all but so many of cases.
_LARGER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a set takes: `start_seconds` to start its processes, `round_seconds` for one round of all of them.

    Raises: ConfigError unless both are above 0.
    """

    start_seconds: float
    round_seconds: float

    def __post_init__(self) -> None:
        if not (0 < self.start_seconds < math.inf and 0 < self.round_seconds < math.inf):
            raise ConfigError(
                f"a start takes {self.start_seconds} s and a round {self.round_seconds} s; expected numbers above 0"
            )

    def set_seconds(self, rounds: int) -> float:
        """Return the seconds that a set of so many `rounds` takes."""
        return self.start_seconds + rounds * self.round_seconds


def rounds_per_set(cost: Cost, pair_variance: float, process_variance: float) -> int:
    """Return the rounds per set that make a mean over sets as exact as can be in a given time, at such a `cost`.

    A set's variance is `process_variance` + `pair_variance` / rounds, its seconds start + rounds * round; their product
    is least at the root of (start / round) * (pair variance / process variance).
    Raises: ConfigError for a variance that is below 0 or infinite.

    >>> rounds_per_set(Cost(start_seconds=44, round_seconds=3), 0.03**2, 0.02**2)
    6
    """
    if not (0 <= pair_variance < math.inf and 0 <= process_variance < math.inf):
        raise ConfigError(f"variances are {pair_variance} and {process_variance}; expected finite numbers, 0 or more")
    if process_variance == 0:
        return MOST_ROUNDS if pair_variance else FEWEST_ROUNDS
    best = math.sqrt(cost.start_seconds / cost.round_seconds * pair_variance / process_variance)
    return min(MOST_ROUNDS, max(FEWEST_ROUNDS, round(best)))


def sets_that_fit(cost: Cost, rounds: int, seconds: float) -> int:
    """Return how many whole sets of so many `rounds` fit into so many `seconds`, at such a `cost`."""
    return max(0, int(seconds // cost.set_seconds(rounds)))


def expected_sets(taken: int, fit: int) -> int:
    """Return how many sets there will be in all, for sharing alpha: as many as `fit`, or three beyond those `taken`.

    Where a budget has room for many, most comparisons are decided by few: so each look spends a share of alpha as if
    three more sets were to come, and there is always some left for the next one.

    >>> expected_sets(taken=2, fit=20), expected_sets(taken=2, fit=4), expected_sets(taken=20, fit=20)
    (5, 4, 20)
    """
    return max(taken, min(fit, taken + _SOON))


def least_seconds(cost: Cost, sets: int) -> float:
    """Return the least budget that has room for so many `sets` of the fewest rounds, at such a `cost`."""
    return sets * cost.set_seconds(FEWEST_ROUNDS)


def more_sets(
    ways: Sequence[Sequence[tuple[float, float]]], sd: float, sets: int, freedom: float = math.inf
) -> int | None:
    """Return about how many further sets decide a row in four of five cases, None for more than MOST_MORE.

    Each of the `ways` to decide is a list of what it needs, all of it: how far the estimate lies from what must be
    excluded (log ratio), and how many standard errors that has to be. The way that takes fewest sets counts; where the
    estimate lies on the wrong side, it is no way. `sd` is the SD of one set's log ratio, estimated with so many degrees
    of `freedom`, and the upper end of what it may be is counted. `sets` is how many there are.
    """
    if math.isfinite(freedom):
        sd = larger_sd(sd, freedom)
    totals = [
        max(((errors + _POWER) * sd / gap) ** 2 for gap, errors in needs)
        for needs in ways
        if all(gap > 0 for gap, _ in needs)
    ]
    if not totals:
        return None
    more = math.ceil(min(totals)) - sets
    return max(1, more) if more <= MOST_MORE else None


def larger_sd(sd: float, freedom: float) -> float:
    """Return the upper end of what an SD may be that is estimated as `sd` with so many degrees of `freedom`."""
    from scipy import special

    return sd * math.sqrt(freedom / float(special.chdtri(freedom, 1 - _LARGER)))


def detectable_slowdown(error: float, config: JudgeConfig, *, family: int = 1, power: float = 0.95) -> float:
    """Return the slowdown that is found with probability `power`, as a share: 0.05 for 5 %.

    `error` is the SD of the log ratio that is judged: the standard error over all sets, and the floor's SD between runs
    with it. It has to be shown to be there at all, among `family` rows, and to be beyond the fail margin of `config`.

    >>> round(detectable_slowdown(0.008, JudgeConfig(), family=14), 3)
    0.045
    """
    sure, lax, reached = (
        NormalDist().inv_cdf(probability)
        for probability in (1 - config.red_runs / family, 1 - config.beyond_alpha, power)
    )
    needed = max((sure + reached) * error, math.log(config.fail_margin) + (lax + reached) * error)
    return math.expm1(needed)
