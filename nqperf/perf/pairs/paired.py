"""Any two ways to do the same work: the results first, then the speed in sets, with the gate's controls.

The steps are those of the suite; what is compared are two callables, or two builders that run in processes of their
own, new ones in each set.
"""

# Long: one comparison from its call to its record, in order.
from __future__ import annotations

import dataclasses
import math
import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from nqperf.engines.threads import available_cores
from nqperf.errors import ConfigError, NqPerfError, OutOfTimeError, ParityError
from nqperf.perf.machine.environment import Pages, check_pages
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.machine.git_command import commit_at
from nqperf.perf.measuring.budget import Budget, Speed
from nqperf.perf.measuring.limits import Limits, TooSlowError
from nqperf.perf.measuring.looks import Measurement, controls_of, row_verdicts
from nqperf.perf.measuring.planting import PLANTED as PLANTED_SHARE
from nqperf.perf.measuring.sets import Conduct, Process, Start
from nqperf.perf.measuring.work import LEAD_IN
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.pairs.sides import Patience, Side, SideStarter, Way, way_of
from nqperf.perf.workers.process import WorkerError
from nqperf.perf.workers.progress import Doing, Progress, SetFinished, silent
from nqperf.records.profiles import PAGES
from nqperf.records.results import (
    BASELINE,
    PLANTED,
    SAME,
    Agreement,
    Controls,
    Fingerprint,
    Results,
    Size,
    Subject,
    Switch,
    VariantResult,
    utc_now,
)
from nqperf.records.verdict import QUICK_GATE, REFERENCE_GATE, GateConfig, judge_run, too_slow
from nqperf.statistics.sets import Floor, Row

_LONGEST = 10  # as a multiple of what a round takes at least
_SPEED_ROUNDS = 3
_INSTANT = 1e-8  # less than any clock can tell
_CLOSE = Close()
_QUICK_SECONDS = 20.0
_HERE = (
    'timed in this process, so what one process\'s memory adds is not averaged out; name builders "module:function" '
    "to have new processes in each set"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedConfig:
    """How a comparison is measured; units: seconds.

    Fields:
        gate: How it is judged, and how much is measured for it.
        seconds: No round begins after so many; it ends sooner where all is decided.
        shortest: A round repeats work that takes less than this.
        build_seconds: A worker may take so long to build, to warm up and to give its output, at the most.
        run_seconds: A worker may take so long for a round, at the most.
        pages: The kind of memory pages that workers ask for, "huge" or "plain".
        sizes: What speed-ups depend on: `nqperf compare` refuses runs of other sizes.
        command: What the record says the comparison was started by.
        progress: Told what is done.
        seed: The seed of the orders; None draws one.

    Raises: ConfigError when a number is out of range.
    """

    gate: GateConfig = REFERENCE_GATE
    seconds: float = 60.0
    shortest: float = 0.05
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    pages: Pages = "huge"
    sizes: Mapping[str, Size] = field(default_factory=dict)
    command: str = ""
    progress: Progress = silent
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "build_seconds", "run_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0")
        if not 0 <= self.shortest < math.inf:
            raise ConfigError(f"shortest is {self.shortest}; expected 0 or more")
        check_pages(self.pages)

    def quick(self) -> PairedConfig:
        """Return the same with fewer sets and less time, and more INCONCLUSIVE."""
        return dataclasses.replace(self, gate=QUICK_GATE, seconds=min(self.seconds, _QUICK_SECONDS))


DEFAULT = PairedConfig()


def paired(  # a name each; a config holds the rest
    baseline: Any,
    candidate: Any,
    *,
    floor: float | None = 1.0,
    same: Compare | Metric = _CLOSE,
    name: str = "candidate",
    config: PairedConfig = DEFAULT,
) -> Results:
    """Hold `candidate` to `baseline` and return the record: the same results, then a speed-up of at least `floor`.

    Each is a callable without arguments, a `Work`, or a builder "module:function" that returns one of these and runs in
    processes of its own, new ones in each set. Outputs are copied as they are made and given to `same` as NumPy arrays;
    a candidate that is wrong is never timed, and after the last round of each set the outputs are compared again. A
    `same` that takes an output with every value changed for the same compares nothing, and the candidate fails. Without
    a floor (None) the ratio is only reported. `name` is what the candidate is called in the record, and `config` how it
    is measured.

    Raises: ConfigError for bad input, before anything runs; WorkerError when the baseline's builder fails; what a
    callable of this process or `same` raises; KeyboardInterrupt.
    """
    session = _session(baseline, candidate, floor, name, config)
    session.check(same)
    if session.failure is None:
        session.measure(same)
    return session.results()


def compare_outputs(
    baseline: Any, candidate: Any, *, same: Compare | Metric = _CLOSE, config: PairedConfig = DEFAULT
) -> Agreement:
    """Return how far the outputs of `baseline` and `candidate` agree by `same`; nothing is judged by its time.

    Each may be what `paired` takes; `config` says how long a builder may take.

    Raises: ParityError when they are not the same; ConfigError, WorkerError and others as `paired` does.
    """
    session = _session(baseline, candidate, None, "candidate", config)
    session.check(same)
    if session.failure is not None:
        raise session.failure
    assert session.agreement is not None  # noqa: S101  # it is what `check` finds, or fails without
    return session.agreement


def _session(baseline: Any, candidate: Any, floor: float | None, name: str, config: PairedConfig) -> _Session:
    """Return what is compared in; nothing has run yet.

    Raises: ConfigError for bad input.
    """
    patience = Patience(build=config.build_seconds, run=config.run_seconds, pages=config.pages)
    ways = (
        way_of(baseline, origin="the baseline", patience=patience),
        way_of(candidate, origin="the candidate", patience=patience),
    )
    if ways[0].fresh != ways[1].fresh:
        raise ConfigError(
            f"one of {ways[0].label} and {ways[1].label} is a builder; expected two builders or two callables, for a "
            "process of its own is no fair match for this one"
        )
    if floor is not None and not (isinstance(floor, int | float) and 0 < floor < math.inf):
        raise ConfigError(f"floor is {floor!r}; expected a speed-up above 0, or None")
    if not name or name in {BASELINE, SAME, PLANTED}:
        raise ConfigError(f"the candidate's name is {name!r}; expected another one than {BASELINE!r} or a control's")
    return _Session(baseline=ways[0], candidate=ways[1], floor=floor, name=name, config=config, patience=patience)


@dataclass(slots=True, kw_only=True)
class _Session:
    """One comparison: the results of the two sides, and then their times."""

    baseline: Way
    candidate: Way
    floor: float | None
    name: str
    config: PairedConfig
    patience: Patience
    agreement: Agreement | None = None
    failure: NqPerfError | None = None
    expected: Any = None
    repeats: int = 1
    warm_up_seconds: float | None = None
    speed: Speed = field(default_factory=lambda: Speed(start=0.0, batch=0.0))
    measured: Measurement | None = None
    planted: list[float] = field(default_factory=list)
    watched: set[str] = field(default_factory=set)
    pages: str = "plain"

    def check(self, same: Compare | Metric) -> None:
        """Compare the results of the two sides, before anything is timed; what is wrong stands in `failure`."""
        with ExitStack() as stack:
            began = time.perf_counter()
            base = self._start(stack, self.baseline, BASELINE)
            started = time.perf_counter() - began
            self.expected, self.pages = base.output(), base.pages
            self.patience.limits = Limits.of(start=started, batch=base.warm_up_seconds)
            try:
                side = self._start(stack, self.candidate, self.name)
                self.agreement, fault = agree(same, self.expected, side.output())
                if fault is None:
                    _, fault = agree(same, self.expected, side.output_anew(base))
                    fault = fault and f"computed anew: {fault}"
                if fault is not None:
                    raise ParityError(f"parity: {fault}")  # noqa: TRY301  # told in the row like the others
            except (WorkerError, TooSlowError, ParityError) as error:
                self.failure = error
                return
            self.repeats = _repeats(self.config.shortest, base, side)
            self.warm_up_seconds = side.warm_up_seconds
            for one in (base, side):
                one.repeat(self.repeats)
            run = min(base.batch(number) for number in range(_SPEED_ROUNDS))
        lead_in = LEAD_IN if self.baseline.fresh else 0.0
        self.speed = Speed(start=started, batch=run, batches=self.repeats, lead_in=lead_in)
        self.patience.limits = Limits.of(start=started, batch=run * self.repeats + lead_in)

    def measure(self, same: Compare | Metric) -> None:
        """Take the sets.

        Raises: the signal that ended them.
        """
        self.measured = measured = Measurement(
            baseline=self._starter(self.baseline, BASELINE),
            starts={
                self.name: self._starter(self.candidate, self.name),
                SAME: self._starter(self.baseline, SAME),
                PLANTED: self._starter(self.baseline, PLANTED, planted=PLANTED_SHARE),
            },
            rows=self._rows,
            gate=self.config.gate,
            budget=Budget(seconds=self.config.seconds),
            speed=self.speed,
            conduct=_Comparing(session=self, same=same, on_gpu=bool(take_fingerprint().gpus)),
            seed=random.SystemRandom().getrandbits(32) if self.config.seed is None else self.config.seed,
            told=self._tell,
        )
        measured.run()
        if measured.interrupted is not None:
            raise measured.interrupted
        lost = measured.lost.get(self.name)
        if lost is not None and not isinstance(lost, OutOfTimeError):
            self.failure = lost

    def results(self) -> Results:
        """Return the record."""
        row, controls = self._row(), self._controls()
        broken = [f"the baseline was lost: {error}" for error in self.measured.broken] if self.measured else []
        verdict = judge_run(
            {row.name: row.verdict.outcome} if row.verdict and row.status == "measured" else {},
            expected=(self.name,) if self.floor is not None else (),
            controls=controls,
            failed=[row.name] if row.status == "failed" else [],
        )
        told = {f"failed: {self.name}": f"{self.name}: {row.reason}"}
        reasons = [told.get(reason, reason) for reason in verdict.reasons]
        if row.verdict and row.verdict.outcome == "FAIL" and row.note:
            reasons.append(f"{self.name}: FAIL, {row.note}")
        return Results(
            command=self.config.command,
            created=utc_now(),
            fingerprint=self._fingerprint(),
            model=Subject(name=self.name),
            data=Subject(name="its own input"),
            workload=dict(self.config.sizes),
            profile=None,
            variants=(VariantResult(name=BASELINE, status="measured", requested={"run": self.baseline.label}), row),
            controls=controls,
            judged=verdict.judged,
            expected=verdict.expected,
            outcome="FAIL" if broken and verdict.outcome != "INVALID" else verdict.outcome,
            reasons=(*broken, *reasons),
            sets=self.measured.record() if self.measured else (),
        )

    def compare_again(self, same: Compare | Metric, name: str, side: Side) -> None:
        """Compare a side's output with the baseline's first one, after the last round of a set."""
        self.watched.update(side.watched)
        _, fault = agree(same, self.expected, side.output())
        if fault is not None:
            who = "the baseline's own output is another one" if name == BASELINE else "the outputs differ"
            raise ParityError(f"parity: after the last round {who}: {fault}")

    def _start(self, stack: ExitStack, way: Way, name: str) -> Side:
        side = SideStarter(way=way, name=name, told=self._starting, prepare=lambda _: None)()
        stack.callback(side.end)
        return side

    def _starter(self, way: Way, name: str, planted: float = 0.0) -> Start:
        def prepare(side: Side) -> None:
            side.repeat(self.repeats)
            if planted:
                self.planted.append(side.plant(planted))

        return SideStarter(way=way, name=name, told=self._starting, prepare=prepare)

    def _starting(self, name: str) -> None:
        self.config.progress(Doing(stage="start", name=name))

    def _rows(self) -> tuple[Row, ...]:
        share = sum(self.planted) / len(self.planted) if self.planted else PLANTED_SHARE
        floor = None if self.floor is None else Floor(ratio=float(self.floor))
        return (
            Row(name=self.name, floor=floor),
            Row(name=SAME, role="same"),
            Row(name=PLANTED, role="planted", planted=share),
        )

    def _row(self) -> VariantResult:
        """Return the candidate's row."""
        requested: dict[str, Switch] = {"run": self.candidate.label, "own process": self.candidate.fresh}
        verdict = row_verdicts(self.measured).get(self.name) if self.measured else None
        failure, note = self.failure, None if self.candidate.fresh else _HERE
        if isinstance(failure, TooSlowError) and verdict is None:
            verdict = too_slow(self.floor, failure.times or 1.0, self.config.gate.judge)
            failure, note = None, str(failure)
        elif failure is None and verdict is None:
            failure = WorkerError("; ".join(str(one) for one in self.measured.broken)) if self.measured else None
        return VariantResult(
            name=self.name,
            status="failed" if failure else "measured",
            reason=str(failure) if failure else None,
            requested=requested,
            observed={"taken off while timed": ", ".join(sorted(self.watched))} if self.watched else {},
            agreement=self.agreement,
            warm_up_seconds=self.warm_up_seconds,
            samples=self.measured.samples(self.name) if self.measured else (),
            verdict=verdict,
            note=note,
        )

    def _controls(self) -> Controls:
        if self.measured is None:
            return Controls(same=None, planted=None)
        return controls_of(self.measured, row_verdicts(self.measured), self.planted)

    def _fingerprint(self) -> Fingerprint:
        fingerprint = take_fingerprint()
        others = {} if self.measured is None else self.measured.others
        fingerprint = fingerprint.and_observed({**commit_at(Path.cwd()), **others})
        if self.pages == "plain":
            return fingerprint
        return msgspec.structs.replace(fingerprint, states={**fingerprint.states, PAGES: self.pages})

    def _tell(self, measured: Measurement) -> None:
        if measured.judgement is not None:
            number, left = len(measured.estimates), measured.sets_left()
            self.config.progress(SetFinished(number=number, left=left, rows=measured.judgement.rows, seconds=0.0))


@dataclass(slots=True, kw_only=True)
class _Comparing(Conduct):
    """A comparison's conduct: rounds as long as there is time, and the outputs once more after them."""

    session: _Session
    same: Compare | Metric
    on_gpu: bool

    def loads_together(self, names: tuple[str, ...]) -> bool:
        """Return whether the processes of the rows `names` may build at once: each has a core, and no GPU is shared."""
        return not self.on_gpu and available_cores() >= len(names)

    def goes_on(self, rounds: int) -> bool:
        """Return whether there is time for a further round; one is taken whatever it takes."""
        measured = self.session.measured
        return not rounds or measured is None or measured.budget.left() > 0

    def over(self, name: str, process: Process) -> None:
        """Compare the outputs again.

        Raises: ParityError when they are others than before.
        """
        if name in {BASELINE, self.session.name}:
            self.session.compare_again(self.same, name, cast("Side", process))


def _repeats(shortest: float, base: Side, side: Side) -> int:
    """Return how many runs make a round of the faster side long enough for the clock, and the slower's not long."""
    fast, slow = sorted(max(one.warm_up_seconds, _INSTANT) for one in (base, side))
    return max(1, math.ceil(shortest * min(1 / fast, _LONGEST / slow)))
