"""A history of runs as levels: where a row's ratio changed, so that ten small steps do not pass one by one.

Each run has a log ratio with a standard error, and runs scatter beyond that. The best division into levels is found
exactly: the one that makes the squared distances, in units of their variance, plus a penalty for each change least. The
penalty is so large that a history without change is divided in a given share of histories at most.

Apache Otava, which does this for whole test suites, pins one minor version of NumPy and brings clients of three
databases; what is needed of it here is this page. Source: Jackson et al., "An algorithm for optimal partitioning of
data on an interval", IEEE Signal Processing Letters 12 (2005).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.statistics.distribution import upper_quantile
from nqperf.statistics.location import FloatArray

# The SD of a normal beside the median distance from its median.
_MAD = 1.4826
# What a median distance of neighbours knows of the scatter beside a variance.
_KNOWING = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePointConfig:
    """How sure a change is: `alpha` is the share of histories of one row without change in which one is found.

    `least_sd` is the least that runs are taken to scatter by, beyond their own errors; `confidence` is that of a
    change's interval.
    Raises: ConfigError when a value is out of range.
    """

    alpha: float = 0.001
    least_sd: float = 0.002
    confidence: float = 0.99

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 0.5 and 0 < self.least_sd < math.inf and 0.5 < self.confidence < 1):  # noqa: PLR2004
            raise ConfigError(
                f"alpha {self.alpha}, least SD {self.least_sd}, confidence {self.confidence}; expected shares above 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A stretch of runs without a change: `first` and `end` (exclusive) are places in the history.

    `value` is their mean log ratio, `error` its standard error.
    """

    first: int
    end: int
    value: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """Between the runs `at` - 1 and `at` the ratio changed by `factor` (below 1: slower), which `interval` holds."""

    at: int
    factor: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A history divided into `levels`; `run_sd` is how far runs of one level scatter beyond their errors (log ratio).

    `freedom` are the degrees of freedom of that, `confidence` is that of the changes' intervals.
    """

    levels: tuple[Level, ...]
    run_sd: float
    freedom: float
    confidence: float

    @property
    def changes(self) -> tuple[ChangePoint, ...]:
        """The changes from each level to the next."""
        return tuple(self.change(number, number + 1) for number in range(len(self.levels) - 1))

    @property
    def since_best(self) -> ChangePoint | None:
        """The change from the fastest level to the last one, None where the last is the fastest."""
        best = max(range(len(self.levels)), key=lambda number: self.levels[number].value)
        return None if best == len(self.levels) - 1 else self.change(best, len(self.levels) - 1)

    def change(self, one: int, other: int) -> ChangePoint:
        """Return the change from level `one` to level `other`, placed where the first of them ends."""
        before, after = self.levels[one], self.levels[other]
        value = after.value - before.value
        error = math.hypot(before.error, after.error)
        half = error * float(upper_quantile(np.array((1 - self.confidence) / 2), np.array(self.freedom)))
        return ChangePoint(
            at=before.end, factor=math.exp(value), interval=(math.exp(value - half), math.exp(value + half))
        )


REFERENCE = ChangePointConfig()


def divide(values: FloatArray, errors: FloatArray, config: ChangePointConfig = REFERENCE) -> Division:
    """Return the best division of a row's log ratios into levels, changes being as sure as `config` says.

    Shapes: `values` and their standard errors [runs], in the order of the runs.
    Raises: ConfigError when the shapes differ, there is no run, or a number is not finite or an error negative.
    """
    if values.shape != errors.shape or values.ndim != 1 or not len(values):
        raise ConfigError(f"values of shape {values.shape} and errors of {errors.shape}; expected one of each a run")
    if not (np.isfinite(values).all() and np.isfinite(errors).all() and (errors >= 0).all()):
        raise ConfigError("a value or an error is not a finite number; leave out runs that were not measured")
    run_sd = _run_sd(values, errors, config)
    weights = 1 / (errors**2 + run_sd**2)
    freedom = max(3.0, _KNOWING * (len(values) - 1))
    # A change may be found at any place, in either direction.
    tail = config.alpha / (2 * max(1, len(values) - 1))
    penalty = float(upper_quantile(np.array(tail), np.array(freedom))) ** 2
    edges = best_division(values, weights, penalty)
    levels = []
    for first, end in itertools.pairwise(edges):
        weight = float(weights[first:end].sum())
        level = float(np.average(values[first:end], weights=weights[first:end]))
        levels.append(Level(first=first, end=end, value=level, error=weight**-0.5))
    return Division(levels=tuple(levels), run_sd=run_sd, freedom=freedom, confidence=config.confidence)


def best_division(values: FloatArray, weights: FloatArray, penalty: float) -> tuple[int, ...]:
    """Return the edges, 0 and n included, of the division with the least cost.

    A stretch costs the squares of its `values` around their mean, both by `weights`, a change costs `penalty`. The best
    division up to a run ends with some stretch, and what comes before that is itself the best division.
    """
    count = len(values)
    mass, first, second = (
        np.concatenate([[0.0], np.cumsum(weights * (values - values.mean()) ** power)]) for power in (0, 1, 2)
    )
    least = np.full(count + 1, -penalty)
    came_from = np.zeros(count + 1, np.int64)
    for end in range(1, count + 1):
        stretch = mass[end] - mass[:end], first[end] - first[:end], second[end] - second[:end]
        costs = least[:end] + penalty + stretch[2] - stretch[1] ** 2 / stretch[0]
        came_from[end] = int(np.argmin(costs))
        least[end] = costs[came_from[end]]
    edges = [count]
    while edges[-1]:
        edges.append(int(came_from[edges[-1]]))
    return tuple(reversed(edges))


def _run_sd(values: FloatArray, errors: FloatArray, config: ChangePointConfig) -> float:
    """Return how far runs scatter beyond their errors, by the distances of neighbours, which few changes disturb."""
    steps = np.diff(values)
    if not len(steps):
        return config.least_sd
    seen = (_MAD * float(np.median(np.abs(steps - np.median(steps))))) ** 2 / 2
    return max(config.least_sd, math.sqrt(max(0.0, seen - float(np.mean(errors**2)))))
