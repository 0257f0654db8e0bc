"""Rows in two revisions: passes over all rows that are open, a look after each, until all is decided or time is up."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nqperf.errors import ConfigError, NqPerfError
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.duets import How, Pair, can_duet, halves
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.revisions.builders import BuilderProcess, RevisionProcess, Starting, package_alone
from nqperf.perf.revisions.config import DEFAULT, RevisionsConfig
from nqperf.perf.revisions.judging import MeasuresJudge
from nqperf.perf.revisions.rows import PairedRow, RowRun
from nqperf.perf.revisions.sides import Side
from nqperf.perf.workers.builder_worker import BUILDER
from nqperf.perf.workers.process import WorkerError
from nqperf.perf.workers.progress import Doing
from nqperf.records.results import Agreement, utc_now
from nqperf.records.revisions import ComparedRow, RevisionOutcome, RevisionResults
from nqperf.statistics.planning import expected_sets
from nqperf.statistics.verdicts import JudgeConfig, Plan

_CLOSE = Close()
_JUDGE = JudgeConfig.for_margin(DEFAULT.margin)
# The trial of the other way to time, and the sets of the earliest verdict, are to fit into a budget on any machine.
_SETS_WANTED = 1 + _JUDGE.first_look + _JUDGE.confirming
_AT_BUILD = " failed at Build: "
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
    A builder that only the change has is told as `new`, and is INCONCLUSIVE.
    Raises: WorkerError and ConfigError when the base, or neither side, builds or runs; what fails on the change's side
    alone is told.
    """
    require_target(target)

    def compared(base: Any, change: Any) -> tuple[Agreement, str | None, str | None]:
        return (*agree(same, base, change), None)

    with package_alone() as alone:
        starting = Starting(
            target=target,
            project=project,
            alone=alone,
            pages=config.pages,
            build_seconds=config.build_seconds,
            run_seconds=config.run_seconds,
        )
        row = PairedRow(name=target, starts=starter(sides, (starting, starting), start), same=compared)
        session = RowsSession(rows=(row,), config=config)
        session.run()
        run = session.runs[0]
        if run.base_error is not None:
            _require_new(target, run.base_error, lambda: start("change", sides[1], starting))
            return session.results(sides, new=[target])
        if run.faults and run.agreement is not None and run.agreement.changed and not run.sets:
            run.note = run.note or _unsteady(lambda: start("base", sides[0], starting), same)
    if lent := sides[0].lent:
        said = f"{lent} is not in {sides[0].record.label}: this tree's is used on both sides"
        run.note = "; ".join(filter(None, (run.note, said)))
    return session.results(sides)


def _require_new(target: str, error: NqPerfError, start: Callable[[], RevisionProcess]) -> None:
    """Raise unless the base's `error` is that it has not yet what the builder `target` is, and the change builds it.

    `start` starts the change's process. What neither side builds is no fault of the base.
    """
    its_own = _build_error(start)
    if isinstance(its_own, WorkerError) and its_own.fault is not None:
        raise ConfigError(its_own.fault)
    if its_own is not None:
        said = str(its_own)
        raise ConfigError(
            f"{target} builds neither in the base nor in this tree: {said.partition(_AT_BUILD)[2] or said}"
        )
    if not _lacks(error, target):
        raise error


def _lacks(error: NqPerfError, target: str) -> bool:
    """Return whether `error` says that a side has not yet what the builder `target` is, or imports."""
    module, _, name = target.partition(":")
    missing = ("ImportError: ", "ModuleNotFoundError: ", f"AttributeError: module '{module}' has no attribute '{name}'")
    return any(words in str(error) for words in missing)


def _build_error(start: Callable[[], RevisionProcess]) -> NqPerfError | None:
    """Return why the process that `start` starts does not get ready, None where it does."""
    try:
        process = start()
        try:
            process.ready()
        finally:
            process.end()
    except NqPerfError as error:
        return error
    return None


def _unsteady(start: Callable[[], RevisionProcess], same: Compare | Metric) -> str | None:
    """Return what to do where two processes that `start` starts, of one side, give other outputs; None where not."""
    outputs = []
    try:
        for _ in range(2):
            process = start()
            try:
                process.ready()
                outputs.append(process.output())
            finally:
                process.end()
    except NqPerfError:
        return None  # it ran before: that it does not now says nothing of its outputs
    if agree(same, *outputs)[1] is None:
        return None
    return "the base gives other outputs each time: draw its input from a fixed seed"


def starter(
    sides: tuple[Side, Side],
    startings: tuple[Starting, Starting],
    start: StartSide = BuilderProcess,
    names: tuple[str, str] = ("base", "change"),
) -> Callable[[How], Pair]:
    """Return what starts the processes of both `sides` as `startings` say, by `start`, for a way of being timed.

    `names` are what messages call them.
    """

    def starts(how: How) -> Pair:
        both = halves() if how == "duet" else (None, None)
        (base, change), (first, second) = (
            sides,
            (dataclasses.replace(one, cores=cores) for one, cores in zip(startings, both, strict=True)),
        )
        return lambda: start(names[0], base, first), lambda: start(names[1], change, second)

    return starts


def require_target(target: str) -> None:
    """Raise ConfigError unless `target` has the form of a builder's name."""
    if not BUILDER.fullmatch(target):
        raise ConfigError(f"{target!r} is no builder; expected MODULE:BUILD, as in mymodel:build")


@dataclass(slots=True, kw_only=True)
class RowsSession:
    """One comparison of `rows` while it is made, as `config` says.

    `runs` are the rows with what was found of them, `judge` judges their sets, and `began` is when it started, in
    seconds of `time.monotonic`.
    """

    rows: Sequence[PairedRow]
    config: RevisionsConfig
    runs: tuple[RowRun, ...] = field(init=False)
    judge: MeasuresJudge = field(init=False)
    began: float = field(init=False)
    _drawn: random.Random = field(init=False)
    _passes: int = 0

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        config = self.config
        how: How | None = None if config.how == "auto" else config.how
        self.runs = tuple(
            RowRun(
                row=row,
                how=how if can_duet() else "turns",
                rounds=config.rounds,
                set_seconds=config.budget / (_SETS_WANTED * len(self.rows)),
                work_margin=config.margin,
            )
            for row in self.rows
        )
        self.judge = MeasuresJudge(config=config, rows={row.name: row.measures for row in self.rows})
        self._drawn = random.Random(config.seed)  # noqa: S311  # orders, no secret

    def run(self) -> None:
        """Compare answers and work, and take sets, row by row, until all is decided or the time is up."""
        while True:
            for run in self._open():
                if self._passes and self._left() < run.seconds:
                    continue
                if not self._passes and self._spent() > self.config.budget:
                    continue  # a row that was not reached
                self._take(run)
            self._passes += 1
            last = not self._another_fits()
            if any(run.sets for run in self.runs):
                self.judge.look_at({run.name: run.sets for run in self.runs}, self._plan(time_is_up=last))
            if last or not self._open():
                return

    def _take(self, run: RowRun) -> None:
        left, since = self._left(), time.perf_counter()

        def tell(stage: str) -> None:
            seconds = left - (time.perf_counter() - since)
            self.config.progress(Doing(stage=stage, name=run.name, pairs=len(run.sets), left=seconds))

        tell("set")
        # Once answers differ somewhere nobody asks for speeds; the answers of the others are worth knowing.
        differ = any(one.faults and not one.sets for one in self.runs)
        run.take(self._drawn.randrange(1 << 32), timed=not differ, tell=tell)

    def _open(self) -> list[RowRun]:
        """Return the rows of which a further set may decide something."""
        if self._passes and any(one.faults and not one.sets for one in self.runs):
            return []
        return [run for run in self.runs if not run.ended and self.judge.is_open(run.name)]

    def _spent(self) -> float:
        return max(time.monotonic() - self.began, 1e-3)

    def _left(self) -> float:
        return self.config.budget - self._spent()

    def _another_fits(self) -> bool:
        """Return whether a further pass over the rows that are open fits into the budget."""
        return sum(run.seconds for run in self._open()) <= self._left()

    def _plan(self, *, time_is_up: bool) -> Plan:
        """Return how many passes there will be in all, by what those so far took."""
        fit = int(self.config.budget * self._passes / self._spent())
        return Plan(sets=expected_sets(self._passes, fit), time_is_up=time_is_up)

    def results(self, sides: tuple[Side, Side], new: Sequence[str] = (), gone: Sequence[str] = ()) -> RevisionResults:
        """Return the record of a comparison of these `sides`; `new` and `gone` are rows that only one of them has."""
        rows = tuple(map(self._row, self.runs))
        outcomes = {row.outcome for row in rows}
        outcome: RevisionOutcome = (
            "FAIL"
            if "FAIL" in outcomes
            else "PASS"
            if outcomes <= {"PASS", None} and "PASS" in outcomes
            else "INCONCLUSIVE"
        )
        base, change = sides
        return RevisionResults(
            command=self.config.command,
            created=utc_now(),
            fingerprint=take_fingerprint(),
            base=base.record,
            change=change.record,
            outcome=outcome,
            rows=rows,
            new=tuple(new),
            gone=tuple(gone),
            pages=self.config.pages,
            seconds=time.monotonic() - self.began,
        )

    def _row(self, run: RowRun) -> ComparedRow:
        judged = self.judge.judged(run.name, run.sets)
        slower = [f"{one.measure}: {100 * (one.ratio - 1):.1f} % more" for one in judged if one.word == "SLOWER"]
        reasons = (*run.faults, *slower)
        word = next((one.word for one in judged if one.measure == "time"), None)
        outcome: RevisionOutcome | None = (
            "FAIL" if reasons else "INCONCLUSIVE" if word in {None, "INCONCLUSIVE"} else "PASS"
        )
        note = run.note
        if run.base_error is not None:
            outcome, note = None, f"the base fails: {run.base_error}"
        elif not reasons and run.agreement is None:
            note = "not measured: the time was up"
        elif not reasons and not run.sets:
            note = "its answers are the same; nothing was timed, for those of another row differ"
        return ComparedRow(
            name=run.name,
            outcome=outcome,
            reasons=reasons,
            note=note,
            agreement=run.agreement,
            work=run.work,
            work_changes=run.work_change.said,
            judged=judged,
            sets=tuple(run.sets),
        )
