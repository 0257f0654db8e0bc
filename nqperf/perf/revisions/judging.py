"""The verdicts on two revisions: time of a run, peak memory and time to start, each judged by its own margin.

A measure is judged over all rows together: a comparison of equal code is red no more often than one row would be.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nqperf.perf.revisions.config import RevisionsConfig
from nqperf.records.revisions import Judged, Measure, MeasuredSet, Word
from nqperf.statistics.location import SetEstimate, set_estimate
from nqperf.statistics.planning import expected_sets
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.two_margins import TwoMargins, VerdictByMargin
from nqperf.statistics.verdicts import REFERENCE, Plan, RowVerdict

MEASURES: tuple[Measure, ...] = ("time", "memory", "start")
# The SD of a normal beside the median distance from its median.
_MAD = 1.4826
# The sets of each row so far, by its name.
SetsByRow = Mapping[str, Sequence[MeasuredSet]]


@dataclass(slots=True, kw_only=True)
class MeasuresJudge:
    """The `judges` of the measures, with what they found so far.

    `config` has the margins, `rows` the measures that are judged of each row, by its name. A row that begins anew has
    judges of its own.
    """

    config: RevisionsConfig
    rows: Mapping[str, Sequence[Measure]]
    judges: dict[Measure, TwoMargins] = field(init=False)
    _anew: dict[str, dict[Measure, TwoMargins]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.judges = self._judges(1.0, 1)

    def _judges(self, share: float, rows: int) -> dict[Measure, TwoMargins]:
        """Return new judges that err in such a `share` of the runs that the first do, one of so many `rows`."""
        config = self.config
        memory, start = config.memory_margin, config.start_margin
        margins: dict[Measure, tuple[float, float]] = {
            "time": config.margins,
            "memory": (memory, memory),
            "start": (start, start),
        }
        # Three measures are judged, and a comparison of equal code is to be red no more often than one row's would.
        red_runs = REFERENCE.red_runs / len(MEASURES) / rows
        return {
            measure: TwoMargins(margin=margin, wide=wide, red_runs=red_runs, share=share)
            for measure, (margin, wide) in margins.items()
        }

    def is_open(self, row: str) -> bool:
        """Return whether more sets of `row` may decide something.

        Memory and start are decided beside the time: they ask for sets of their own only to confirm that they grew.
        """
        time, *others = (self._verdict(measure, row) for measure in MEASURES)
        if time is None or not time.verdict.decided:
            return True
        known = [one.verdict for one in others if one is not None]
        return any(not one.decided and one.suspected_at is not None for one in known)

    def can_begin_anew(self, row: str) -> bool:
        """Return whether `row` neither fails nor is suspected by one of its measures, and a chance to err is left."""
        known = [one.verdict for one in (self._verdict(measure, row) for measure in MEASURES) if one is not None]
        found = any(one.outcome == "FAIL" or one.suspected_at is not None for one in known)
        return not found and self._unspent(row) > 0

    def _unspent(self, row: str) -> float:
        return min(judge.unspent for judge in self._judges_of(row).values())

    def begin_anew(self, row: str) -> None:
        """Leave aside what was found of `row`, whose sets are others from now on: of another way to time it.

        What its looks have spent of the chance to err stays spent, and it is no part of the others' family any more.
        """
        share = self._unspent(row) * (self._anew[row]["time"].share if row in self._anew else 1.0)
        self._anew[row] = self._judges(share, len(self.rows))

    def _judges_of(self, row: str) -> dict[Measure, TwoMargins]:
        return self._anew.get(row, self.judges)

    def look_at(self, sets: SetsByRow, room: int, *, time_is_up: bool) -> None:
        """Look at all `sets` so far, measure by measure, once after each pass.

        About so many more passes fit into the time (`room`), by which alpha is shared, none where `time_is_up`.
        """
        together = {name: [] if name in self._anew else found for name, found in sets.items()}
        self._look_at(self.judges, list(self.rows), together, room, time_is_up=time_is_up)
        for name, judges in self._anew.items():
            self._look_at(judges, [name], {name: sets[name]}, room, time_is_up=time_is_up)

    def _look_at(
        self, judges: Mapping[Measure, TwoMargins], rows: Sequence[str], sets: SetsByRow, room: int, *, time_is_up: bool
    ) -> None:
        passes = max(map(len, sets.values()), default=0)
        plan = Plan(sets=expected_sets(passes, passes + room), time_is_up=time_is_up)
        for measure in MEASURES:
            names = [name for name in rows if measure in self.rows[name]]
            known: list[dict[str, SetEstimate]] = [
                {
                    name: estimate
                    for name in names
                    if number < len(sets.get(name, ()))
                    and (estimate := _estimate(measure, sets[name][number])) is not None
                }
                for number in range(passes)
            ]
            if not any(known):
                continue
            asked = Sets.of([Row(name=name, floor=Floor(ratio=1.0)) for name in names], known, shared=False)
            judges[measure].look(asked, plan, room)

    def judged(self, row: str, sets: Sequence[MeasuredSet]) -> tuple[Judged, ...]:
        """Return the verdicts on `row` with these `sets`, for the record."""
        found = []
        for measure in MEASURES:
            by = self._verdict(measure, row)
            if by is None or (ratio := by.verdict.ratio) is None:
                continue
            verdict, asked = by.verdict, self._judges_of(row)[measure].margin
            values = [_values(measure, taken) for taken in sets]
            bounds = verdict.interval
            found.append(
                Judged(
                    measure=measure,
                    word=_word(verdict),
                    ratio=1 / ratio,
                    interval=None if bounds is None else (1 / bounds[1], 1 / bounds[0]),
                    margin=by.margin,
                    asked=None if by.margin == asked else asked,
                    base=statistics.median(base for base, _ in values),
                    change=statistics.median(change for _, change in values),
                    sets=verdict.sets,
                    more_sets=verdict.more_sets,
                )
            )
        return tuple(found)

    def _verdict(self, measure: Measure, row: str) -> VerdictByMargin | None:
        return self._judges_of(row)[measure].verdict(row) if measure in self.rows[row] else None


def round_scatter(taken: MeasuredSet) -> float:
    """Return the robust SD of the rounds' log ratios in the set `taken`."""
    ratios = np.log(taken.base) - np.log(taken.change)
    return float(_MAD * np.median(np.abs(ratios - np.median(ratios))))


def _values(measure: Measure, taken: MeasuredSet) -> tuple[float, float]:
    """Return what was measured of base and change in one set."""
    if measure == "start":
        return taken.starts
    if measure == "memory":
        return taken.peaks[0] or math.nan, taken.peaks[1] or math.nan
    return statistics.median(taken.base), statistics.median(taken.change)


def _estimate(measure: Measure, taken: MeasuredSet) -> SetEstimate | None:
    """Return a set's log ratio base / change of a measure; None where it was not told."""
    if measure == "time":
        return set_estimate(np.array(taken.base), np.array(taken.change))
    base, change = _values(measure, taken)
    if not (0 < base < math.inf and 0 < change < math.inf):
        return None
    ratio = math.log(base / change)
    return SetEstimate(location=ratio, total=ratio, error=None, rounds=1)


def _word(verdict: RowVerdict) -> Word:
    """Return the verdict in the words of a comparison."""
    if verdict.outcome == "FAIL":
        return "SLOWER"
    if verdict.outcome != "PASS":
        return "INCONCLUSIVE"
    return "FASTER" if verdict.interval is not None and verdict.interval[0] > 1 else "SAME"
