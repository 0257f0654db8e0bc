"""The verdicts on two revisions: time of a run, peak memory and time to start, each judged by its own margin.

A measure is judged over all rows together: a comparison of equal code is red no more often than one row would be.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nqperf.perf.revisions.config import RevisionsConfig
from nqperf.records.revisions import Judged, Measure, MeasuredSet, Word
from nqperf.statistics.judge import look
from nqperf.statistics.location import SetEstimate, set_estimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Judgement, Plan, RowVerdict

MEASURES: tuple[Measure, ...] = ("time", "memory", "start")
# The SD of a normal beside the median distance from its median.
_MAD = 1.4826
# The sets of each row so far, by its name.
SetsByRow = Mapping[str, Sequence[MeasuredSet]]


@dataclass(slots=True, kw_only=True)
class MeasuresJudge:
    """The `judgements` so far, by measure.

    `config` has the margins, `rows` the measures that are judged of each row, by its name.
    """

    config: RevisionsConfig
    rows: Mapping[str, Sequence[Measure]]
    judgements: dict[Measure, Judgement | None] = field(default_factory=lambda: dict.fromkeys(MEASURES))

    def is_open(self, row: str) -> bool:
        """Return whether more sets of `row` may decide something.

        Memory and start are decided beside the time: they ask for sets of their own only to confirm that they grew.
        """
        verdicts = {measure: self._verdict(measure, row) for measure in MEASURES}
        time = verdicts["time"]
        if time is None or not time.decided:
            return True
        return any(one is not None and not one.decided and one.suspected_at is not None for one in verdicts.values())

    def look_at(self, sets: SetsByRow, plan: Plan) -> None:
        """Look at all `sets` so far, measure by measure, once after each pass; `plan` says how many there will be."""
        passes = max(map(len, sets.values()), default=0)
        for measure in MEASURES:
            names = [name for name, measures in self.rows.items() if measure in measures]
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
            rows = Sets.of([Row(name=name, floor=Floor(ratio=1.0)) for name in names], known, shared=False)
            before = self.judgements[measure]
            self.judgements[measure] = look(rows, plan, before=before, config=self._judge_config(measure))

    def judged(self, row: str, sets: Sequence[MeasuredSet]) -> tuple[Judged, ...]:
        """Return the verdicts on `row` with these `sets`, for the record."""
        found = []
        for measure in MEASURES:
            verdict = self._verdict(measure, row)
            if verdict is None or verdict.ratio is None:
                continue
            values = [_values(measure, taken) for taken in sets]
            bounds = verdict.interval
            found.append(
                Judged(
                    measure=measure,
                    word=_word(verdict),
                    ratio=1 / verdict.ratio,
                    interval=None if bounds is None else (1 / bounds[1], 1 / bounds[0]),
                    margin=self._judge_config(measure).pass_margin - 1,
                    base=statistics.median(base for base, _ in values),
                    change=statistics.median(change for _, change in values),
                    sets=verdict.sets,
                    more_sets=verdict.more_sets,
                )
            )
        return tuple(found)

    def _verdict(self, measure: Measure, row: str) -> RowVerdict | None:
        judgement = self.judgements[measure]
        if judgement is None or measure not in self.rows[row]:
            return None
        return judgement.row(row)

    def _judge_config(self, measure: Measure) -> JudgeConfig:
        margins = {"time": self.config.margin, "memory": self.config.memory_margin, "start": self.config.start_margin}
        config = JudgeConfig.for_margin(margins[measure])
        # Three measures are judged, and a comparison of equal code is to be red no more often than one row's would.
        return dataclasses.replace(config, red_runs=config.red_runs / len(MEASURES))


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
