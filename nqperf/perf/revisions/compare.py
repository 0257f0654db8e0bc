"""One builder in two revisions: the same answers first, then time, memory and start, in sets of fresh processes."""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from nqperf.errors import ConfigError
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.duets import How, Pair, PairsAlive, can_duet, halves, started_pairs
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.revisions.builders import BuilderProcess, RevisionProcess, Starting, package_alone
from nqperf.perf.revisions.config import DEFAULT, RevisionsConfig
from nqperf.perf.revisions.judging import MeasuresJudge, round_scatter
from nqperf.perf.revisions.sides import Side
from nqperf.perf.workers.builder_worker import BUILDER
from nqperf.perf.workers.progress import Doing
from nqperf.records.results import Agreement, utc_now
from nqperf.records.revisions import MeasuredSet, RevisionOutcome, RevisionResults
from nqperf.statistics.verdicts import Plan

_CLOSE = Close()
# Rounds of a duet whose log ratios scatter by less are a quiet machine's.
_QUIET = 0.03
# A clock's grain and a call's own time are small beside a round of this many seconds.
_SHORTEST = 0.05
_LONGEST = 2.0
_INSTANT = 1e-8
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

    `sides` are base and change, `config` says how they are measured. `project` is the folder of the change's files.
    Outputs are compared by `same` before anything is timed. `start` starts a side's process.
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
    if not BUILDER.fullmatch(target):
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
    judge: MeasuresJudge = field(init=False)
    faults: list[str] = field(default_factory=list)
    how: How | None = None
    repeats: int = 1
    drawn: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.judge = MeasuresJudge(config=self.config)
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
            self.judge.look_at(self.sets, self._plan(time_is_up=last))
            if last or not self.judge.is_open:
                return

    def _next(self) -> How:
        """Return how the next set is timed: as was chosen; before that at once first, and then in turns."""
        return self.how or ("turns" if self.sets else "duet")

    def _choose(self) -> bool:
        """Choose how to time, once the sets so far tell; return whether they do.

        On a quiet machine a duet is the better way. Where its rounds scatter, turns are tried beside it, and what gives
        the smaller variance times seconds is taken; the other's set is left out, for its ratio is another quantity.
        """
        scatter = round_scatter(self.sets[0])
        if len(self.sets) == 1 and scatter <= _QUIET:
            self.how = "duet"
        elif len(self.sets) > 1:
            costs = [
                round_scatter(taken) ** 2 * (statistics.median(taken.base) * rounds)
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

    def _plan(self, *, time_is_up: bool) -> Plan:
        """Return how many sets there will be in all, by what those so far took."""
        spent = max(time.monotonic() - self.began, 1e-3)
        return Plan(sets=max(len(self.sets), int(self.config.budget * len(self.sets) / spent)), time_is_up=time_is_up)

    def _another_fits(self) -> bool:
        """Return whether another set fits into the budget."""
        spent = time.monotonic() - self.began
        return spent * (1 + 1 / len(self.sets)) <= self.config.budget

    def results(self, target: str) -> RevisionResults:
        """Return the record."""
        judged = self.judge.judged(self.sets)
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


def runs_of_a_round(seconds: float) -> int:
    """Return how many runs of so many `seconds` make a round long enough for the clock, and no longer than needed."""
    seconds = max(seconds, _INSTANT)
    return max(1, min(math.ceil(_SHORTEST / seconds), math.ceil(_LONGEST / seconds)))
