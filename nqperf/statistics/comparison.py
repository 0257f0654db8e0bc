"""Two runs compared: sets of one run against sets of another, row by row.

Within a run, a row and its baseline share their rounds, so the machine's mood hits both. Between two runs it does not:
another day's ratio may be another one, which no number of sets in either run averages out. So this is weaker than two
revisions measured in one session; `Margins.run_sd` says what is known of that.

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

# The degrees of freedom of a variance that is given and not measured.
_GIVEN = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonConfig:
    """How sure a change between runs must be.

    SLOWER: surely slower at all (in at most `red_runs` of comparisons of unchanged code any row is), and by more than
    the row's margin (at `beyond_alpha` for a row); FASTER likewise. `confidence` is that of the interval. `total_share`
    is the part of the error rates given to the test of total time.
    Raises: ConfigError when a value is out of range.
    """

    red_runs: float = 0.01
    beyond_alpha: float = 0.05
    confidence: float = 0.99
    total_share: float = 0.1

    def __post_init__(self) -> None:
        for name in ("red_runs", "beyond_alpha", "total_share"):
            if not 0 < getattr(self, name) < 0.5:  # noqa: PLR2004  # at one half every sample is significant
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0 and below 0.5")
        if not 0.5 < self.confidence < 1:  # noqa: PLR2004
            raise ConfigError(f"confidence is {self.confidence}; expected above 0.5 and below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """What counts as a change of rows of one kind, and how far they scatter from run to run.

    `changed` is the factor of time from which on a row is another, `same` that below which it surely is the same.
    `run_sd` is the SD of a row's log ratio between runs of unchanged code, beyond what its sets scatter; a profile
    knows it, and where none does, half a per cent is taken. `set_sd` is that of a set where a run has a single one; by
    default nothing follows from such a run.
    Raises: ConfigError when a value is out of range.
    """

    changed: float = 1.02
    same: float = 1.05
    run_sd: float = 0.005
    set_sd: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.changed < self.same < math.inf:
            raise ConfigError(
                f"margins are {self.changed} (changed) and {self.same} (same); expected 1 <= first < second"
            )
        for what, sd in (("between runs", self.run_sd), ("of a set", self.set_sd)):
            if sd is not None and not 0 <= sd < math.inf:
                raise ConfigError(f"the SD {what} is {sd}; expected 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How the speed-up of the row `name` changed.

    `change` is SLOWER or FASTER: surely, and by more than the margin; SAME: surely slower by less than the other
    margin; INCONCLUSIVE: none of these. `old_ratio` and `new_ratio` are the speed-ups, of `old_sets` and `new_sets`
    sets. `factor` is the new speed-up / the old one, below 1 when slower; `interval` holds it with `confidence`, None
    where one of the runs has a single set. `by_total` says that total time alone shows it slower. `p_slower` is the
    one-sided p-value of "slower at all" before correction.
    """

    name: str
    change: ChangeOutcome
    old_ratio: float
    new_ratio: float
    factor: float
    interval: tuple[float, float] | None
    confidence: float
    old_sets: int
    new_sets: int
    p_slower: float
    by_total: bool


REFERENCE = ComparisonConfig()
SPEED_UPS = Margins()


def compare(pairs: Sequence[tuple[Sets, Sets, Margins]], config: ComparisonConfig = REFERENCE) -> tuple[Change, ...]:
    """Return what changed from old to new of every row that both have, the controls left out.

    Each of `pairs` is (old, new, margins) of rows whose sets scatter alike: the rows of the table are one; seconds of
    the baseline itself, as logs of 1 / seconds, are another. Holm's procedure goes over all of them, by the error rates
    of `config`. Estimates that are the same numbers in both runs are one run's, and SAME.
    """
    found = [_Pair.of(old, new, margins) for old, new, margins in pairs]
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
            changes.append(pair.change(column, outcome, by_total=by_total, confidence=config.confidence))
    return tuple(changes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """The rows of two runs side by side: p-values [2, rows] by location and by total time, and what they are of."""

    names: tuple[str, ...]
    margins: Margins
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
    def of(cls, old: Sets, new: Sets, margins: Margins) -> _Pair:
        before, after = estimates(old), estimates(new)
        places = {row.name: column for column, row in enumerate(new.rows)}
        columns = [
            (column, places[row.name])
            for column, row in enumerate(old.rows)
            if row.role == "row" and row.name in places and before.sets[column] and after.sets[places[row.name]]
        ]
        ours, theirs = [one for one, _ in columns], [other for _, other in columns]
        difference = after.mean[:, theirs] - before.mean[:, ours]
        one, known = _spread(before, ours, margins)
        other, known_too = _spread(after, theirs, margins)
        # What runs scatter beyond their sets is a number that is given.
        variance = one + other + 2 * margins.run_sd**2
        freedom = welch_satterthwaite(one, known, other, known_too) * (variance / (one + other)) ** 2
        error = np.sqrt(variance)
        changed = math.log(margins.changed)
        return cls(
            names=tuple(old.rows[column].name for column in ours),
            margins=margins,
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

    def change(self, column: int, outcome: ChangeOutcome, *, by_total: bool, confidence: float) -> Change:
        """Return the change of one row; what is neither slower nor faster is the same where that is sure."""
        one, other = self.columns[column]
        factor, error, freedom = (float(each[0, column]) for each in (self.difference, self.error, self.freedom))
        alpha = (1 - confidence) / 2
        half = float(upper_quantile(np.array(alpha), np.array(freedom))) * error  # NaN where a run has a single set
        if outcome == "INCONCLUSIVE" and (self._one_run(one, other) or factor - half > -math.log(self.margins.same)):
            outcome = "SAME"
        return Change(
            name=self.names[column],
            change=outcome,
            old_ratio=math.exp(float(self.old.mean[0, one])),
            new_ratio=math.exp(float(self.new.mean[0, other])),
            factor=math.exp(factor),
            interval=None if math.isnan(half) else (math.exp(factor - half), math.exp(factor + half)),
            confidence=confidence,
            old_sets=int(self.old.sets[one]),
            new_sets=int(self.new.sets[other]),
            p_slower=float(self.slower[0, column]),
            by_total=by_total,
        )

    def _one_run(self, one: int, other: int) -> bool:
        """Return whether a row's estimates are the same numbers in both runs."""
        return np.array_equal(self.old.held[:, :, one], self.new.held[:, :, other], equal_nan=True)


def _spread(found: Estimates, columns: Sequence[int], margins: Margins) -> tuple[FloatArray, FloatArray]:
    """Return the variances of the means of these rows and their degrees of freedom; of a single set as is taken."""
    variance, freedom = found.error[:, columns] ** 2, found.freedom[:, columns]
    if margins.set_sd is None:
        return variance, freedom
    single = ~(freedom > 0)
    return np.where(single, margins.set_sd**2, variance), np.where(single, _GIVEN, freedom)
