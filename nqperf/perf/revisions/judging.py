"""The verdicts on two revisions: time of a run, peak memory and time to start, each judged by its own margin."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
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


@dataclass(slots=True, kw_only=True)
class MeasuresJudge:
    """The `judgements` so far, by measure.

    A measure that was not told in every set has none. `config` has the margins.
    """

    config: RevisionsConfig
    judgements: dict[Measure, Judgement | None] = field(default_factory=lambda: dict.fromkeys(MEASURES))

    @property
    def is_open(self) -> bool:
        """Whether more sets may decide something."""
        return any(judged is not None and judged.open_rows for judged in self.judgements.values())

    def look_at(self, sets: Sequence[MeasuredSet], plan: Plan) -> None:
        """Look at all `sets` so far, measure by measure, once after each; `plan` says how many there will be."""
        for measure in MEASURES:
            known: list[dict[str, SetEstimate]] = [
                {measure: estimate} for taken in sets if (estimate := _estimate(measure, taken)) is not None
            ]
            if len(known) == len(sets):
                rows = Sets.of((Row(name=measure, floor=Floor(ratio=1.0)),), known, shared=False)
                before = self.judgements[measure]
                self.judgements[measure] = look(rows, plan, before=before, config=self._judge_config(measure))

    def judged(self, sets: Sequence[MeasuredSet]) -> tuple[Judged, ...]:
        """Return the verdicts on these `sets`, for the record."""
        found = []
        for measure in MEASURES:
            judgement = self.judgements[measure]
            verdict = judgement.rows[0] if judgement is not None else None
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
