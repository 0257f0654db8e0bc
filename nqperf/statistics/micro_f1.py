"""Micro-F1 of answers, the difference of two on the same examples, and an interval that holds the true difference.

An example's counts are its answers that are right, given and gold. What an example adds to the difference is linear in
its counts, to first order; most examples add nothing, since both answered alike. Where few changed, or none, their
scatter says little of how rare and how large changes are: a bootstrap of 13 examples for 95 % holds the difference in
63 - 80 % of samples, and calls it certain where all answers are equal. So two imagined examples are added, one that
gains a whole answer and one that loses one, as Agresti and Min add half of each (which is too little at 13 examples:
88 % instead of 95 % where every change is a loss; this holds in 94 % or more).

Source: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in
Medicine 24 (2005); the linear parts: Davison and Hinkley, "Bootstrap Methods and their Application", section 2.7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError
from nqperf.statistics.location import FloatArray

Counts = npt.NDArray[np.int64]

CONFIDENCE = 0.95
_IMAGINED = 2  # examples that are added


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDifference:
    """How much higher the second micro-F1 is (`value`), and the `interval` that holds that with `confidence`.

    `error` is the standard error that the interval is made with, `freedom` its degrees of freedom.
    """

    value: float
    interval: tuple[float, float]
    confidence: float
    error: float
    freedom: float


def micro_f1(totals: npt.ArrayLike) -> FloatArray:
    """Return the micro-F1 of answers that are right, given and gold; 0 where nothing is given or gold.

    Shapes: `totals` [..., 3] -> [...].

    >>> float(micro_f1([1, 2, 2]))
    0.5
    """
    right, given, gold = np.moveaxis(np.asarray(totals, np.float64), -1, 0)
    score: FloatArray = np.divide(2 * right, given + gold, out=np.zeros_like(right), where=given + gold > 0)
    return score


def score_difference(ours: Counts, theirs: Counts, confidence: float = CONFIDENCE) -> ScoreDifference:
    """Return the micro-F1 of `theirs` less that of `ours`, both of the same examples.

    The interval holds it with `confidence`, and reaches no farther than -1 .. 1. Without a gold answer there is no
    score, and nothing is known.
    Shapes: answers right, given and gold of each example, int64[n, 3] both.
    Raises: ConfigError when the shapes differ, there is no example, or the confidence is not between 0 and 1.
    """
    from scipy import special

    if ours.shape != theirs.shape or ours.ndim != 2 or ours.shape[1] != 3 or not len(ours):  # noqa: PLR2004
        raise ConfigError(f"counts of shapes {ours.shape} and {theirs.shape}; expected [n, 3] of the same examples")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}; expected above 0 and below 1")
    examples = len(ours)
    value = float(micro_f1(theirs.sum(axis=0)) - micro_f1(ours.sum(axis=0)))
    parts = _parts(theirs) - _parts(ours)
    # One whole answer more or less, of as many as there are on the average: at least what any example can change.
    whole = 2 * examples / max(1.0, float((ours[:, 1:].sum() + theirs[:, 1:].sum()) / 2))
    together = examples + _IMAGINED
    centre = value * examples / together
    # All squared distances from the centre, written without a difference: the parts sum to 0.
    squares = float((parts**2).sum()) + 2 * (whole**2 + value * centre)
    error = float(np.sqrt(squares)) / together
    half = float(special.stdtrit(together - 1, (1 + confidence) / 2)) * error
    return ScoreDifference(
        value=value,
        interval=(max(-1.0, centre - half), min(1.0, centre + half)),
        confidence=confidence,
        error=error,
        freedom=together - 1,
    )


def _parts(counts: Counts) -> FloatArray:
    """Return what each example moves the micro-F1 by, times the number of examples; their sum is 0.

    Shapes: [n, 3] -> [n].
    """
    mean = counts[:, 1:].sum() / len(counts)
    if mean == 0:
        return np.zeros(len(counts))
    parts: FloatArray = (2 * counts[:, 0] - micro_f1(counts.sum(axis=0)) * counts[:, 1:].sum(axis=1)) / mean
    return parts
