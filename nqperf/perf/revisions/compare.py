"""One builder in two revisions: the same answers first, then time, memory and start, in sets of fresh processes."""

from __future__ import annotations

import dataclasses
import math
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import numpy as np

from nqperf.errors import ConfigError
from nqperf.perf.machine.environment import Pages, check_pages
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.duets import How, Pair, PairsAlive, can_duet, halves, started_pairs
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.revisions.sides import BuilderProcess, RevisionProcess, Side, Starting, package_alone
from nqperf.perf.workers.progress import Doing, Progress, silent
from nqperf.records.results import Agreement, utc_now
from nqperf.records.revisions import Judged, Measure, MeasuredSet, RevisionOutcome, RevisionResults, Word
from nqperf.statistics.judge import look
from nqperf.statistics.location import SetEstimate, set_estimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Judgement, Plan, RowVerdict

_CLOSE = Close()
_MEASURES: tuple[Measure, ...] = ("time", "memory", "start")
_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
# Rounds of a duet whose log ratios scatter by less are a quiet machine's.
_QUIET = 0.03
# A clock's grain and a call's own time are small beside a round of this many seconds.
_SHORTEST = 0.05
_LONGEST = 2.0
_INSTANT = 1e-8
_FEWEST_SETS = 3
# The SD of a normal beside the median distance from its median.
_MAD = 1.4826


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
# Starts a side's process, which is told its name; NqPerfError when it cannot.
StartSide = Callable[[str, Side, Starting], RevisionProcess]


def compare_revisions(
    target: str,
    sides: tuple[Side, Side],
    project: Path,
    same: Compare | Metric = _CLOSE,
    config: RevisionsConfig = DEFAULT,
    start: StartSide = BuilderProcess,
) -> RevisionResults:
    """Hold `target`, a builder "module:function", of the second side against that of the first.

    `project` is the folder of the change's files. Outputs are compared by `same` before anything is timed. `start`
    starts a side's process.
    Raises: WorkerError and ConfigError when the base does not build or run; what fails on the change's side is told.
    """
    require_target(target)
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
        session = _Session(sides=sides, starting=starting, same=same, config=config, began=began, start=start)
        session.run()
    return session.results(target)


def require_target(target: str) -> None:
    """Raise ConfigError unless `target` has the form of a builder's name."""
    if not _TARGET.fullmatch(target):
        raise ConfigError(f"{target!r} is no builder; expected MODULE:BUILD, as in mymodel:build")


@dataclass(slots=True, kw_only=True)
class _Session:
    """One comparison while it is made."""

    sides: tuple[Side, Side]
    starting: Starting
    same: Compare | Metric
    config: RevisionsConfig
    began: float
    start: StartSide
    sets: list[MeasuredSet] = field(default_factory=list)
    agreement: Agreement | None = None
    judgements: dict[Measure, Judgement | None] = field(default_factory=lambda: dict.fromkeys(_MEASURES))
    faults: list[str] = field(default_factory=list)
    how: How | None = None
    repeats: int = 1
    drawn: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.drawn = random.Random(self.config.seed)  # noqa: S311  # orders, no secret
        if self.config.how != "auto":
            self.how = self.config.how
        elif not can_duet():
            self.how = "turns"

    def run(self) -> None:
        """Compare the answers, then take sets until all is decided or the time is up."""
        while True:
            self._take_one(self._next())
            if self.faults:
                return
            if self.how is None and not self._choose():
                continue
            last = not self._another_fits()
            self._judge(time_is_up=last)
            if last or not any(judged is not None and judged.open_rows for judged in self.judgements.values()):
                return

    def _next(self) -> How:
        """Return how the next set is timed: as was chosen; before that at once first, and then in turns."""
        return self.how or ("turns" if self.sets else "duet")

    def _choose(self) -> bool:
        """Choose how to time, once the sets so far tell; return whether they do.

        On a quiet machine a duet is the better way. Where its rounds scatter, turns are tried beside it, and what gives
        the smaller variance times seconds is taken; the other's set is left out, for its ratio is another quantity.
        """
        scatter = _scatter(self.sets[0])
        if len(self.sets) == 1 and scatter <= _QUIET:
            self.how = "duet"
        elif len(self.sets) > 1:
            costs = [
                _scatter(taken) ** 2 * (statistics.median(taken.base) * rounds)
                for taken, rounds in zip(self.sets, (1, 2), strict=True)
            ]
            self.how = "turns" if costs[1] < costs[0] else "duet"
            self.sets = [taken for taken in self.sets if taken.how == self.how]
        return self.how is not None

    def _take_one(self, how: How) -> None:
        """Take a set whose processes are started for being timed so."""
        target = self.starting.target
        self.config.progress(Doing(stage="set", name=target, pairs=len(self.sets)))
        with started_pairs({target: self._starts(how)}, seed=self.drawn.randrange(1 << 32)) as alive:
            self._take(alive, how)

    def _starts(self, how: How) -> Pair:
        base, change = self.sides
        both = halves() if how == "duet" else (None, None)
        first, second = (dataclasses.replace(self.starting, cores=cores) for cores in both)
        return lambda: self.start("base", base, first), lambda: self.start("change", change, second)

    def _take(self, alive: PairsAlive, how: How) -> None:
        """Take one set; at the first, the answers come before."""
        row = alive.rows[self.starting.target]
        if self._lost(alive):
            return
        base, change = (cast("RevisionProcess", row.sides[side]) for side in ("base", "change"))
        if self.agreement is None:
            self.agreement, fault = agree(self.same, base.output(), change.output())
            if fault is not None:
                self.faults.append(f"the answers differ: {fault}")
                return
        if not self.sets:
            self.repeats = runs_of_a_round(max(base.warm_up_seconds, change.warm_up_seconds))
        for process in (base, change):
            process.repeat(self.repeats)
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
                starts=(base.start_seconds, change.start_seconds),
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
        if self.agreement is None:
            # What neither side has is a fault of the call, not of the change.
            self.start("base", self.sides[0], self.starting).end()
        self.faults.append(f"the change fails: {error}")
        return True

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


def runs_of_a_round(seconds: float) -> int:
    """Return how many runs make a round long enough for the clock, and no longer than needed."""
    seconds = max(seconds, _INSTANT)
    return max(1, min(math.ceil(_SHORTEST / seconds), math.ceil(_LONGEST / seconds)))


def _scatter(taken: MeasuredSet) -> float:
    """Return the robust SD of the rounds' log ratios in a set."""
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
