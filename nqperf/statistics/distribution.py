"""Student's t distribution on arrays, where the degrees of freedom need not be whole or known."""

from __future__ import annotations

import numpy as np

from nqperf.statistics.location import FloatArray


def upper_tail(t: FloatArray, freedom: FloatArray) -> FloatArray:
    """Return P(T > `t`), 1 where `t` or its degrees of `freedom` are not known (NaN, or 0)."""
    from scipy import special

    known = np.isfinite(t) & (freedom > 0)
    tail: FloatArray = np.where(known, special.stdtr(np.where(known, freedom, 1.0), np.where(known, -t, 0.0)), 1.0)
    return tail


def upper_quantile(tail: FloatArray, freedom: FloatArray) -> FloatArray:
    """Return the t with P(T > t) = `tail`; NaN where the degrees of `freedom` are not known."""
    from scipy import special

    known = freedom > 0
    quantile: FloatArray = np.where(known, -special.stdtrit(np.where(known, freedom, 1.0), tail), np.nan)
    return quantile


def welch_satterthwaite(one: FloatArray, ours: FloatArray, other: FloatArray, theirs: FloatArray) -> FloatArray:
    """Return the degrees of freedom of the sum of two variances, `one` with `ours` and `other` with `theirs`.

    0 where one of them is not known.
    A variance of 0 with any degrees of freedom is a known number. Source: Welch, "The generalization of 'Student's'
    problem when several different population variances are involved", Biometrika 34 (1947).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.divide(one**2, ours) + np.divide(other**2, theirs)
        freedom: FloatArray = np.where((ours > 0) & (theirs > 0), (one + other) ** 2 / spread, 0.0)
    return freedom
