"""The tests of one look: p-values of each row, and how small they have to be after the looks so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nqperf.statistics.distribution import upper_quantile, upper_tail, welch_satterthwaite
from nqperf.statistics.estimation import Estimates
from nqperf.statistics.holm import BoolArray, holm
from nqperf.statistics.location import FloatArray
from nqperf.statistics.sets import Row
from nqperf.statistics.spending import nominal_level
from nqperf.statistics.verdicts import JudgeConfig, Look

# A row passes only while its total time is not this likely to be beyond the fail margin.
_CONTRADICTION = 0.1
# An interval is that of one look, at this part of its error: the rest is what it costs to stop at a look that decides.
_OF_ONE_LOOK = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """One-sided p-values of one look, 1 where nothing is known or nothing is promised.

    Shapes: [2, rows], the location's and total time's; `within` is [rows], the location's. `slower`: slower than the
    floor; `beyond`: by more than the fail margin; `within`: by less than the pass margin. Of the control "same" the
    first two are two-sided, and `within` is of both sides.
    """

    slower: FloatArray
    beyond: FloatArray
    within: FloatArray


def evidence(rows: Sequence[Row], found: Estimates, config: JudgeConfig) -> Evidence:
    """Return the p-values of t tests on what was `found` of each of `rows`, by the margins of `config`."""
    floors = [row.floor.ratio if row.floor else 1.0 if row.role == "same" else math.nan for row in rows]
    sds = np.array([row.floor.sd if row.floor else 0.0 for row in rows])
    freedoms = np.array([row.floor.freedom if row.floor else math.inf for row in rows])
    slowdown = np.log(floors) - found.mean
    error = np.sqrt(found.error**2 + sds**2)
    freedom = welch_satterthwaite(found.error**2, found.freedom, sds**2, freedoms)
    fail, within = math.log(config.fail_margin), math.log(config.pass_margin)
    slower, beyond = (upper_tail((slowdown - margin) / error, freedom) for margin in (0.0, fail))
    passing = upper_tail((within - slowdown[0]) / error[0], freedom[0])
    same = np.array([row.role == "same" for row in rows])
    faster, faster_beyond = (upper_tail((-slowdown - margin) / error, freedom) for margin in (0.0, fail))
    return Evidence(
        slower=np.where(same, np.minimum(1.0, 2 * np.minimum(slower, faster)), slower),
        beyond=np.where(same, np.minimum(1.0, 2 * np.minimum(beyond, faster_beyond)), beyond),
        within=np.where(same, np.maximum(passing, upper_tail((within + slowdown[0]) / error[0], freedom[0])), passing),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossed:
    """What one look found; shapes [rows], `beyond` [2, rows].

    `surely_slower` by Holm's procedure, at this look or an earlier one; `beyond` the fail margin at this look, by
    location and by total time; `within` the pass margin at this look.
    """

    surely_slower: BoolArray
    beyond: BoolArray
    within: BoolArray


def crossed(seen: Evidence, looks: Sequence[Look], before: BoolArray, config: JudgeConfig) -> Crossed:
    """Return which of the tests `seen` are significant at the last of these `looks`, by the error rates of `config`.

    `before` are the rows that were surely slower at an earlier look.
    """
    shares = np.array([[1 - config.total_share], [config.total_share]])
    known = (seen.slower < 1).any(axis=0)
    everyone = np.where(known, (seen.slower / shares).min(axis=0), np.nan)
    in_family = known | before

    surely = np.zeros(len(in_family), np.bool_)
    surely[in_family] = holm(
        everyone[in_family],
        lambda count: levels_at(looks, seen.within.size, config.red_runs / count, on_fail=True)[in_family],
        before[in_family],
    )
    margin = levels_at(looks, seen.within.size, config.beyond_alpha, on_fail=True)
    inside = levels_at(looks, seen.within.size, (1 - config.confidence) / 2)
    total_is_slow = seen.beyond[1] <= _CONTRADICTION
    return Crossed(
        surely_slower=surely, beyond=seen.beyond / shares <= margin, within=(seen.within <= inside) & ~total_is_slow
    )


def levels_at(looks: Sequence[Look], rows: int, alpha: float, *, on_fail: bool = False) -> FloatArray:
    """Return the nominal level of each row at the last of these `looks`, 0 before its second set. Shape: [rows].

    `alpha` is spent by the shares that are spent on FAIL (`on_fail`), or by those of all else.
    """
    fractions = [look.spent_on_fail if on_fail else look.spent for look in looks]
    # Most rows were measured in the same sets.
    known: dict[tuple[int, ...], float] = {}
    levels = np.zeros(rows)
    for column in range(rows):
        history = tuple(look.sets[column] for look in looks)
        if history not in known:
            counted = [place for place, sets in enumerate(history) if sets > 1]
            known[history] = (
                nominal_level([history[place] for place in counted], [fractions[place] for place in counted], alpha)
                if counted
                else 0.0
            )
        levels[column] = known[history]
    return levels


def one_look(config: JudgeConfig) -> float:
    """Return the error at either end of an interval that is printed with the confidence of `config`."""
    return _OF_ONE_LOOK * (1 - config.confidence) / 2


def half_width(found: Estimates, config: JudgeConfig) -> FloatArray:
    """Return the half widths of the intervals of the log ratios that were `found`, by location; NaN after one set.

    `config` says how sure they are. Shape: [rows].
    """
    tail = np.full(len(found.sets), one_look(config))
    half: FloatArray = upper_quantile(tail, np.where(found.sets > 1, found.freedom[0], 0.0)) * found.error[0]
    return half
