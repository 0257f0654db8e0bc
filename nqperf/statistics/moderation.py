"""Moderated variance: how far sets of processes scatter, learnt from all rows at once.

After three sets one row alone knows its scatter with two degrees of freedom, far too few for a sure verdict. All rows
run on the same machine in the same sets, so each row's own variance is shrunk towards the one pooled over the rows. How
far is estimated from how unequal the rows' variances are. A row whose variance is surely larger than the others' is
outlying: it keeps its own, and is left out of the pool.

Rows are held to one baseline, so its processes move them all alike and thirteen rows know less about the variance than
thirteen independent ones: the degrees of freedom of the pool are cut down accordingly.

Source: Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", Statistical Applications in Genetics and Molecular Biology 3 (2004), with these deviations: the pool is an
arithmetic mean, which errs to the safe side; outlying rows as in Cochran's C test (1941); correlated rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.statistics.location import FloatArray

# A row is outlying when such a variance ratio would come by chance in so few rows.
OUTLYING = 0.01
# No two logs of seconds are closer than this means anything: the variance of rows that do not scatter at all.
_LEAST_VARIANCE = 1e-12
# However equal rows look, their pool is worth no more than so many degrees of freedom beside a row's own: few sets
# cannot show that rows are equal.
LARGEST_PRIOR = 30.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scatter:
    """How far each row's sets scatter.

    Shapes: all [rows]. `variance` is the moderated variance of one set's estimate, `freedom` its degrees of freedom
    (0 and NaN where nothing is known), `outlying` whether a row keeps its own since it scatters more than the others.
    """

    variance: FloatArray
    freedom: FloatArray
    outlying: npt.NDArray[np.bool_]


def moderate(estimates: FloatArray, *, shared: float = 0.0) -> Scatter:
    """Return the scatter of each row's `estimates` over the sets.

    `shared` is the correlation of two rows in one set: the part of their variance that is the common baseline's.
    Shapes: [sets, rows]; NaN where a row was not measured in a set.
    """
    counts = np.isfinite(estimates).sum(axis=0)
    freedom = np.maximum(counts - 1.0, 0.0)
    centred = np.nan_to_num(estimates - _means(estimates, counts))
    own = np.divide((centred**2).sum(axis=0), freedom, out=np.full(len(counts), np.nan), where=freedom > 0)
    own = np.maximum(own, _LEAST_VARIANCE)  # NaN stays
    outlying = _outlying(own, freedom, shared)
    pooling = (freedom > 0) & ~outlying
    variance, known = own.copy(), freedom.copy()
    if pooling.sum() > 1:
        pooled = float(np.average(own[pooling], weights=freedom[pooling]))
        prior = prior_freedom(own[pooling], freedom[pooling])
        usable = ~outlying  # a row with one set has no variance of its own, but the others' is its too
        variance[usable] = (prior * pooled + freedom[usable] * np.nan_to_num(own[usable])) / (prior + freedom[usable])
        known[usable] = np.minimum(prior + freedom[usable], effective_freedom(freedom[pooling], shared))
    return Scatter(variance=variance, freedom=known, outlying=outlying)


def effective_freedom(freedom: FloatArray, shared: float) -> float:
    """Return the degrees of freedom of the mean of variances with `freedom` each, correlated by `shared`.

    `shared` is the correlation of the estimates; the sample variances then correlate by its square. With `shared` 0 it
    is the sum.

    >>> effective_freedom(np.array([2.0, 2.0, 2.0]), 0.0)
    6.0
    """
    return float(freedom.sum() / (1 + (len(freedom) - 1) * shared**2))


def prior_freedom(variances: FloatArray, freedom: FloatArray) -> float:
    """Return how many degrees of freedom the pooled variance is worth beside a row's own; LARGEST_PRIOR for equal rows.

    `variances` are the rows' own, with `freedom` degrees each.

    Equal rows' log variances scatter by trigamma(freedom / 2); what they scatter more is the rows' own.
    Shapes: [rows] both, at least two rows.
    """
    from scipy import special

    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(np.var(logs, ddof=1) - np.mean(special.polygamma(1, freedom / 2)))
    return LARGEST_PRIOR if excess <= 0 else min(LARGEST_PRIOR, 2 * _inverse_trigamma(excess))


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = `value`, by Newton's method on 1 / trigamma, which is convex."""
    from scipy import special

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:  # far below what the estimate is worth
            break
    return x


def _means(estimates: FloatArray, counts: npt.NDArray[np.int64]) -> FloatArray:
    means: FloatArray = np.nan_to_num(estimates).sum(axis=0) / np.maximum(counts, 1)
    return means


def _outlying(own: FloatArray, freedom: FloatArray, shared: float) -> npt.NDArray[np.bool_]:
    """Return the rows whose variance is surely larger than that of the rest, found one by one, the largest first."""
    from scipy import special

    outlying = np.zeros(len(own), np.bool_)
    for row in np.argsort(-np.nan_to_num(own), kind="stable"):
        rest = (freedom > 0) & ~outlying
        rest[row] = False
        if freedom[row] == 0 or rest.sum() < 2:  # noqa: PLR2004  # one other row is no yardstick
            break
        ratio = own[row] / float(np.average(own[rest], weights=freedom[rest]))
        if special.fdtrc(freedom[row], effective_freedom(freedom[rest], shared), ratio) > OUTLYING:
            break
        outlying[row] = True
    return outlying
