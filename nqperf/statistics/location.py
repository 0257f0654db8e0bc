"""One set of processes in numbers: how much faster a row is than its baseline in that set.

The log of a ratio is what is averaged: twice as fast and half as fast are equally far from 1. The location is Hodges
and Lehmann's, the median of all pairwise means: 95 % as efficient as the mean on normal noise, and unmoved by a round
that something else disturbed. Rounds that are slow every now and then are a slowdown too, which no robust location
sees; so the ratio of total times stands beside it.

Source: Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError

FloatArray = npt.NDArray[np.float64]

# The variance of the location beside that of the mean, on normal noise.
_INEFFICIENCY = math.pi / 3
# The SD of a normal beside the median distance from its median.
_MAD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEstimate:
    """One row in one set of fresh processes; all but `rounds` are logs of ratios baseline seconds / row seconds.

    `location` is the robust location of the rounds' log ratios, `total` the log of the ratio of total times, `error`
    the standard error of `location` by the scatter of the rounds (None for fewer than three), `rounds` their number.
    `error` knows nothing of what processes differ by, which is the larger part: it serves to plan, not to judge.
    """

    location: float
    total: float
    error: float | None
    rounds: int


def hodges_lehmann(values: FloatArray) -> FloatArray:
    """Return the median of all pairwise means of `values` (each with itself too) along the last axis.

    Shapes: [..., n] -> [...]. Raises: ConfigError when n is 0.

    >>> float(hodges_lehmann(np.array([1.0, 2.0, 3.0, 40.0])))
    2.75
    """
    count = values.shape[-1]
    if not count:
        raise ConfigError("no round; expected at least one")
    row, column = np.triu_indices(count)
    location: FloatArray = np.median((values[..., row] + values[..., column]) / 2, axis=-1)
    return location


def robust_error(values: FloatArray) -> FloatArray:
    """Return the standard error of `hodges_lehmann(values)` by the median distance from the median.

    Shapes: [..., n] -> [...].
    """
    centred = np.abs(values - np.median(values, axis=-1, keepdims=True))
    error: FloatArray = _MAD * np.median(centred, axis=-1) * math.sqrt(_INEFFICIENCY / values.shape[-1])
    return error


def set_estimate(baseline_seconds: FloatArray, row_seconds: FloatArray) -> SetEstimate:
    """Return a row's estimate from the rounds of one set.

    A round's baseline is the geometric mean of its batches: one at each end of the round.
    Shapes: `baseline_seconds` [rounds] or [rounds, batches], `row_seconds` [rounds]. Units: seconds.
    Raises: ConfigError when the lengths differ, there is no round, or a time is no finite number above 0.

    >>> set_estimate(np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0])).location == math.log(2)
    True
    """
    baseline = np.asarray(baseline_seconds, np.float64)
    row = np.asarray(row_seconds, np.float64)
    baseline = baseline[:, None] if baseline.ndim == 1 else baseline
    if row.ndim != 1 or baseline.ndim != 2 or len(baseline) != len(row) or not baseline.size:  # noqa: PLR2004
        raise ConfigError(
            f"baseline seconds of shape {np.shape(baseline_seconds)} and the row's of shape {row.shape}; "
            "expected one or more of the baseline and one of the row for each round"
        )
    for role, values in (("baseline", baseline), ("row", row)):
        wrong = values[~(np.isfinite(values) & (values > 0))]
        if wrong.size:
            raise ConfigError(f"a {role} time is {wrong[0]} s; expected a finite number above 0")
    location, total, error = (float(value) for value in set_estimates(baseline, row))
    return SetEstimate(
        location=location,
        total=total,
        error=error if len(row) > 2 else None,  # noqa: PLR2004  # two rounds say nothing of their scatter
        rounds=len(row),
    )


def set_estimates(baseline_seconds: FloatArray, row_seconds: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return `set_estimate`'s location, total and error of many rows or sets at once, unchecked.

    Shapes: `baseline_seconds` [..., rounds, batches], `row_seconds` [..., rounds] -> three of [...].
    """
    ratios = np.log(baseline_seconds).mean(axis=-1) - np.log(row_seconds)
    total = np.log(baseline_seconds.mean(axis=-1).sum(axis=-1)) - np.log(row_seconds.sum(axis=-1))
    return hodges_lehmann(ratios), total, robust_error(ratios)
