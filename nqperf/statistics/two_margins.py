"""A margin, and a wider one for sets that cannot tell so little.

What is slower by less than the margin is looked for first. Where the sets scatter so far that the time will not do for
that, a row passes that is surely slower by less than the wider margin: less is claimed then, and the verdict says which
margin it is. What fails does so by the first margin alone, so the wider one makes nothing less likely to be found.

Both are fixed before anything is measured, and a row that is slower by a margin passes by it in no more runs than one
that is judged by that margin alone.

Example: `judge = TwoMargins(margin=0.02, wide=0.05)`; after each set `judge.look(sets, plan, room)`, and then
`judge.verdict("work")`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from nqperf.errors import ConfigError
from nqperf.statistics.judge import look
from nqperf.statistics.sets import Sets
from nqperf.statistics.spending import spent
from nqperf.statistics.verdicts import JudgeConfig, Judgement, Plan, RowVerdict

# How many sets it takes is told by the upper end of what a few sets may scatter by. The margin is given up where that
# is so many times as many as there is time for. Where it was once, 3.5 % of rows passed that it would have found.
_FAR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictByMargin:
    """The `verdict` on a row, and the `margin` that it is by, a share."""

    verdict: RowVerdict
    margin: float


@dataclass(slots=True, kw_only=True)
class TwoMargins:
    """The judgements so far, by `margin` and by the one that is `wide`; both are shares, 0.02 is 2 %.

    Where both are the same there is one. `red_runs` is the share of runs of unchanged code that may be red; of that and
    of every other chance to err only `share` is left, where sets of another kind have used up the rest. `narrowly`
    and `widely` are the judgements of the last look, None before it.
    Raises: ConfigError for a `margin` of 0 or less, or above the wide one.
    """

    margin: float
    wide: float
    red_runs: float
    share: float = 1.0
    narrowly: Judgement | None = None
    widely: Judgement | None = None
    _narrow: JudgeConfig = field(init=False)
    _wide: JudgeConfig = field(init=False)
    _hopeless: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 < self.margin <= self.wide:
            raise ConfigError(
                f"margins are {self.margin} and {self.wide}; expected above 0, and the wide one no smaller"
            )
        usual = JudgeConfig.for_margin(self.margin)
        self._narrow = dataclasses.replace(
            usual,
            red_runs=self.share * self.red_runs,
            beyond_alpha=self.share * usual.beyond_alpha,
            confidence=1 - self.share * (1 - usual.confidence),
        )
        self._wide = dataclasses.replace(self._narrow, pass_margin=1 + self.wide)

    @property
    def unspent(self) -> float:
        """What the looks so far have left of the chance to err, as a share."""
        looks = () if self.narrowly is None else self.narrowly.looks
        return 1 - max((spent(max(one.spent, one.spent_on_fail), 1.0) for one in looks), default=0.0)

    def look(self, sets: Sets, plan: Plan, room: int) -> None:
        """Look at all `sets` so far, once after each; `plan` says how many there will be, `room` how many more fit."""
        self.narrowly = look(sets, plan, before=self.narrowly, config=self._narrow)
        if self.wide > self.margin:
            self.widely = look(sets, plan, before=self.widely, config=self._wide)
        self._hopeless = frozenset(
            row.name
            for row in self.narrowly.rows
            if plan.time_is_up or row.more_sets is None or row.more_sets > _FAR * room
            if row.suspected_at is None
        )

    def verdict(self, name: str) -> VerdictByMargin | None:
        """Return the verdict on the row `name` with the margin it is by, None before the first look.

        A row that is open says how many sets more would decide it by either margin. One that passed by the wide margin
        says how many would by the other.
        """
        if self.narrowly is None:
            return None
        narrow = self.narrowly.row(name)
        wide = narrow if self.widely is None else self.widely.row(name)
        if narrow.outcome != "INCONCLUSIVE":
            return VerdictByMargin(verdict=narrow, margin=self.margin)
        if wide.outcome == "PASS" and name in self._hopeless:
            passed = dataclasses.replace(wide, more_sets=narrow.more_sets)
            return VerdictByMargin(verdict=passed, margin=self.wide)
        fewest = min((one.more_sets for one in (narrow, wide) if one.more_sets is not None), default=None)
        return VerdictByMargin(verdict=dataclasses.replace(narrow, more_sets=fewest), margin=self.margin)
