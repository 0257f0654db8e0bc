"""The session: the baseline's worker, and one variant's worker after the other held against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import numpy as np

from nqperf.engines.state import EngineState
from nqperf.errors import NqPerfError, VariantError
from nqperf.formats.weights.model_folder import ModelFolder
from nqperf.gate.records import BASELINE, Fingerprint, VariantResult
from nqperf.gate.rounds import Measured, PairedResult, RoundsConfig, TimedWork, measure, settle
from nqperf.gate.verdict import GateConfig
from nqperf.nq.example import Prediction
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import Logits
from nqperf.perf import protocol
from nqperf.perf.parity import Task, agreement, check_parity, score_predictions
from nqperf.perf.process import WorkerError, WorkerProcess, worker_environment
from nqperf.perf.variant_run import VariantRun
from nqperf.perf.variants import VARIANTS, Variant

# Controls that end without an answer make a whole run worthless: they get more time than a variant.
_CONTROL_TIME = 2.0
_SAME = "same (control)"
_PLANTED = "planted (control)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a worker may take before it counts as hung; units: seconds. `predict` is for all features."""

    load: float = 600.0
    predict: float = 3600.0
    batch: float = 120.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(slots=True, kw_only=True)
class Session:
    """One model and task; within its `with` block the baseline's worker is kept alive, or started anew when it died.

    `seconds` is the wall time spent in the workers' models and in starting workers; `predictions` are by variant.
    """

    folder: ModelFolder
    task: Task
    batch_size: int
    gate: GateConfig
    seconds_per_variant: float
    timeouts: Timeouts
    progress: Callable[[str, str, int], None]
    seconds: dict[str, float] = field(default_factory=lambda: {"models": 0.0, "start": 0.0})
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    _baseline_run: VariantRun | None = None
    _worker: WorkerProcess | None = None

    def __enter__(self) -> Session:  # noqa: PYI034  # typing.Self is newer than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.end_baseline()

    def start_baseline(self) -> Fingerprint:
        """Start the baseline, let it answer, and return the machine's fingerprint as its engine sees it.

        Raises: WorkerError, VariantError or ParityError when the baseline cannot be the yardstick.
        """
        run = VariantRun(variant=VARIANTS[BASELINE])
        self._worker, run.loaded = self._started(run.variant, fingerprint=True)
        run.observed = self._observe(self._worker)
        _require_effects(run.variant, run.observed, run.observed)
        logits, run.predict_seconds = self._predict(self._worker, BASELINE)
        run.answers = score_predictions(self.task, logits)
        self.predictions[BASELINE] = run.answers.predictions
        self._baseline_run = run
        assert run.loaded.fingerprint is not None  # noqa: S101  # as asked for
        return run.loaded.fingerprint

    def baseline_row(self) -> VariantResult:
        """Return the baseline's own row."""
        return self._baseline().record()

    def measure_variant(self, variant: Variant, floor: float | None) -> VariantRun:
        """Start a variant, and hold its states, its answers and then its speed against the baseline's.

        A failure is told in the run, beside what was found before it: WorkerError when a worker fails, VariantError
        when a switch had no effect, ParityError when the answers differ.
        """
        run = VariantRun(variant=variant)
        baseline = self._baseline()
        assert baseline.observed is not None  # noqa: S101  # start_baseline has set both
        assert baseline.answers is not None  # noqa: S101
        try:
            worker, run.loaded = self._started(variant)
            with worker:
                run.observed = self._observe(worker)
                _require_effects(variant, run.observed, baseline.observed)
                logits, run.predict_seconds = self._predict(worker, variant.name)
                run.answers = score_predictions(self.task, logits)
                self.predictions[variant.name] = run.answers.predictions
                run.agreement = agreement(self.task, baseline.answers, run.answers)
                check_parity(run.agreement, variant.tolerance)
                first = self.rounds(self._live_baseline(), worker, floor, variant.name)
                self._check_retraced(worker, variant.name)
            run.paired = self._settled(first, floor, variant)
        except NqPerfError as failure:
            run.failure = failure
        return run

    def measure_controls(self, fraction: float) -> tuple[PairedResult, PairedResult]:
        """Hold the baseline against itself, and against itself with `fraction` of its time in planted work."""
        variant = VARIANTS[BASELINE]
        worker, _ = self._started(variant, name=_SAME)
        with worker:
            first = self.rounds(self._live_baseline(), worker, 1.0, _SAME, longer=_CONTROL_TIME)
            planted = self.measure_planted(worker, fraction)
        return self._settled(first, 1.0, variant), planted

    def measure_planted(self, worker: WorkerProcess, fraction: float) -> PairedResult:
        """Plant work into a running baseline worker and hold it against the other one."""
        worker.ask(protocol.Plant(fraction=fraction), protocol.Planted, timeout=self.timeouts.load)
        measured = self.rounds(self._live_baseline(), worker, 1.0, _PLANTED, longer=_CONTROL_TIME)
        return PairedResult(all=(measured,), verdict=measured.verdict)

    @contextmanager
    def fresh_pair(self, variant: Variant) -> Iterator[tuple[WorkerProcess, WorkerProcess]]:
        """Yield new processes of the baseline and of `variant`."""
        with ExitStack() as stack:
            baseline, _ = self._started(VARIANTS[BASELINE], name="fresh baseline")
            stack.enter_context(baseline)
            worker, _ = self._started(variant)
            yield baseline, stack.enter_context(worker)

    def _settled(self, first: Measured, floor: float | None, variant: Variant) -> PairedResult:
        """Repeat a FAIL in fresh processes."""

        def again() -> Measured:
            with self.fresh_pair(variant) as (baseline, worker):
                return self.rounds(baseline, worker, floor, f"{variant.name} (again)")

        return settle(first, again)

    def _baseline(self) -> VariantRun:
        assert self._baseline_run is not None, "start_baseline comes first"  # noqa: S101
        return self._baseline_run

    def _live_baseline(self) -> WorkerProcess:
        """Return the baseline's worker, a new one where the last one failed."""
        if self._worker is None:
            self._worker, _ = self._started(VARIANTS[BASELINE])
        return self._worker

    def end_baseline(self) -> None:
        """End the baseline's worker; the next comparison with it starts a new one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _started(
        self, variant: Variant, *, name: str | None = None, fingerprint: bool = False
    ) -> tuple[WorkerProcess, protocol.Loaded]:
        """Start a worker and load its model; the worker is ended when that fails."""
        shown = name or variant.name
        self.progress("start", shown, 0)
        features = self.task.features
        engine = variant.engine_row()
        request = protocol.Load(
            model=str(self.folder.path),
            engine=engine,
            settings=dict(variant.settings),
            inputs=np.stack([getattr(features, name) for name in MODEL_INPUTS]).tobytes(),
            seq_length=features.input_ids.shape[1],
            batch_size=self.batch_size,
            fingerprint=fingerprint,
        )
        started = time.perf_counter()
        warm_up = 0.0
        worker = WorkerProcess(shown, worker_environment(engine, variant.environment))
        try:
            loaded = worker.ask(request, protocol.Loaded, timeout=self.timeouts.load)
            warm_up = loaded.warm_up_seconds
        except BaseException:
            worker.end()
            raise
        finally:
            self.seconds["start"] += time.perf_counter() - started - warm_up
            self.seconds["models"] += warm_up
        return worker, loaded

    def _observe(self, worker: WorkerProcess) -> EngineState:
        return worker.ask(protocol.Observe(), protocol.ObservedStates, timeout=self.timeouts.load).states

    def _predict(self, worker: WorkerProcess, name: str) -> tuple[Logits, float]:
        """Let a worker predict every feature; return its logits and the seconds inside its model."""
        self.progress("answers", name, 0)
        said = worker.ask(protocol.Predict(), protocol.Predicted, timeout=self.timeouts.predict)
        self.seconds["models"] += said.seconds
        start, end, answer_type = said.arrays(len(self.task.features))
        logits = Logits(
            unique_id=self.task.features.unique_id,
            start_logits=start,
            end_logits=end,
            answer_type_logits=answer_type,
        )
        return logits, said.seconds

    def rounds(
        self, baseline: WorkerProcess, worker: WorkerProcess, floor: float | None, name: str, *, longer: float = 1.0
    ) -> Measured:
        """Take pairs of two workers until there is a verdict or their time is up.

        Raises: WorkerError when one of the two fails.
        """
        seconds = longer * self.seconds_per_variant
        config = RoundsConfig(gate=self.gate, seconds=seconds)
        sides = (self._timed(baseline), self._timed(worker))
        try:
            measured = measure(*sides, floor, config, lambda pairs: self.progress("rounds", name, pairs))
        except WorkerError:
            if baseline is self._worker and not baseline.alive:
                self.end_baseline()
            raise
        self.seconds["models"] += sum(measured.pairs.baseline_seconds) + sum(measured.pairs.variant_seconds)
        return measured

    def _timed(self, worker: WorkerProcess) -> TimedWork:
        """Return what runs one batch in a worker and says how long it took."""
        return lambda number: (
            worker.ask(protocol.TimeBatch(number=number), protocol.Timed, timeout=self.timeouts.batch).seconds
        )

    def _check_retraced(self, worker: WorkerProcess, name: str) -> None:
        """Raise VariantError when a graph was traced while times were taken."""
        traces = self._observe(worker).traces
        if traces > 1:
            raise VariantError(f"{name}: the graph was traced {traces} times; expected once, before any time was taken")


def _require_effects(variant: Variant, observed: EngineState, baseline: EngineState) -> None:
    """Raise VariantError unless the variant's switches are seen to have had their effect."""
    absent = variant.without_effect(observed, baseline)
    if absent:
        raise VariantError(f"{variant.name}: the switches had no effect: {absent}")
