"""One builder in two revisions: the same answers first, then time, memory and start, in sets of fresh processes."""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from nqperf.errors import ConfigError
from nqperf.perf.machine.environment import Pages, check_pages
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.duets import How, PairsAlive, PairSet, can_duet, cheaper, started_pairs
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.revisions.sides import BuilderProcess, Side, Starting, package_alone
from nqperf.perf.workers.progress import Doing, Progress, silent
from nqperf.records.results import Agreement, utc_now
from nqperf.records.revisions import Judged, Measure, MeasuredSet, RevisionOutcome, RevisionResults, Word
from nqperf.statistics.judge import look
from nqperf.statistics.location import SetEstimate, set_estimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Judgement, Plan, RowVerdict

_CLOSE = Close()
_MEASURES: tuple[Measure, ...] = ("time", "memory", "start")
_TRIAL_ROUNDS = 6
# A clock's grain and a call's own time are small beside a round of this many seconds.
_SHORTEST = 0.05
_LONGEST = 2.0
_INSTANT = 1e-8
_FEWEST_SETS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionsConfig:
    """How two revisions are measured; units: seconds, margins as shares (0.02: 2 %).

    `margin` is the slowdown of a run that fails, `memory_margin` and `start_margin` those of peak memory and of the
    seconds to start. `budget` is what measuring may take in all. `how` is "duet", "turns", or "auto": a short trial
    chooses. `rounds` are taken in a set. A worker may take `build_seconds` to build and warm up, `run_seconds` for a
    round. `seed` draws the orders.
    Raises: ConfigError when a value is out of range.
    """

    margin: float = 0.02
    memory_margin: float = 0.10
    start_margin: float = 0.25
    budget: float = 180.0
    how: Literal["auto", "duet", "turns"] = "auto"
    rounds: int = 12
    pages: Pages = "huge"
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    seed: int = 0
    command: str = ""
    progress: Progress = silent

    def __post_init__(self) -> None:
        for name in ("margin", "memory_margin", "start_margin"):
            if not 0.001 <= getattr(self, name) <= 10:  # noqa: PLR2004  # below a thousandth, no machine can tell
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; expected a share from 0.001 to 10, as 0.02 for 2 %"
                )
        for name in ("budget", "build_seconds", "run_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0")
        if self.how not in ("auto", "duet", "turns"):
            raise ConfigError(f"how is {self.how!r}; expected auto, duet or turns")
        if self.how == "duet" and not can_duet():
            raise ConfigError("a duet needs two cores, and one is here: take turns")
        if self.rounds < 1:
            raise ConfigError(f"rounds is {self.rounds}; expected 1 or more")
        check_pages(self.pages)


DEFAULT = RevisionsConfig()


def compare_revisions(
    target: str,
    sides: tuple[Side, Side],
    project: Path,
    same: Compare | Metric = _CLOSE,
    config: RevisionsConfig = DEFAULT,
) -> RevisionResults:
    """Hold `target`, a builder "module:function", of the second side against that of the first.

    `project` is the folder of the change's files. Outputs are compared by `same` before anything is timed.
    Raises: WorkerError and ConfigError when the base does not build or run; what fails on the change's side is told.
    """
    began = time.monotonic()
    with package_alone() as alone:
        starting = Starting(
            target=target,
            project=project,
            alone=alone,
            pages=config.pages,
            build_seconds=config.build_seconds,
            run_seconds=config.run_seconds,
        )
        session = _Session(sides=sides, starting=starting, same=same, config=config, began=began)
        session.run()
    return session.results(target)


@dataclass(slots=True, kw_only=True)
class _Session:
    """One comparison while it is made."""

    sides: tuple[Side, Side]
    starting: Starting
    same: Compare | Metric
    config: RevisionsConfig
    began: float
    sets: list[MeasuredSet] = field(default_factory=list)
    agreement: Agreement | None = None
    judgements: dict[Measure, Judgement | None] = field(default_factory=lambda: dict.fromkeys(_MEASURES))
    faults: list[str] = field(default_factory=list)
    how: How | None = None
    repeats: int = 1

    def run(self) -> None:
        """Compare the answers, then take sets until all is decided or the time is up."""
        drawn = random.Random(self.config.seed)  # noqa: S311  # orders, no secret
        while True:
            self.config.progress(Doing(stage="set", name=self.starting.target, pairs=len(self.sets)))
            with started_pairs({self.starting.target: self._starts()}, seed=drawn.randrange(1 << 32)) as alive:
                self._take(alive)
            if self.faults:
                return
            last = not self._another_fits()
            self._judge(time_is_up=last)
            if last or not any(judged is not None and judged.open_rows for judged in self.judgements.values()):
                return

    def _starts(self) -> tuple[_Start, _Start]:
        base, change = self.sides
        return _Start("base", base, self.starting), _Start("change", change, self.starting)

    def _take(self, alive: PairsAlive) -> None:
        """Take one set; at the first, the answers and how to time come before."""
        row = alive.rows[self.starting.target]
        if self._lost(alive):
            return
        base, change = (row.sides[side] for side in ("base", "change"))
        if not (isinstance(base, BuilderProcess) and isinstance(change, BuilderProcess)):
            raise TypeError("the sides are processes of builders")
        if self.agreement is None:
            self.agreement, fault = agree(self.same, base.output(), change.output())
            if fault is not None:
                self.faults.append(f"the answers differ: {fault}")
                return
        if not self.sets:
            self.repeats = _repeats(max(base.warm_up_seconds, change.warm_up_seconds))
        for process in (base, change):
            process.repeat(self.repeats)
        how = self._chosen(alive)
        taken = alive.take(how, self.config.rounds)
        if self._lost(alive):
            return
        times = taken.rows[self.starting.target]
        for process in (base, change):
            process.repeat(self.repeats)  # its reply tells the memory once more, after the rounds
        _, fault = agree(self.same, base.output(), change.output())
        if fault is not None:
            self.faults.append(f"the answers differ after the timed rounds: {fault}")
            return
        self.sets.append(
            MeasuredSet(
                seed=taken.seed,
                how=how,
                order=taken.order,
                base=times.base,
                change=times.change,
                starts=times.starts,
                peaks=(base.peak_bytes, change.peak_bytes),
            )
        )

    def _lost(self, alive: PairsAlive) -> bool:
        """Note what became of a side that failed. Raises: the base's own failure."""
        lost = alive.rows[self.starting.target].lost
        if lost is None:
            return False
        side, error = lost
        if side == "base":
            raise error
        self.faults.append(f"the change fails: {error}")
        return True

    def _chosen(self, alive: PairsAlive) -> How:
        """Return how to time: as asked, or what a short trial of both with these processes finds cheaper."""
        if self.how is None and self.config.how != "auto":
            self.how = self.config.how
        if self.how is None and not can_duet():
            self.how = "turns"
        if self.how is None:
            trials: dict[How, PairSet] = {}
            seconds: dict[How, float] = {}
            ways: tuple[How, ...] = ("turns", "duet")
            for how in ways:
                began = time.perf_counter()
                trials[how] = alive.take(how, _TRIAL_ROUNDS)
                seconds[how] = time.perf_counter() - began
            self.how = cheaper(trials, seconds)
        return self.how

    def _another_fits(self) -> bool:
        """Return whether another set fits into the budget."""
        spent = time.monotonic() - self.began
        return spent * (1 + 1 / len(self.sets)) <= self.config.budget

    def _judge(self, *, time_is_up: bool) -> None:
        """Look at all sets so far, measure by measure."""
        spent = max(time.monotonic() - self.began, 1e-3)
        planned = max(len(self.sets), int(self.config.budget * len(self.sets) / spent), _FEWEST_SETS)
        plan = Plan(sets=planned, time_is_up=time_is_up)
        for measure in _MEASURES:
            known: list[dict[str, SetEstimate]] = [
                {measure: estimate} for taken in self.sets if (estimate := _estimate(measure, taken)) is not None
            ]
            if len(known) == len(self.sets):
                sets = Sets.of((Row(name=measure, floor=Floor(ratio=1.0)),), known, shared=False)
                before = self.judgements[measure]
                self.judgements[measure] = look(sets, plan, before=before, config=self._judge_config(measure))

    def _judge_config(self, measure: Measure) -> JudgeConfig:
        margins = {"time": self.config.margin, "memory": self.config.memory_margin, "start": self.config.start_margin}
        config = JudgeConfig.for_margin(margins[measure])
        # Three measures are judged, and a comparison of equal code is to be red no more often than one row's would.
        return dataclasses.replace(config, red_runs=config.red_runs / len(_MEASURES))

    def results(self, target: str) -> RevisionResults:
        """Return the record."""
        judged = tuple(self._judged())
        slower = [one for one in judged if one.word == "SLOWER"]
        reasons = [*self.faults, *(f"{one.measure}: {100 * (one.ratio - 1):.1f} % more" for one in slower)]
        time_word = next((one.word for one in judged if one.measure == "time"), "INCONCLUSIVE")
        outcome: RevisionOutcome = "FAIL" if reasons else "INCONCLUSIVE" if time_word == "INCONCLUSIVE" else "PASS"
        base, change = self.sides
        return RevisionResults(
            command=self.config.command,
            created=utc_now(),
            fingerprint=take_fingerprint(),
            target=target,
            base=base.record,
            change=change.record,
            outcome=outcome,
            reasons=tuple(reasons),
            agreement=self.agreement,
            judged=judged,
            sets=tuple(self.sets),
            pages=self.config.pages,
            seconds=time.monotonic() - self.began,
        )

    def _judged(self) -> Iterator[Judged]:
        for measure in _MEASURES:
            judgement = self.judgements[measure]
            if judgement is None:
                continue
            verdict = judgement.rows[0]
            if verdict.ratio is None:
                continue
            values = [_values(measure, taken) for taken in self.sets]
            low_high = verdict.interval
            yield Judged(
                measure=measure,
                word=_word(verdict),
                ratio=1 / verdict.ratio,
                interval=None if low_high is None else (1 / low_high[1], 1 / low_high[0]),
                margin=self._judge_config(measure).pass_margin - 1,
                base=statistics.median(base for base, _ in values),
                change=statistics.median(change for _, change in values),
                sets=verdict.sets,
                more_sets=verdict.more_sets,
            )


@dataclass(frozen=True, slots=True)
class _Start:
    """Starts a side's process; called without arguments."""

    name: str
    side: Side
    starting: Starting

    def __call__(self) -> BuilderProcess:
        """Return the process, built and warm."""
        return BuilderProcess(self.name, self.side, self.starting)


def _repeats(seconds: float) -> int:
    """Return how many runs make a round long enough for the clock, and no longer than needed."""
    seconds = max(seconds, _INSTANT)
    return max(1, min(math.ceil(_SHORTEST / seconds), math.ceil(_LONGEST / seconds)))


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
