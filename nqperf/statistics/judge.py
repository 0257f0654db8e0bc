"""The judge of a run: sets of fresh processes in, a verdict for each row out, after any set and whenever time is up.

Use: after each set, `judgement = look(sets, plan, before=judgement)`. The first look that decides comes after
`first_look` sets; `judgement.open_rows` names what needs more sets; the last look says `time_is_up`.
`judge(sets, plan)` makes all looks at once, as for a run that was saved. The same sets in the same order give the same
verdicts: nothing is drawn.

What is promised is the run. A FAIL says two things of a row, that it is slower than its floor at all, and by more than
the fail margin:
  * slower at all: one-sided test, with Holm's procedure over all rows, so that a run of unchanged code is red in at
    most `red_runs` of runs, all looks taken together;
  * slower by more than the fail margin: one-sided test at `beyond_alpha` for the row.
Both are asked of the location and of the total time. Then it must hold in new sets: `confirming` sets that the first
suspicion did not see, in which the row is slower on average too. A PASS is a one-sided test too, of being slower
by less than the pass margin, at half of what `confidence` leaves for all looks together; and total time does not say
otherwise. All else is INCONCLUSIVE once the time is up. A FAIL stays. A row that passed and is measured further goes on
to pass while its interval says so; it may be in doubt again, and FAIL. Planted work that was found is measured no
further, and stays found.

The tests are t tests on the sets' estimates with moderated variance, and the interval is the same estimator's: that of
a PASS lies above floor / pass margin, that of a FAIL below the floor at the look that found it (with the floor's SD
counted). It holds the ratio with `confidence` after the judge's own rule of when to stop, which simulation shows; a
little is added for that. Who stops by hand just when a number pleases takes away more.

Rows that share a baseline are held to the mean of its two processes, where the control "same" is one of the rows: the
baseline's own scatter is then half as large in each of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from nqperf.errors import ConfigError
from nqperf.statistics.estimation import Estimates, estimates
from nqperf.statistics.evidence import Crossed, Evidence, crossed, evidence, half_width, one_look
from nqperf.statistics.planning import more_sets
from nqperf.statistics.sets import Row, Sets
from nqperf.statistics.verdicts import REFERENCE, JudgeConfig, Judgement, Look, Outcome, Plan, RowVerdict

# A control with planted work is wrong when it surely adds less than half of it, or more than half as much again.
_PLANTED_RANGE = (0.5, 1.5)
# So much wider than one look's are the boundaries of several, about.
_LOOKING = 1.1
# No two ways to do the same work are further apart, as a log ratio, where the interval of two sets may have no end.
_FARTHEST = math.log(1e6)


def judge(sets: Sets, plan: Plan | None = None, config: JudgeConfig = REFERENCE) -> Judgement:
    """Return the judgement after all of the `sets`, with a look after each of them and the time up after the last.

    `plan` is the one that the looks were made by, by default as many sets as there are. This is how saved sets are
    judged: the same looks at the same sets give the verdicts of the run. `config` says what counts and how sure it is.
    Raises: ConfigError without a set.
    """
    count = len(sets.location)
    plan = plan or Plan(sets=count, time_is_up=True)
    judgement: Judgement | None = None
    for number in range(1, count + 1):
        now = Plan(sets=plan.sets, time_is_up=plan.time_is_up and number == count)
        judgement = look(sets.first(number), now, before=judgement, config=config)
    if judgement is None:
        raise ConfigError("no set of processes; expected at least one")
    return judgement


def look(sets: Sets, plan: Plan, *, before: Judgement | None = None, config: JudgeConfig = REFERENCE) -> Judgement:
    """Return the judgement of the `sets` so far; `before` is that of the look before this one, None at the first.

    `plan` says how many sets there will be, `config` what counts and how sure it is.
    Raises: ConfigError when there is no set, or `before` is of other rows.
    """
    if not len(sets.location):
        raise ConfigError("no set of processes; expected at least one")
    if before is not None and [row.name for row in before.rows] != [row.name for row in sets.rows]:
        raise ConfigError("the look before was at other rows; expected the same rows in the same order")
    found = estimates(sets)
    looks = before.looks if before else ()
    looking = plan.time_is_up or len(sets.location) >= config.first_look
    if looking:
        looks = (*looks, _this_look(found, plan, config, looks))
    seen = evidence(sets.rows, found, config)
    slower_before = np.array([bool(before and before.rows[column].surely_slower) for column in range(len(sets.rows))])
    hits = crossed(seen, looks if looking else (), slower_before, config)
    family = sum(row.floor is not None or row.role == "same" for row in sets.rows)
    half = half_width(found, config)
    cases = (
        _Case(
            row=row,
            column=column,
            found=found,
            seen=seen,
            hits=hits,
            half=float(half[column]),
            family=max(1, family),
            before=before.rows[column] if before else None,
        )
        for column, row in enumerate(sets.rows)
    )
    return Judgement(rows=tuple(_verdict(case, plan, config) for case in cases), looks=looks)


def _this_look(found: Estimates, plan: Plan, config: JudgeConfig, before: Sequence[Look]) -> Look:
    """Return the present look; alpha for FAIL is spent early enough to leave the sets that confirm.

    What was spent stays spent, also where more sets are planned now than were before.
    """
    count = int(found.sets.max())
    last = max(plan.sets - config.confirming, config.first_look)
    on_fail, on_all = (before[-1].spent_on_fail, before[-1].spent) if before else (0.0, 0.0)
    return Look(
        sets=tuple(int(number) for number in found.sets),
        spent_on_fail=1.0 if plan.time_is_up else max(on_fail, min(1.0, count / last)),
        spent=1.0 if plan.time_is_up else max(on_all, count / max(plan.sets, count)),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """One row before the judge: what was found of it at this look, and the verdict of the look before."""

    row: Row
    column: int
    found: Estimates
    seen: Evidence
    hits: Crossed
    half: float
    family: int
    before: RowVerdict | None

    @property
    def sets(self) -> int:
        return int(self.found.sets[self.column])

    @property
    def judged(self) -> bool:
        return self.row.floor is not None or self.row.role == "same"

    @property
    def view(self) -> int:
        """What shows the slowdown best: 0 the location, 1 total time."""
        return int(self.seen.beyond[1, self.column] < self.seen.beyond[0, self.column] / 4)

    @property
    def by_total(self) -> bool:
        """Whether total time alone shows the slowdown, at the look that found it."""
        failed_before = self.before is not None and self.before.outcome == "FAIL"
        return self.before.by_total if self.before is not None and failed_before else self.view == 1

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of the log ratio by its location."""
        mean = float(self.found.mean[0, self.column])
        return None if math.isnan(self.half) else (mean - self.half, mean + self.half)

    def holds(self, since: int, config: JudgeConfig) -> bool:
        """Return whether all sets show the slowdown that the first `since` did, and the new ones alone point to it."""
        shares = (1 - config.total_share, config.total_share)
        if self.seen.beyond[self.view, self.column] > config.beyond_alpha * shares[self.view]:
            return False
        if self.seen.slower[self.view, self.column] > one_look(config):
            return False  # the interval of a FAIL lies below the floor
        values = self.found.held[self.view, :, self.column]
        new = values[np.isfinite(values)][since:]
        if not len(new):
            return True
        floor = math.log(self.row.floor.ratio) if self.row.floor else 0.0
        slowdown = floor - float(new.mean())
        faster = self.row.role == "same" and self.found.mean[self.view, self.column] > floor
        return (-slowdown if faster else slowdown) > 0


def _judged(case: _Case, plan: Plan, config: JudgeConfig) -> tuple[Outcome, bool, int | None]:
    """Return the outcome of a row with a floor or of the control "same", whether it is decided, and the suspicion."""
    before = case.before
    if before is not None and before.outcome == "FAIL":
        return "FAIL", True, None
    suspected = before.suspected_at if before else None
    if suspected is None and case.hits.surely_slower[case.column] and case.hits.beyond[:, case.column].any():
        suspected = case.sets
    if suspected is not None and case.sets - suspected >= config.confirming:
        if case.holds(suspected, config):
            return "FAIL", True, None
        suspected = None  # what new sets do not show is left to those to come
    # A row that passed and is measured further needs no more than that its interval still says so.
    still = before is not None and before.outcome == "PASS" and bool(case.seen.within[case.column] <= one_look(config))
    if suspected is None and (case.hits.within[case.column] or still):
        return "PASS", True, None
    return "INCONCLUSIVE", plan.time_is_up, suspected


def _reported(case: _Case, plan: Plan, config: JudgeConfig) -> tuple[Outcome, bool]:
    """Return the outcome of a row without a promise: decided once its interval is no wider than the pass margin."""
    narrow = 2 * case.half <= math.log(config.pass_margin)
    return "REPORTED", plan.time_is_up or (narrow and case.sets >= config.first_look)


def _planted(case: _Case, plan: Plan, config: JudgeConfig) -> tuple[Outcome, bool]:
    """Return whether planted work comes out as planted: PASS when it is found, FAIL when it surely is another size."""
    least, most = (-math.log1p(share * case.row.planted) for share in reversed(_PLANTED_RANGE))
    enough = plan.time_is_up or case.sets >= config.first_look
    if case.interval is None or not enough:
        return "INCONCLUSIVE", plan.time_is_up
    if case.interval[1] < least or case.interval[0] > most:
        return "FAIL", True
    return ("PASS", True) if case.interval[1] < 0 else ("INCONCLUSIVE", plan.time_is_up)


def _factor(log: float) -> float:
    return math.exp(min(max(log, -_FARTHEST), _FARTHEST))


def _verdict(case: _Case, plan: Plan, config: JudgeConfig) -> RowVerdict:
    column, found = case.column, case.found
    suspected: int | None = None
    before = case.before
    settled = before is not None and before.outcome in {"PASS", "FAIL"} and before.sets == case.sets
    if before is not None and settled and case.row.role == "planted":
        return before  # it is measured no further: how other rows scatter since then does not undo what was found
    if case.row.role == "planted":
        outcome, decided = _planted(case, plan, config)
    elif case.judged:
        outcome, decided, suspected = _judged(case, plan, config)
    else:
        outcome, decided = _reported(case, plan, config)
    known = case.sets > 0
    spread = float(found.sd[0, column])
    interval = case.interval
    return RowVerdict(
        name=case.row.name,
        role=case.row.role,
        outcome=outcome,
        decided=decided,
        sets=case.sets,
        ratio=math.exp(float(found.mean[0, column])) if known else None,
        interval=(_factor(interval[0]), _factor(interval[1])) if interval else None,
        total_ratio=math.exp(float(found.mean[1, column])) if known else None,
        by_total=case.judged and outcome == "FAIL" and case.by_total,
        sd=None if math.isnan(spread) else spread,
        scatters=bool(found.scatters[column]),
        p_fail=float(case.seen.slower[0, column]) if case.judged else None,
        p_pass=float(case.seen.within[column]) if case.judged else None,
        suspected_at=suspected,
        surely_slower=bool(case.hits.surely_slower[column]),
        more_sets=None if decided and not plan.time_is_up else _more_sets(case, outcome, suspected, config),
    )


def _more_sets(case: _Case, outcome: Outcome, suspected: int | None, config: JudgeConfig) -> int | None:
    """Return about how many sets more would decide an open row, None where nothing is known to tell by."""
    if outcome in {"PASS", "FAIL"} or case.interval is None:
        return None
    mean, spread = sum(case.interval) / 2, float(case.found.sd[0, case.column])
    freedom = float(case.found.freedom[0, case.column])
    sure, lax, inside = (
        _LOOKING * NormalDist().inv_cdf(1 - alpha)
        for alpha in (config.red_runs / case.family, config.beyond_alpha, (1 - config.confidence) / 2)
    )
    fail, within = math.log(config.fail_margin), math.log(config.pass_margin)
    if case.row.role == "planted":
        return more_sets([[(-mean, inside)]], spread, case.sets, freedom)
    if not case.judged:
        return more_sets([[(within / 2, inside)]], spread, case.sets, freedom)
    slowdown = (math.log(case.row.floor.ratio) if case.row.floor else 0.0) - mean
    slowdown = abs(slowdown) if case.row.role == "same" else slowdown
    ways = [[(slowdown, sure), (slowdown - fail, lax)], [(within - slowdown, inside)]]
    more = more_sets(ways, spread, case.sets, freedom)
    return more if suspected is None or more is None else max(more, config.confirming)
