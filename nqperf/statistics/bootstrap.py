"""The difference of two micro-F1 scores on the same examples, and its interval by a bootstrap over the examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError
from nqperf.statistics.signed_rank import FloatArray

Counts = npt.NDArray[np.int64]

_AT_ONCE = 200  # draws; more would need memory for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapConfig:
    """How often examples are drawn anew, by which seed, and how sure the interval is.

    Raises: ConfigError when a number is out of range.
    """

    draws: int = 10_000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ConfigError(f"draws is {self.draws}; expected at least 1")
        if not 0 < self.confidence < 1:
            raise ConfigError(f"confidence is {self.confidence}; expected above 0 and below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDifference:
    """How much higher the second score is, and the interval that holds that with the configured confidence."""

    value: float
    interval: tuple[float, float]


REFERENCE = BootstrapConfig()


def micro_f1(totals: npt.ArrayLike) -> FloatArray:
    """Return the micro-F1 of answers that are right, given and gold; 0 where nothing is given or gold.

    Shapes: [..., 3] -> [...].
    """
    right, given, gold = np.moveaxis(np.asarray(totals, np.float64), -1, 0)
    score: FloatArray = np.divide(2 * right, given + gold, out=np.zeros_like(right), where=given + gold > 0)
    return score


def score_difference(ours: Counts, theirs: Counts, config: BootstrapConfig = REFERENCE) -> ScoreDifference:
    """Return the micro-F1 of `theirs` less that of `ours`, both of the same examples.

    Each draw takes as many examples as there are, with repetition, the same for both: what makes an example hard for
    the two alike is no difference between them. The interval is that of the draws' percentiles.

    Shapes: answers right, given and gold of each example, int64[n, 3] both.
    Raises: ConfigError when the shapes differ, or there is no example.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", section 13.3.
    """
    if ours.shape != theirs.shape or ours.ndim != 2 or ours.shape[1] != 3 or not len(ours):  # noqa: PLR2004
        raise ConfigError(f"counts of shapes {ours.shape} and {theirs.shape}; expected [n, 3] of the same examples")
    examples = len(ours)
    generator = np.random.default_rng(config.seed)
    drawn = []
    for first in range(0, config.draws, _AT_ONCE):
        count = min(_AT_ONCE, config.draws - first)
        times = generator.multinomial(examples, np.full(examples, 1 / examples), size=count)
        drawn.append(micro_f1(times @ theirs) - micro_f1(times @ ours))
    outside = (1 - config.confidence) / 2
    low, high = np.quantile(np.concatenate(drawn), [outside, 1 - outside])
    value = micro_f1(theirs.sum(axis=0)) - micro_f1(ours.sum(axis=0))
    return ScoreDifference(value=float(value), interval=(float(low), float(high)))
