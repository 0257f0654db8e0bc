"""Any two ways to do the same work: the results first, then the speed in paired rounds, with the gate's controls.

The steps are those of the suite; what is compared are two callables, or two builders that run in a process each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from nqperf.errors import ConfigError, NqPerfError, OutOfTimeError, ParityError
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.planting import PLANTED
from nqperf.perf.measuring.rounds import Measured, PairedResult, RoundsConfig, measure, settle
from nqperf.perf.measuring.untraced import watchers
from nqperf.perf.pairs.sameness import Close, Compare, Metric, agree
from nqperf.perf.pairs.sides import Side, Way, way_of
from nqperf.perf.workers.process import WorkerError
from nqperf.perf.workers.progress import Doing, Progress, silent
from nqperf.records.results import BASELINE, Agreement, Controls, Results, Size, Subject, VariantResult, utc_now
from nqperf.records.verdict import QUICK_GATE, REFERENCE_GATE, GateConfig, RunVerdict, judge_run

# Controls that end without an answer make a whole run worthless: they get more time than the candidate.
_CONTROL_TIME = 2.0
_LONGEST = 10  # as a multiple of what a round takes at least
_INSTANT = 1e-8  # less than any clock can tell
_CLOSE = Close()


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedConfig:
    """How a comparison is measured; units: seconds.

    No round begins after `seconds`, twice as many for the controls. A round repeats work that takes less than
    `shortest`. A worker may take `build_seconds` to build, warm up and give its output, `run_seconds` for a round.
    `sizes` names what speed-ups depend on: `nqperf compare` refuses runs of other sizes.
    Raises: ConfigError when a number is out of range.
    """

    gate: GateConfig = REFERENCE_GATE
    seconds: float = 20.0
    shortest: float = 0.01
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    sizes: Mapping[str, Size] = field(default_factory=dict)
    command: str = ""
    progress: Progress = silent

    def __post_init__(self) -> None:
        for name in ("seconds", "build_seconds", "run_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0")
        if not 0 <= self.shortest < math.inf:
            raise ConfigError(f"shortest is {self.shortest}; expected 0 or more")

    def quick(self) -> PairedConfig:
        """Return the same with earlier looks and less time, and more INCONCLUSIVE."""
        return dataclasses.replace(self, gate=QUICK_GATE, seconds=min(self.seconds, 8.0))


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
    a process of its own. Outputs are given to `same` as NumPy arrays; a candidate that is wrong is never timed. A FAIL
    is repeated: by builders in fresh processes, by callables in this one, which the record's reasons say. Without a
    floor (None) the ratio is only reported.

    Raises: ConfigError for bad input, before anything runs; WorkerError when the baseline's builder fails; what a
    callable of this process or `same` raises.
    """
    session = _session(baseline, candidate, floor, name, config)
    with session.started(session.baseline, BASELINE) as base:
        row, controls, faults = session.compare(base, same)
    timed = {} if row.verdict is None else {name: row.verdict.outcome}
    if row.status == "failed":
        verdict = RunVerdict(outcome="FAIL", judged=0, expected=1, reasons=(f"{name}: {row.reason}",))
    else:
        verdict = judge_run(timed, expected=(name,) if floor is not None else (), controls=controls)
    return Results(
        command=config.command,
        created=utc_now(),
        fingerprint=take_fingerprint(),
        model=Subject(name=name),
        data=Subject(name="its own input"),
        workload=dict(config.sizes),
        profile=None,
        variants=(VariantResult(name=BASELINE, status="measured", requested={"run": session.baseline.label}), row),
        controls=controls,
        judged=verdict.judged,
        expected=verdict.expected,
        outcome=verdict.outcome,
        reasons=(*verdict.reasons, *faults),
    )


def compare_outputs(
    baseline: Any, candidate: Any, *, same: Compare | Metric = _CLOSE, config: PairedConfig = DEFAULT
) -> Agreement:
    """Return how far the outputs of both agree; nothing is judged by its time.

    Raises: ParityError when they are not the same; ConfigError, WorkerError and others as `paired` does.
    """
    session = _session(baseline, candidate, None, "candidate", config)
    with (
        session.started(session.baseline, BASELINE) as base,
        session.started(session.candidate, session.name) as side,
    ):
        agreement, fault = agree(same, base.output(), side.output())
    if fault is not None:
        raise ParityError(f"parity: {fault}")
    return agreement


def _session(baseline: Any, candidate: Any, floor: float | None, name: str, config: PairedConfig) -> _Session:
    """Return what is compared in; nothing has run yet.

    Raises: ConfigError for bad input.
    """
    limits = {"build_seconds": config.build_seconds, "run_seconds": config.run_seconds}
    ways = (
        way_of(baseline, origin="the baseline", **limits),
        way_of(candidate, origin="the candidate", **limits),
    )
    if ways[0].fresh != ways[1].fresh:
        raise ConfigError(
            f"one of {ways[0].label} and {ways[1].label} is a builder; expected two builders or two callables, for a "
            "process of its own is no fair match for this one"
        )
    if floor is not None and not (isinstance(floor, int | float) and 0 < floor < math.inf):
        raise ConfigError(f"floor is {floor!r}; expected a speed-up above 0, or None")
    if not name or name == BASELINE:
        raise ConfigError(f"the candidate's name is {name!r}; expected another one than {BASELINE!r}")
    return _Session(baseline=ways[0], candidate=ways[1], floor=floor, name=name, config=config)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """One comparison."""

    baseline: Way
    candidate: Way
    floor: float | None
    name: str
    config: PairedConfig

    @contextmanager
    def started(self, way: Way, name: str) -> Iterator[Side]:
        """Yield a side that is warm."""
        self.config.progress(Doing(stage="start", name=name))
        side = way.start(name)
        try:
            yield side
        finally:
            side.end()

    def compare(self, base: Side, same: Compare | Metric) -> tuple[VariantResult, Controls, tuple[str, ...]]:
        """Return the candidate's row, the controls, and what is to be said beside the verdict."""
        agreement: Agreement | None = None
        expected = base.output()
        nothing = Controls(same=None, planted=None)
        try:
            with self.started(self.candidate, self.name) as side:
                agreement, fault = agree(same, expected, side.output())
                if fault is not None:
                    raise ParityError(f"parity: {fault}")  # noqa: TRY301  # told in the row like the others
                repeats = self._repeats(base, side)
                for one in (base, side):
                    one.repeat(repeats)
                first = self._rounds(base, side, self.floor, self.name)
            result = settle(
                first,
                lambda: self._again(self.candidate, self.floor, repeats),
                self.config.gate,
                fresh=self.baseline.fresh,
            )
        except (WorkerError, ParityError, OutOfTimeError) as failure:
            return self._row(agreement, None, failure), nothing, ()
        row = self._row(agreement, result, None, side.warm_up_seconds)
        controls, faults = self._controls(base, repeats)
        return row, controls, (*self._honest(result), *faults)

    def _repeats(self, base: Side, side: Side) -> int:
        """Return how many runs make a round of the faster side long enough for the clock, and the slower's not long."""
        fast, slow = sorted(max(one.warm_up_seconds, _INSTANT) for one in (base, side))
        return max(1, math.ceil(self.config.shortest * min(1 / fast, _LONGEST / slow)))

    def _rounds(self, base: Side, side: Side, floor: float | None, name: str, *, longer: float = 1.0) -> Measured:
        config = RoundsConfig(gate=self.config.gate, seconds=longer * self.config.seconds)

        def told(pairs: int) -> None:
            self.config.progress(Doing(stage="rounds", name=name, pairs=pairs))

        return measure(base, side, floor, config, told)

    def _again(self, way: Way, floor: float | None, repeats: int) -> Measured:
        """Measure once more what has to repeat, both sides started anew, in the other order."""
        with ExitStack() as stack:
            side = stack.enter_context(self.started(way, f"{self.name} (again)"))
            base = stack.enter_context(self.started(self.baseline, f"fresh {BASELINE}"))
            for one in (base, side):
                one.repeat(repeats)
            return self._rounds(base, side, floor, f"{self.name} (again)")

    def _controls(self, base: Side, repeats: int) -> tuple[Controls, tuple[str, ...]]:
        """Measure the two comparisons with a known answer; what kept them from it is told, and the run is INVALID."""
        try:
            with self.started(self.baseline, "same (control)") as side:
                side.repeat(repeats)
                first = self._rounds(base, side, 1.0, "same (control)", longer=_CONTROL_TIME)
                side.plant(PLANTED)
                planted = self._rounds(base, side, 1.0, "planted (control)", longer=_CONTROL_TIME)
            same = settle(
                first, lambda: self._again(self.baseline, 1.0, repeats), self.config.gate, fresh=self.baseline.fresh
            )
        except NqPerfError as error:
            return Controls(same=None, planted=None), (f"the controls: {error}",)
        return Controls(
            same=same.control(), planted=PairedResult(all=(planted,), verdict=planted.verdict).control()
        ), ()

    def _honest(self, result: PairedResult) -> tuple[str, ...]:
        """Return what a FAIL of callables leaves open."""
        if result.verdict.outcome != "FAIL" or self.baseline.fresh:
            return ()
        where = "in two sets of pairs of one process, not confirmed in fresh ones"
        return (f'{self.name}: FAIL {where}; for that name builders "module:function"',)

    def _row(
        self,
        agreement: Agreement | None,
        result: PairedResult | None,
        failure: NqPerfError | None,
        warm_up_seconds: float | None = None,
    ) -> VariantResult:
        return VariantResult(
            name=self.name,
            status="failed" if failure else "measured",
            reason=str(failure) if failure else None,
            requested={"run": self.candidate.label, "own process": self.candidate.fresh},
            observed={} if self.candidate.fresh or not watchers() else {"taken off while timed": ", ".join(watchers())},
            agreement=agreement,
            warm_up_seconds=warm_up_seconds,
            samples=result.samples if result else (),
            verdict=result.verdict if result else None,
        )
