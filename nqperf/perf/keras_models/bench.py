"""A user's own Keras model in every row of the table that TensorFlow runs: outputs first, then the speed in sets."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.errors import ParityError
from nqperf.formats.files import sha256_of
from nqperf.perf.keras_models.choosing import QUICK_SETS, in_order, that_fit
from nqperf.perf.keras_models.config import KerasBenchConfig
from nqperf.perf.keras_models.outputs import evidence_fault
from nqperf.perf.keras_models.session import KerasSession
from nqperf.perf.machine.examination import (
    device_fingerprint,
    look_at_machine,
    require_device,
    seen_by,
)
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.looks import Measurement, controls_of, row_verdicts
from nqperf.perf.measuring.sets import Conduct, Process
from nqperf.perf.suite.baseline import probe_seconds
from nqperf.perf.suite.conduct import Memory, loads_side_by_side
from nqperf.perf.suite.outcome import Known, row_of, short_of_sets, skipped_row, unreached_text
from nqperf.perf.suite.processes import VariantProcess
from nqperf.perf.suite.suite import SuiteRun, on_pages
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.keras_worker import INPUTS
from nqperf.perf.workers.progress import Doing, Progress, SetFinished, silent
from nqperf.records.results import BASELINE, OWN_MODEL, Fingerprint, Results, Size, Subject, VariantResult, utc_now
from nqperf.records.verdict import judge_run


def bench_keras_model(config: KerasBenchConfig, progress: Progress = silent) -> SuiteRun:
    """Run a model in its rows as `config` says; `progress` is told what is done, never while a row is timed.

    Raises: NqPerfError for bad input, and when the baseline itself cannot run or be trusted; OutOfTimeError when the
    budget has no room for one set. A row that cannot run the model is passed over unless it was asked for.
    """
    started = time.perf_counter()
    suite = config.suite
    with tempfile.TemporaryDirectory(prefix="nqperf-") as folder:
        session = KerasSession(
            config=config,
            folder=Path(folder),
            batch_size=suite.batch_size or (GPU_BATCH if device_fingerprint().gpus else CPU_BATCH),
            budget=Budget(seconds=suite.budget, spent=suite.spent),
            pages=suite.pages or "huge",
            progress=lambda stage, name: progress(Doing(stage=stage, name=name)),
        )
        rows = config.rows()
        engines = {row.engine for row in rows}
        machine = look_at_machine(engines=engines, timeout=probe_seconds(suite.budget))
        require_device(suite.require, machine)
        machine = seen_by(machine, session.start_baseline())
        data = sha256_of(Path(folder) / INPUTS)
        absent = {row.name: why for row in rows if (why := row.missing(machine, named=row.name in config.asked))}
        known = Known(machine=machine, absent=absent, floors={})
        on_gpu = bool(machine.fingerprint.gpus)
        run = _Run(session=session, variants=rows, known=known, on_gpu=on_gpu, progress=progress)
        run.choose()
        run.measure()
    fingerprint = on_pages(machine.fingerprint, session.pages_seen)
    results = _results(run, fingerprint, data)
    spent = session.workshop.seconds
    total = time.perf_counter() - started
    other = total - spent["models"] - spent["start"]
    return SuiteRun(
        results=results,
        predictions={},
        seconds={"total": total, **spent, "other": other},
        interrupted=run.measured.interrupted if run.measured else None,
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    """The rows of one run on their way to the record."""

    session: KerasSession
    variants: Sequence[Variant]
    known: Known
    on_gpu: bool
    progress: Progress
    chosen: tuple[Variant, ...] = ()
    measured: Measurement | None = None
    _since: float = field(default_factory=time.perf_counter)

    def choose(self) -> None:
        """Choose the rows that one set has time for; with --quick and none asked for, those that two sets have.

        Raises: OutOfTimeError when there is no time for a set of one row.
        """
        session = self.session
        able = (row for row in self.variants if row.name not in self.known.absent)
        likely = in_order(able, on_gpu=self.on_gpu, wanted_first=self._few)
        sets, left = QUICK_SETS if self._few else 1, session.budget.left()
        count = that_fit(len(likely), sets=sets, left=left, set_seconds=session.set_seconds)
        if likely:
            session.budget.require(session.set_seconds(1), "one set of processes")
        names = {row.name for row in likely[:count]}
        self.chosen = tuple(row for row in self.variants if row.name in names)

    @property
    def _few(self) -> bool:
        """Whether nobody named rows, and few with an interval are worth more than all without."""
        return self.session.config.quick and not self.session.config.asked

    def given_up(self) -> Iterator[str]:
        """Yield why rows of the table were not reached, and why rows of the inputs were not run, a line each."""
        unreached = [row.name for row in self.rows() if row.status == "unjudged"]
        if unreached and self._few:
            rows = ", ".join(unreached)
            yield f"not measured, to have two sets of the other rows in the time (--variants names rows): {rows}"
        elif unreached:
            yield unreached_text(unreached, self.session.budget, self.session.set_seconds(len(unreached)))
        if self.measured is not None:
            yield from short_of_sets(self.measured)
        loaded = self.session.loaded
        if loaded is not None:
            yield from self.session.config.rows_left(loaded.rows, loaded.given, loaded.batch_size)

    def measure(self) -> None:
        """Take the sets."""
        session, suite = self.session, self.session.config.suite
        self.measured = measured = Measurement(
            baseline=session.baseline_starter(),
            starts=session.starters(self.chosen),
            rows=lambda: session.judged_rows(self.chosen),
            gate=suite.gate,
            budget=session.budget,
            speed=session.speed,
            conduct=_Conduct(
                session=session,
                variants={row.name: row for row in self.chosen},
                on_gpu=self.on_gpu,
                told=self._tell_round,
            ),
            seed=random.SystemRandom().getrandbits(32) if suite.seed is None else suite.seed,
            told=self._tell_look,
        )
        if self.chosen:
            measured.run()

    def rows(self) -> tuple[VariantResult, ...]:
        """Return every row but the baseline."""
        measured = self.measured
        assert measured is not None, "measure comes first"  # noqa: S101
        verdicts = row_verdicts(measured)
        found = []
        for variant in self.variants:
            lost = measured.lost.get(variant.name)
            why = self.known.absent.get(variant.name) or (lost and self.session.lost(variant.name, lost))
            if why:
                found.append(skipped_row(variant, why))
            else:
                run = self.session.run_of(variant)
                found.append(row_of(run, verdicts.get(variant.name), measured, self.known))
        return tuple(found)

    def _tell_round(self, number: int) -> None:
        if self.measured is not None:
            doing = f"{number + 1} of {self.measured.rounds}, set {len(self.measured.taken) + 1}"
            self.progress(Doing(stage="round", name=doing))

    def _tell_look(self, measured: Measurement) -> None:
        if measured.judgement is None:
            return
        now = time.perf_counter()
        number, left = len(measured.estimates), measured.sets_left()
        self.progress(SetFinished(number=number, left=left, rows=measured.judgement.rows, seconds=now - self._since))
        self._since = now


@dataclass(slots=True, kw_only=True)
class _Conduct(Conduct):
    """What is done in a set beside the rounds: a row is looked at and compared before its first, and after its last."""

    session: KerasSession
    variants: dict[str, Variant]
    on_gpu: bool
    told: Callable[[int], None]
    memory: Memory = field(default_factory=Memory)
    _inside: int = 0

    def begins(self) -> None:
        """Count the processes anew."""
        self._inside = 0

    def refuses(self, name: str) -> str | None:
        """Return why a row is not to be started now: too little time, or too little memory beside the others."""
        session = self.session
        if name in self.variants and not session.could_run(name) and session.budget.left() < session.speed.start:
            return f"out of time: {max(session.budget.left(), 0.0):.0f} s were left"
        return self.memory.refuses(name, self._inside)

    def loads_together(self, names: tuple[str, ...]) -> bool:
        """Return whether the processes of the rows `names` may load at once: they have cores and memory for it."""
        return not self.on_gpu and loads_side_by_side(self.memory, names, self._inside)

    def started(self, name: str, process: Process) -> None:
        """Look at a row's states and outputs, the first time; wrong outputs are only noted, and it is timed.

        Raises: NqPerfError when a switch had no effect or the process fails.
        """
        self._inside += 1
        if not isinstance(process, VariantProcess) or name not in self.variants or self.session.could_run(name):
            return
        run = self.session.run_of(self.variants[name])
        run.warmed = process.warmed
        self.session.observe(run, process)
        self._check(name, process)

    def goes_on(self, rounds: int) -> bool:
        """Return whether there is time for a further round; one is taken whatever it takes."""
        return not rounds or self.session.budget.left() > (self._inside + 1) * self.session.speed.turn

    def before_round(self, number: int) -> None:
        """Tell of it."""
        self.told(number)

    def over(self, name: str, process: Process) -> None:
        """Compare a row's outputs once more."""
        if isinstance(process, VariantProcess) and name in self.variants:
            self._check(name, process)

    def _check(self, name: str, process: VariantProcess) -> None:
        run = self.session.run_of(self.variants[name])
        try:
            self.session.check(run, process)
        except ParityError as error:
            run.failure = run.failure or error


def _results(run: _Run, fingerprint: Fingerprint, data: str) -> Results:
    """Return the record of a run."""
    session, measured, rows = run.session, run.measured, run.rows()
    assert measured is not None  # noqa: S101  # as `rows` has it
    loaded = session.loaded
    assert loaded is not None  # noqa: S101  # the baseline was started
    controls = controls_of(measured, row_verdicts(measured), session.planted)
    verdict = judge_run(
        {row.name: row.verdict.outcome for row in rows if row.verdict and row.status == "measured"},
        expected=(),
        controls=controls,
        failed=[row.name for row in rows if row.status == "failed"],
        proves_nothing=evidence_fault(session.expected),
        interrupted=bool(measured.interrupted),
    )
    config = session.config
    broken = tuple(f"the baseline's process was lost: {error}" for error in measured.broken)
    stopped = ("the measuring was interrupted: what was known by then",) if measured.interrupted else ()
    workload: dict[str, Size] = {"batch_size": loaded.batch_size, OWN_MODEL: _shapes(loaded.shapes)}
    return Results(
        command=config.suite.command,
        created=utc_now(),
        fingerprint=fingerprint,
        model=Subject(name=config.target, counts={"parameters": loaded.parameters}),
        data=Subject(
            name=config.inputs.name if config.inputs else "inputs drawn from its specs",
            sha256=data,
            counts={"rows": loaded.rows},
        ),
        workload=workload,
        profile=None,
        variants=(session.runs[BASELINE].record(), *rows),
        controls=controls,
        judged=verdict.judged,
        expected=verdict.expected,
        outcome="FAIL" if broken and verdict.outcome != "INVALID" else verdict.outcome,
        reasons=(*broken, *stopped, *verdict.reasons),
        given_up=tuple(run.given_up()),
        sets=measured.record(),
        budget=config.suite.budget if math.isfinite(config.suite.budget) else None,
    )


def _shapes(shapes: dict[str, str]) -> str:
    return "; ".join(f"{name} {shape}".strip() for name, shape in shapes.items())
