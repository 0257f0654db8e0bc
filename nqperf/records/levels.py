"""The levels of a row's speed over runs: where it changed, and whether it is slower now than at its best.

Runs of one setting are a series, also where runs of other settings stand between them. Each row of a series is divided
into levels by change points, so that ten small steps do not pass one by one. The baseline's own seconds are such a row
too, for what slows all rows alike moves no ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from nqperf.records.results import BASELINE, Results, Verdict
from nqperf.records.settings import changes_of_setting, work_of
from nqperf.records.timed import baseline_sets, has_one_baseline, timed_rows
from nqperf.statistics.change_points import ChangePoint, ChangePointConfig, Division, divide
from nqperf.statistics.estimation import estimates

# In so many histories without change a change is told of any row.
_ALPHA = 0.01
# Less than this is no slowdown to end with an error for, however sure.
LEAST_SLOWDOWN = 0.01
# Runs of a single set each say by their neighbours how far they scatter, from so many on: with 2 runs of one speed a
# change was told in 87 of 100 histories, with 4 in 8, with 7 in as many as _ALPHA allows.
_LEAST_SINGLE = 7
# The baseline's seconds are the machine's too, whose state changes from run to run, by so much at least (SD).
_SECONDS_SD = 0.035


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The speed of `row` is `factor` times what it was (below 1: slower), which `interval` holds with 99 %.

    `last` is the last run of the level before, `run` the first of the one after, both as places in the history. The row
    "baseline" is its own speed, in batches a second; of all others it is the speed-up.
    """

    row: str
    last: int
    run: int
    factor: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A row in one run: the log of its speed from so many `sets`, and the SD of a set (None where there is one alone).

    `run` is the run's place in the history, `value` and `sd` the two. Of the baseline the speed is batches a second.
    """

    run: int
    value: float
    sets: int
    sd: float | None

    @classmethod
    def of(cls, place: int, run: Results, name: str) -> Speed | None:
        """Return the speed of the row `name` in `run`, None where it was not measured or its answers were wrong.

        `place` is that of the run in the history.
        """
        if name == BASELINE:
            return cls.of_baseline(place, run)
        row = run.variant(name)
        if row is None or row.status != "measured" or row.verdict is None or row.verdict.at_most:
            return None
        verdict = row.verdict
        return cls(run=place, value=math.log(verdict.ratio), sets=max(1, verdict.sets), sd=_sd(verdict))

    @classmethod
    def of_baseline(cls, place: int, run: Results) -> Speed | None:
        """Return the speed of the one baseline of `run`, which stands at `place`; None where nothing was timed."""
        sets = baseline_sets(run, [*timed_rows(run)]) if has_one_baseline(run) else None
        if sets is None or not len(sets.location):
            return None
        found = estimates(sets)
        count = len(sets.location)
        sd = float(found.error[0, 0]) * math.sqrt(count)
        return cls(run=place, value=float(found.mean[0, 0]), sets=count, sd=None if math.isnan(sd) else sd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The `steps` of the rows of a history, the oldest first, and the rows that are `slower` than at their best.

    `unjudged` are the names of rows whose runs, too few, have a single set each, so that nothing says how they scatter.
    """

    steps: tuple[Step, ...]
    slower: tuple[Step, ...]
    unjudged: tuple[str, ...]


def levels(runs: Sequence[Results], names: Sequence[str]) -> Levels:
    """Return the levels of the rows `names` in `runs`, the oldest first.

    A row counts as slower by its last level, in the latest runs of its work on its machine.
    """
    series = _series(runs)
    latest = {work_of(runs[places[-1]]): number for number, places in enumerate(series)}
    measured = {
        (name, number): points
        for name in names
        for number, places in enumerate(series)
        if len(points := [point for place in places if (point := Speed.of(place, runs[place], name))]) > 1
    }
    steps: list[Step] = []
    slower: list[Step] = []
    unjudged: dict[str, None] = {}
    for (name, number), points in measured.items():
        division = _divided(name, points, alpha=_ALPHA / len(measured))
        if division is None:
            unjudged[name] = None
            continue
        steps += [_step(name, points, change) for change in division.changes]
        worst = division.since_best
        if worst is None or number not in latest.values():
            continue
        if worst.interval[1] < 1 and worst.factor <= 1 / (1 + LEAST_SLOWDOWN):
            slower.append(_step(name, points, worst, since=division.levels[-1].first))
    steps.sort(key=lambda step: step.run)
    return Levels(steps=tuple(steps), slower=tuple(slower), unjudged=tuple(unjudged))


def _series(runs: Sequence[Results]) -> list[list[int]]:
    """Return the places of the runs of one setting together, the series in the order of their last runs."""
    series: list[list[int]] = []
    for place, run in enumerate(runs):
        if run.outcome == "INVALID":  # its times say nothing
            continue
        for places in series:
            if not any(changes_of_setting(runs[places[-1]], run)):
                places.append(place)
                break
        else:
            series.append([place])
    return sorted(series, key=lambda places: places[-1])


def _divided(name: str, points: Sequence[Speed], alpha: float) -> Division | None:
    """Return the levels of a row, None where a few runs have a single set each, so that nothing says how they scatter.

    Among other runs, a single set scatters as the worst of theirs do.
    """
    known = [point.sd for point in points if point.sd is not None]
    if not known and len(points) < _LEAST_SINGLE:
        return None
    worst = max(known, default=0.0)
    values = np.array([point.value for point in points])
    sds = np.array([worst if point.sd is None else point.sd for point in points])
    errors = sds / np.sqrt([point.sets for point in points])
    config = ChangePointConfig(alpha=alpha)
    if name == BASELINE:
        config = ChangePointConfig(alpha=alpha, least_sd=_SECONDS_SD)
    return divide(values, errors, config)


def _step(name: str, points: Sequence[Speed], change: ChangePoint, since: int | None = None) -> Step:
    first = change.at if since is None else since
    return Step(
        row=name,
        last=points[change.at - 1].run,
        run=points[first].run,
        factor=change.factor,
        interval=change.interval,
    )


def _sd(verdict: Verdict) -> float | None:
    """Return the SD of a set's log ratio; of an older record by the verdict's interval."""
    if verdict.sd is not None:
        return verdict.sd
    if verdict.interval is None:
        return None
    width = math.log(verdict.interval[1] / verdict.interval[0])
    error = width / (2 * NormalDist().inv_cdf((1 + verdict.confidence) / 2))
    return error * math.sqrt(max(1, verdict.sets))
