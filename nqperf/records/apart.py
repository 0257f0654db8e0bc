"""Two rows of one run beside each other: how many times as fast one is as the other, and whether that is sure.

Rows of a set of processes share its rounds, so that the machine's mood hits both, and what the baseline scatters is no
part of it: their ratio has an interval of its own, which is narrower than those of the two speed-ups make it look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nqperf.records.results import Results, VariantResult
from nqperf.records.timed import sets_beside
from nqperf.statistics.estimation import estimates
from nqperf.statistics.evidence import half_width
from nqperf.statistics.verdicts import REFERENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """How many times as fast one row is as another: the `ratio`, and the `interval` that holds it, None if not known.

    `told_apart` says that one of them is surely faster.
    """

    ratio: float
    interval: tuple[float, float] | None
    told_apart: bool


def beside(run: Results, name: str) -> dict[str, Beside]:
    """Return how many times as fast the row `name` of `run` is as each other row that has a verdict, by that row.

    The interval is that of the sets of processes that both were in, as sure as any other of the report for these two
    alone: that `name` may have been picked as the fastest is not counted. Where there are fewer than two such sets, no
    interval is known, and the two are told apart where the intervals of their speed-ups do not overlap.
    """
    row = run.variant(name)
    if row is None or row.verdict is None:
        return {}
    others = [one for one in run.variants if one.name != name and one.verdict is not None and not one.verdict.at_most]
    sets = sets_beside(run, name)
    found = estimates(sets)
    halves = half_width(found, REFERENCE)
    known = {
        one.name: (float(found.mean[0, column]), float(halves[column]))
        for column, one in enumerate(sets.rows)
        if math.isfinite(found.mean[0, column]) and np.isfinite(halves[column])
    }
    return {one.name: _paired(*known[one.name]) if one.name in known else _apart(row, one) for one in others}


def _paired(location: float, half: float) -> Beside:
    interval = math.exp(location - half), math.exp(location + half)
    return Beside(ratio=math.exp(location), interval=interval, told_apart=not interval[0] <= 1 <= interval[1])


def _apart(row: VariantResult, other: VariantResult) -> Beside:
    """Return what the speed-ups of two rows tell, each of which has an interval of its own or none."""
    assert row.verdict is not None  # noqa: S101  # only such rows are compared
    assert other.verdict is not None  # noqa: S101
    ours, theirs = row.verdict.interval, other.verdict.interval
    told = ours is not None and theirs is not None and (ours[0] > theirs[1] or theirs[0] > ours[1])
    return Beside(ratio=row.verdict.ratio / other.verdict.ratio, interval=None, told_apart=told)
