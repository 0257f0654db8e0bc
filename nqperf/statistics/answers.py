"""Answers have error rates too: whether a row's answers are surely good enough, surely not, or not yet known.

The share of changed answers is tested exactly, micro-F1 by its interval, both paired by example. As many examples are
answered as it takes; alpha is spent over the looks at them as over sets of processes. A row whose answers must be exact
is not tested: one changed answer fails it.

Source: Clopper and Pearson, "The use of confidence or fiducial limits" (1934) for the share; McNemar (1947) for wins
and losses.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError
from nqperf.statistics.micro_f1 import Counts, ScoreDifference, micro_f1, score_difference
from nqperf.statistics.spending import nominal_level

AnswersOutcome = Literal["HOLDS", "FAILS", "UNDECIDED"]
# More examples than this nobody answers: nothing is said then.
MOST_MORE = 1_000_000
_POWER = 0.84  # a decision that is asked for is to be reached in 80 % of cases
# The boundary of the last of several looks is about so much farther out than that of one look.
_LOOKING = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLimits:
    """How far answers may be from the baseline's.

    `changed` is the largest share of them that may be other ones, 0 for none at all; `micro_f1` is the least share of
    the baseline's micro-F1 that must be left.
    Raises: ConfigError when one is not a share.
    """

    changed: float
    micro_f1: float

    def __post_init__(self) -> None:
        if not (0 <= self.changed < 1 and 0 < self.micro_f1 <= 1):
            raise ConfigError(f"limits are {self.changed} changed and {self.micro_f1} of micro-F1; expected shares")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersConfig:
    """How sure a verdict on answers is.

    `fail_alpha` is the share of runs in which a row right at a limit FAILS, over all looks and both tests; `hold_alpha`
    that in which it HOLDS; `confidence` that of the printed intervals.
    Raises: ConfigError when a value is out of range.
    """

    fail_alpha: float = 0.005
    hold_alpha: float = 0.05
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not (0 < self.fail_alpha < 0.5 and 0 < self.hold_alpha < 0.5 and 0.5 < self.confidence < 1):  # noqa: PLR2004
            raise ConfigError(f"alphas {self.fail_alpha}, {self.hold_alpha} and confidence {self.confidence}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """The same examples, answered by the baseline and by a row.

    Shapes: baseline and row int64[n, 3], answers right, given and gold of each example; changed bool[n], whether the
    answer is another one, right or not.
    Raises: ConfigError when shapes differ, or there is no example.
    """

    baseline: Counts
    row: Counts
    changed: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.changed), 3)
        if self.baseline.shape != shape or self.row.shape != shape or not len(self.changed):
            raise ConfigError(
                f"counts of shapes {self.baseline.shape} and {self.row.shape} and {len(self.changed)} answers; "
                "expected [n, 3], [n, 3] and n of the same examples"
            )

    def with_more(self, more: Answered) -> Answered:
        """Return these answers and `more` of them, to other examples."""
        return Answered(
            baseline=np.concatenate([self.baseline, more.baseline]),
            row=np.concatenate([self.row, more.row]),
            changed=np.concatenate([self.changed, more.changed]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersVerdict:
    """What is known of a row's answers.

    `outcome`: HOLDS when every limit is surely kept, FAILS when one is surely broken, else UNDECIDED. `compared` is the
    number of examples, `changed` of those with another answer, `micro_f1` and `baseline_micro_f1` the two scores on
    them. `wins` are the examples that the row has more of right than the baseline, `losses` those with fewer, `p_even`
    the two-sided p-value of "as many wins as losses". `changed_interval` is that of the true share of changed answers,
    `difference` that of micro-F1, the row's less the baseline's. `broken` names the limits that are surely broken,
    `open` those that are neither surely kept nor surely broken. `more_examples` is about how many more would decide,
    None where it is decided or no number would.
    """

    outcome: AnswersOutcome
    compared: int
    changed: int
    changed_interval: tuple[float, float]
    wins: int
    losses: int
    p_even: float
    micro_f1: float
    baseline_micro_f1: float
    difference: ScoreDifference
    broken: tuple[str, ...]
    open: tuple[str, ...]
    more_examples: int | None

    @property
    def surely_changed_at_most(self) -> float:
        """The share of changed answers that the true one is surely not above."""
        return self.changed_interval[1]


REFERENCE = AnswersConfig()


# Long: its docstring has the rule with its source.
def judge_answers(
    answered: Answered,
    limits: AnswerLimits,
    *,
    looks: Sequence[int] = (),
    most: int | None = None,
    config: AnswersConfig = REFERENCE,
) -> AnswersVerdict:
    """Return the verdict on the answers so far, `answered`, held to `limits`, as sure as `config` says.

    `looks` are the numbers of examples at the looks before this one, `most` how many there can be in all (by default
    the ones there are: this is the last look).
    Raises: ConfigError when the looks do not grow.
    """
    count = len(answered.changed)
    changed = int(answered.changed.sum())
    numbers = [*looks, count]
    fractions = [number / max(most or count, count) for number in numbers]
    exact = limits.changed == 0
    # Both limits may fail a row, so each gets half of that alpha; to hold, a row must keep both.
    fail = 0.0 if exact else nominal_level(numbers, fractions, config.fail_alpha / 2)
    hold = 0.0 if exact else nominal_level(numbers, fractions, config.hold_alpha)
    kept, broken = _changed(changed, count, limits.changed, (fail, hold))
    findings = [("changed", kept, broken)]
    if not exact:
        findings.append(("micro_f1", *_micro_f1(answered, limits.micro_f1, (fail, hold))))
    surely_broken = tuple(name for name, _, is_broken in findings if is_broken)
    still_open = tuple(name for name, is_kept, is_broken in findings if not is_kept and not is_broken)
    outcome: AnswersOutcome = "FAILS" if surely_broken else "UNDECIDED" if still_open else "HOLDS"
    right = answered.row[:, 0] - answered.baseline[:, 0]
    wins, losses = int((right > 0).sum()), int((right < 0).sum())
    return AnswersVerdict(
        outcome=outcome,
        compared=count,
        changed=changed,
        changed_interval=share_interval(changed, count, config.confidence),
        wins=wins,
        losses=losses,
        p_even=min(1.0, 2 * _at_most(min(wins, losses), wins + losses, 0.5)),
        micro_f1=float(micro_f1(answered.row.sum(axis=0))),
        baseline_micro_f1=float(micro_f1(answered.baseline.sum(axis=0))),
        difference=score_difference(answered.baseline, answered.row, config.confidence),
        broken=surely_broken,
        open=still_open,
        more_examples=_more_examples(answered, limits, still_open, config) if outcome == "UNDECIDED" else None,
    )


def share_interval(count: int, of: int, confidence: float) -> tuple[float, float]:
    """Return the exact interval of a share of which `count` of `of` were seen, at `confidence`.

    >>> low, high = share_interval(0, 79, 0.95)
    >>> low, round(high, 3)
    (0.0, 0.046)
    """
    from scipy import special

    outside = (1 - confidence) / 2
    low = float(special.betaincinv(count, of - count + 1, outside)) if count else 0.0
    high = float(special.betaincinv(count + 1, of - count, 1 - outside)) if count < of else 1.0
    return low, high


def fewest_within(changed: int, limit: float, confidence: float) -> int:
    """Return the fewest of which no more than `changed` are other ones that put `share_interval` within `limit`.

    `limit` is a share above 0, and `confidence` the interval's.

    >>> fewest_within(0, 0.05, 0.95), fewest_within(1, 0.05, 0.95)
    (72, 110)
    """
    numbers = range(changed + 1, 1 << 40)
    place = bisect.bisect_left(numbers, True, key=lambda of: share_interval(changed, of, confidence)[1] <= limit)
    return numbers[place]


def _changed(changed: int, count: int, limit: float, levels: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether the share of changed answers is surely within the limit, and whether it surely is not."""
    if limit == 0:
        return changed == 0, changed > 0
    fail, hold = levels
    return _at_most(changed, count, limit) <= hold, 1 - _at_most(changed - 1, count, limit) <= fail


def _micro_f1(answered: Answered, limit: float, levels: tuple[float, float]) -> tuple[bool, bool]:
    """Return whether micro-F1 is surely at least so large a share of the baseline's, and whether it surely is not."""
    fail, hold = levels
    least = -(1 - limit) * float(micro_f1(answered.baseline.sum(axis=0)))
    low, high = (
        score_difference(answered.baseline, answered.row, 1 - 2 * level).interval[side]
        for level, side in ((hold, 0), (fail, 1))
    )
    return low >= least, high < least


def _more_examples(
    answered: Answered, limits: AnswerLimits, still_open: Sequence[str], config: AnswersConfig
) -> int | None:
    """Return about how many more examples decide in four of five cases, None for more than MOST_MORE."""
    count = len(answered.changed)
    share = (float(answered.changed.sum()) + 0.5) / (count + 1)
    difference = score_difference(answered.baseline, answered.row)
    least = -(1 - limits.micro_f1) * float(micro_f1(answered.baseline.sum(axis=0)))
    distances = {
        "changed": (limits.changed - share, math.sqrt(max(share, limits.changed))),
        "micro_f1": (difference.value - least, difference.error * math.sqrt(count)),
    }
    needed = [_needed(*distances[name], config) for name in still_open]
    if not needed or None in needed:
        return None
    more = math.ceil(max(number for number in needed if number is not None)) - count
    return max(1, more) if more <= MOST_MORE else None


def _needed(distance: float, spread: float, config: AnswersConfig) -> float | None:
    """Return how many examples tell a mean at such a distance from its limit, None where it lies on it."""
    from scipy import special

    if distance == 0:
        return None
    alpha = config.hold_alpha if distance > 0 else config.fail_alpha / 2
    errors = _LOOKING * float(-special.ndtri(alpha)) + _POWER
    return (errors * spread / distance) ** 2


def _at_most(count: int, of: int, share: float) -> float:
    """Return the probability of at most `count` of `of` at such a true share."""
    from scipy import special

    return 0.0 if count < 0 else float(special.bdtr(count, of, share)) if of else 1.0
