"""What the judge is asked by, and what it answers with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from nqperf.errors import ConfigError
from nqperf.statistics.sets import Role

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REPORTED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """What counts as a slowdown, how sure a verdict is, and how many sets it takes at least.

    `fail_margin` and `pass_margin` are factors of time above the promised one. `red_runs` is the share of runs of
    unchanged code that may be red, `beyond_alpha` the share of rows that are exactly the fail margin slower and FAIL,
    `confidence` that of the printed interval; a row that is exactly the pass margin slower passes in half of the rest.
    `first_look` is the fewest sets that a verdict is reached on before the time is up, `confirming` the new sets that a
    FAIL must hold in. `total_share` is the part of the error rates that is given to the test of total time.
    Raises: ConfigError when a value is out of range.
    """

    fail_margin: float = 1.02
    pass_margin: float = 1.05
    red_runs: float = 0.01
    beyond_alpha: float = 0.08
    confidence: float = 0.99
    first_look: int = 3
    confirming: int = 2
    total_share: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.fail_margin < self.pass_margin < math.inf:
            raise ConfigError(
                f"fail margin {self.fail_margin} and pass margin {self.pass_margin}; expected 1 <= fail < pass"
            )
        for name in ("red_runs", "beyond_alpha", "total_share"):
            if not 0 < getattr(self, name) < 0.5:  # noqa: PLR2004  # at one half every sample is significant
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0 and below 0.5")
        if not 0.5 < self.confidence < 1:  # noqa: PLR2004
            raise ConfigError(f"confidence is {self.confidence}; expected above 0.5 and below 1")
        if self.first_look < 2 or self.confirming < 0:  # noqa: PLR2004  # one set has no spread
            raise ConfigError(
                f"first look {self.first_look}, confirming {self.confirming}; expected 2 sets or more, and 0 or more"
            )

    @classmethod
    def for_margin(cls, margin: float) -> JudgeConfig:
        """Return the judge that finds a slowdown of `margin` (0.02: 2 %) between two revisions.

        It looks first at two sets, and a FAIL must hold in one more: base and change run in the same rounds, so a set
        scatters less than one of the table does, and starting processes is most of what a set takes.

        >>> judge = JudgeConfig.for_margin(0.05)
        >>> judge.fail_margin, judge.pass_margin, judge.first_look, judge.confirming
        (1.02, 1.05, 2, 1)
        """
        return cls(fail_margin=round(1 + 0.4 * margin, 10), pass_margin=1 + margin, first_look=2, confirming=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many `sets` there will be in all, as far as is known now, and whether the time is up (`time_is_up`).

    It may change from look to look, by what sets turn out to take; only how alpha is shared over the looks hangs on it.
    """

    sets: int
    time_is_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look: the `sets` there were of each row, and the shares of alpha spent by then.

    `spent_on_fail` is that of the tests for FAIL, `spent` that of all others.
    """

    sets: tuple[int, ...]
    spent_on_fail: float
    spent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowVerdict:
    """What is known of the row `name`, of such a `role`; ratios are speed-ups, baseline seconds / row seconds.

    `outcome` is what it comes to if this was the last look; `decided` says that no more sets are needed, though a row
    that passed may be in doubt again when it is measured further. `ratio` is the estimate of all `sets`, None without
    one; `interval` holds it with the configured confidence, None after a single set. `total_ratio` is that of total
    times, `by_total` says that it made the FAIL. `sd` is the moderated SD of one set's log ratio, `scatters` whether
    the row scatters more than the others and so keeps its own. `p_fail` and `p_pass` are one-sided p-values of "slower
    than its floor" and "slower by less than the pass margin", before any correction. `suspected_at` is the number of
    sets at which a FAIL was first seen that has yet to hold in new ones; `surely_slower` says that the row was slower
    than its floor by Holm's procedure, at this look or an earlier one. `more_sets` is about how many sets more would
    decide, None where it is decided or no number would.
    """

    name: str
    role: Role
    outcome: Outcome
    decided: bool
    sets: int
    ratio: float | None
    interval: tuple[float, float] | None
    total_ratio: float | None
    by_total: bool = False
    sd: float | None = None
    scatters: bool = False
    p_fail: float | None = None
    p_pass: float | None = None
    suspected_at: int | None = None
    surely_slower: bool = False
    more_sets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdicts on all `rows` after a look, and the `looks` that led to them."""

    rows: tuple[RowVerdict, ...]
    looks: tuple[Look, ...]

    @property
    def open_rows(self) -> tuple[str, ...]:
        """The names of the rows that more sets may decide."""
        return tuple(row.name for row in self.rows if not row.decided)

    def row(self, name: str) -> RowVerdict:
        """Return the verdict of the row called `name`."""
        return next(row for row in self.rows if row.name == name)


REFERENCE = JudgeConfig()
