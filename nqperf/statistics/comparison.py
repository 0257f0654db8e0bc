"""Two runs compared: sets of one run against sets of another, row by row.

Within a run, a row and its baseline share their rounds, so the machine's mood hits both. Between two runs it does not:
another day's ratio may be another one, which no number of sets in either run averages out. So this is weaker than two
revisions measured in one session; `run_sd` says what is known of that.

Source: Welch's test on means with moderated variances (see `moderation`), Holm's procedure over all rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nqperf.errors import ConfigError
from nqperf.statistics.distribution import upper_quantile, upper_tail, welch_satterthwaite
from nqperf.statistics.estimation import Estimates, estimates
from nqperf.statistics.holm import holm
from nqperf.statistics.location import FloatArray
from nqperf.statistics.sets import Sets

ChangeOutcome = Literal["SLOWER", "SAME", "FASTER", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonConfig:
    """What counts as a change between runs, as factors of time, and how sure it must be.

    SLOWER: surely slower at all (in at most `red_runs` of comparisons of unchanged code any row is), and by more than
    `changed` (at `beyond_alpha` for a row); FASTER likewise. SAME: surely slower by less than `same`. `confidence` is
    that of the interval. `total_share` is the part of the error rates given to the test of total time. `run_sd` is the
    SD of a row's log ratio between runs of unchanged code, beyond what its sets scatter; a profile knows it, and where
    none does, half a per cent is taken.
    Raises: ConfigError when a value is out of range.
    """

    changed: float = 1.02
    same: float = 1.05
    red_runs: float = 0.01
    beyond_alpha: float = 0.05
    confidence: float = 0.99
    total_share: float = 0.1
    run_sd: float = 0.005

    def __post_init__(self) -> None:
        if not 1 <= self.changed < self.same < math.inf:
            raise ConfigError(
                f"margins are {self.changed} (changed) and {self.same} (same); expected 1 <= first < second"
            )
        if not (0 < self.red_runs < 0.5 and 0 < self.beyond_alpha < 0.5 and 0.5 < self.confidence < 1):  # noqa: PLR2004
            raise ConfigError(
                f"error rates {self.red_runs}, {self.beyond_alpha} and confidence {self.confidence}; expected shares"
            )
        if not 0 <= self.run_sd < math.inf:
            raise ConfigError(f"the SD between runs is {self.run_sd}; expected 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How the speed-up of the row `name` changed, and the `outcome` of that.

    `old_ratio` and `new_ratio` are the speed-ups, of `old_sets` and `new_sets` sets. `factor` is the new speed-up / the
    old one, below 1 when slower; `interval` holds it with the configured confidence, None where one of the runs has a
    single set. `by_total` says that total time alone shows it slower. `p_slower` is the one-sided p-value of "slower at
    all" before correction.
    """

    name: str
    outcome: ChangeOutcome
    old_ratio: float
    new_ratio: float
    factor: float
    interval: tuple[float, float] | None
    old_sets: int
    new_sets: int
    p_slower: float
    by_total: bool = False


REFERENCE = ComparisonConfig()


def compare(pairs: Sequence[tuple[Sets, Sets]], config: ComparisonConfig = REFERENCE) -> tuple[Change, ...]:
    """Return what changed from old to new of every row that both have, the controls left out.

    Each of `pairs` is (old, new) of rows whose sets scatter alike: the rows of the table are one; seconds of the
    baseline itself, as logs of 1 / seconds, are another. `config` says what counts as a change. Holm's procedure goes
    over all of them. Estimates that are the same numbers in both runs are one run's, and SAME.
    """
    found = [_Pair.of(old, new, config) for old, new in pairs]
    if not any(len(pair.names) for pair in found):
        return ()
    shares = np.array([[1 - config.total_share], [config.total_share]])
    slower, beyond, faster, faster_beyond = (
        np.concatenate([getattr(pair, name) for pair in found], axis=1) / shares
        for name in ("slower", "beyond", "faster", "faster_beyond")
    )
    surely_slower = holm(slower.min(axis=0), lambda count: config.red_runs / count)
    surely_faster = holm(faster[0], lambda count: config.red_runs / count)
    is_slower = surely_slower & (beyond <= config.beyond_alpha).any(axis=0)
    is_faster = surely_faster & (faster_beyond[0] <= config.beyond_alpha)
    changes: list[Change] = []
    for pair in found:
        for column in range(len(pair.names)):
            place = len(changes)
            by_total = bool(is_slower[place] and beyond[0, place] > config.beyond_alpha)
            outcome: ChangeOutcome = "SLOWER" if is_slower[place] else "FASTER" if is_faster[place] else "INCONCLUSIVE"
            changes.append(pair.change(column, outcome, by_total=by_total, config=config))
    return tuple(changes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """The rows of two runs side by side: p-values [2, rows] by location and by total time, and what they are of."""

    names: tuple[str, ...]
    old: Estimates
    new: Estimates
    columns: tuple[tuple[int, int], ...]
    difference: FloatArray
    error: FloatArray
    freedom: FloatArray
    slower: FloatArray
    beyond: FloatArray
    faster: FloatArray
    faster_beyond: FloatArray

    @classmethod
    def of(cls, old: Sets, new: Sets, config: ComparisonConfig) -> _Pair:
        before, after = estimates(old), estimates(new)
        places = {row.name: column for column, row in enumerate(new.rows)}
        columns = [
            (column, places[row.name])
            for column, row in enumerate(old.rows)
            if row.role == "row" and row.name in places and before.sets[column] and after.sets[places[row.name]]
        ]
        ours, theirs = [one for one, _ in columns], [other for _, other in columns]
        difference = after.mean[:, theirs] - before.mean[:, ours]
        variances = before.error[:, ours] ** 2, after.error[:, theirs] ** 2
        freedom = welch_satterthwaite(variances[0], before.freedom[:, ours], variances[1], after.freedom[:, theirs])
        error = np.sqrt(variances[0] + variances[1] + 2 * config.run_sd**2)
        changed = math.log(config.changed)
        return cls(
            names=tuple(old.rows[one].name for one in ours),
            old=before,
            new=after,
            columns=tuple(columns),
            difference=difference,
            error=error,
            freedom=freedom,
            slower=upper_tail(-difference / error, freedom),
            beyond=upper_tail((-difference - changed) / error, freedom),
            faster=upper_tail(difference / error, freedom),
            faster_beyond=upper_tail((difference - changed) / error, freedom),
        )

    def change(self, column: int, outcome: ChangeOutcome, *, by_total: bool, config: ComparisonConfig) -> Change:
        """Return the change of one row; what is neither slower nor faster is the same where that is sure."""
        one, other = self.columns[column]
        factor, error, freedom = (float(each[0, column]) for each in (self.difference, self.error, self.freedom))
        alpha = (1 - config.confidence) / 2
        half = float(upper_quantile(np.array(alpha), np.array(freedom))) * error if freedom > 0 else math.nan
        if outcome == "INCONCLUSIVE" and (self._one_run(one, other) or factor - half > -math.log(config.same)):
            outcome = "SAME"
        return Change(
            name=self.names[column],
            outcome=outcome,
            old_ratio=math.exp(float(self.old.mean[0, one])),
            new_ratio=math.exp(float(self.new.mean[0, other])),
            factor=math.exp(factor),
            interval=None if math.isnan(half) else (math.exp(factor - half), math.exp(factor + half)),
            old_sets=int(self.old.sets[one]),
            new_sets=int(self.new.sets[other]),
            p_slower=float(self.slower[0, column]),
            by_total=by_total,
        )

    def _one_run(self, one: int, other: int) -> bool:
        """Return whether a row's estimates are the same numbers in both runs."""
        return np.array_equal(self.old.held[:, :, one], self.new.held[:, :, other], equal_nan=True)
