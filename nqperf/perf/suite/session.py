"""The session: the baseline's worker, and one variant's worker after the other held against it."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np

from nqperf.engines.state import EngineState
from nqperf.errors import NqPerfError, OutOfTimeError, VariantError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.nq.example import Prediction
from nqperf.nq.features import MODEL_INPUTS, Features
from nqperf.nq.logits import Logits
from nqperf.perf.machine.environment import worker_environment
from nqperf.perf.measuring.budget import SLACK, Budget, Plan, Speed
from nqperf.perf.measuring.rounds import (
    NO_PAIRS,
    Measured,
    PairedResult,
    RoundsConfig,
    TimedWork,
    measure,
    settle,
    take_pairs,
)
from nqperf.perf.suite.challenger import Challenger, score_change
from nqperf.perf.suite.parity import Answers, Task, agreement, check_parity, score_predictions
from nqperf.perf.suite.variant_run import VariantRun, Warmed
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.perf.workers.process import Reply, WorkerError, WorkerProcess
from nqperf.records.results import BASELINE, Agreement, Pairs, VariantResult
from nqperf.records.verdict import GateConfig

# Controls that end without an answer make a whole run worthless: they get more time than a variant.
_CONTROL_WEIGHT = 2.0
_CONTROLS = 2
_SPEED_BATCHES = 3
# A worker that has answered already needs a moment to be heard.
_LEAST_WAIT = 1.0
# A pair that the end of the budget cuts off takes all the others with it: this many batches before it, none is begun.
_LAST_PAIR = 3.0
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

    `task` is what is answered: of the examples as many as the budget allows. `speed` is the machine's, as measured.

    `seconds` is the wall time spent in the workers' models and in starting workers; `predictions` are by variant. The
    `challenger` is a second model, which runs in rows of its own and need not give the same answers.
    """

    folder: OpenedModel
    task: Task
    batch_size: int
    gate: GateConfig
    budget: Budget
    timeouts: Timeouts
    progress: Callable[[str, str, int], None]
    challenger: Challenger | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"models": 0.0, "start": 0.0})
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    speed: Speed = field(default_factory=lambda: Speed(start=0.0, batch=0.0))
    _features: Features = field(init=False)
    _baseline_run: VariantRun | None = None
    _worker: WorkerProcess | None = None

    def __post_init__(self) -> None:
        # Every worker has the same features, whichever of them are answered: so they time the same batches.
        self._features = self.task.features

    def __enter__(self) -> Session:  # noqa: PYI034  # typing.Self is newer than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.end_baseline()

    def start_baseline(self) -> EngineState:
        """Start the baseline, measure how fast this machine is with it, and return what it was seen to do.

        Raises: WorkerError, VariantError or OutOfTimeError when the baseline does not work.
        """
        run = VariantRun(variant=VARIANTS[BASELINE])
        started = time.perf_counter()
        self._worker, run.loaded = self._started(run.variant)
        ready = time.perf_counter() - started
        run.observed = self._observe(self._worker)
        _require_effects(run.variant, run.observed)
        timed = self._timed(self._worker)
        self.speed = Speed(start=ready, batch=min(timed(number) for number in range(_SPEED_BATCHES)))
        self._baseline_run = run
        return run.observed

    def answer_baseline(self, variants: int) -> tuple[str, ...]:
        """Let the baseline answer as many examples as the budget allows; return what is given up for it, a line each.

        The budget is for so many `variants`, which answer as many examples each, and for the controls. Where it is too
        short for the first look at each, the gate's first look comes sooner.
        Raises: WorkerError, ParityError or OutOfTimeError when the baseline does not work.
        """
        plan = Plan(answers=1 + variants, comparisons=variants + _CONTROLS, pairs=self.gate.looks[0])
        gate = self.gate if self.budget.fits(self.speed, plan) else self.gate.sooner()
        given_up = self.answer_within(dataclasses.replace(plan, pairs=gate.looks[0]))
        self.budget.planned = variants + _CONTROLS * _CONTROL_WEIGHT
        if gate is not self.gate:
            sooner = (
                f"looked at ratios after {gate.looks[0]} pairs already, not {self.gate.looks[0]}, so that more rows"
            )
            given_up = (*given_up, f"{sooner} are reached: their intervals are wider")
            self.gate = gate
        return given_up

    def answer_within(self, plan: Plan) -> tuple[str, ...]:
        """Let the baseline answer as many examples as the budget allows beside `plan`; return what is given up for it.

        Raises: WorkerError, ParityError or OutOfTimeError when the baseline does not work.
        """
        run, whole = self._started_baseline(), self.task
        windows = self.budget.windows(self.speed, plan, self.batch_size)
        if windows is not None:
            self.task = whole.first(windows)
        self._answer(self.live_baseline(), run)
        if self.task is whole:
            return ()
        examples, rows = len(self.task.inputs), len(self.task.features)
        answered = f"{examples} of {len(whole.inputs)} examples ({rows} of {len(whole.features)} windows)"
        why = f"for all of them take too much of the budget of {self.budget.seconds:g} s"
        return (f"answered {answered}, {why}",)

    def baseline_row(self) -> VariantResult:
        """Return the baseline's own row."""
        return self._started_baseline().record()

    def measure_variant(self, variant: Variant, floor: float | None) -> VariantRun:
        """Start a variant, and hold its states, its answers and then its speed against the baseline's.

        A failure is told in the run, beside what was found before it: WorkerError when a worker fails, VariantError
        when a switch had no effect, ParityError when the answers differ, OutOfTimeError when the budget is spent.
        """
        challenger = self._challenger_of(variant.name)
        run = VariantRun(
            variant=variant, has_floor=floor is not None, model=challenger.identity() if challenger else {}
        )
        try:
            baseline = self.baseline_answers()
            end = time.perf_counter() + self.budget.share(self._least(answers=True))
            with self.ready(run) as worker:
                run.agreement = agreement(self.task, baseline, self._answer(worker, run))
                if challenger:
                    run.agreement = self._with_change(run.agreement, variant.name)
                else:
                    check_parity(run.agreement, variant.tolerance)
                config = self._within(self._rounds_seconds(end, run))
                first = self.rounds(self.live_baseline(), worker, floor, variant.name, config)
            run.paired = self._settled(first, floor, variant)
        except NqPerfError as failure:
            run.failure = failure
        return run

    def measure_controls(self, fraction: float) -> Iterator[PairedResult]:
        """Hold the baseline against itself, and then against itself with `fraction` of its time in planted work."""
        variant = VARIANTS[BASELINE]
        seconds = self.budget.share(self._least(), _CONTROL_WEIGHT) - self.speed.start
        worker, _ = self._started(variant, name=_SAME)
        late = planted = None
        with worker:
            first = self.rounds(self.live_baseline(), worker, 1.0, _SAME, self._within(seconds))
            try:
                planted = self.measure_planted(worker, fraction)
            except OutOfTimeError as error:
                late = error
        yield self._settled(first, 1.0, variant)
        if late:
            raise late
        if planted:
            yield planted

    def measure_planted(self, worker: WorkerProcess, fraction: float) -> PairedResult:
        """Plant work into a running baseline worker and hold it against the other one."""
        seconds = self.budget.share(self._least(starts=0), _CONTROL_WEIGHT)
        self._ask(worker, protocol.Plant(fraction=fraction), protocol.Planted, timeout=self.timeouts.load)
        measured = self.rounds(self.live_baseline(), worker, 1.0, _PLANTED, self._within(seconds))
        return PairedResult(all=(measured,), verdict=measured.verdict)

    @contextmanager
    def ready(self, run: VariantRun, *, name: str | None = None) -> Iterator[WorkerProcess]:
        """Yield a new process of the run's variant, whose switches were seen to have their effect.

        Raises: WorkerError when it fails, VariantError when a switch had no effect or the graph was traced again.
        """
        worker, run.loaded = self._started(run.variant, name=name)
        with worker:
            run.observed = self._observe(worker)
            _require_effects(run.variant, run.observed)
            if elsewhere := run.variant.elsewhere(run.observed, self._started_baseline().observed or run.observed):
                raise VariantError(f"{run.variant.name}: {elsewhere}")
            yield worker
            self._check_retraced(worker, run.variant.name)

    @contextmanager
    def fresh_pair(
        self, variant: Variant, *, variant_first: bool = False
    ) -> Iterator[tuple[WorkerProcess, WorkerProcess]]:
        """Yield new processes of the baseline and of `variant`, started in this order or the other."""
        rows = [(VARIANTS[BASELINE], "fresh baseline"), (variant, None)]
        with ExitStack() as stack:
            started = []
            for row, name in reversed(rows) if variant_first else rows:
                worker, _ = self._started(row, name=name)
                started.append(stack.enter_context(worker))
            baseline, worker = reversed(started) if variant_first else started
            yield baseline, worker

    def _settled(self, first: Measured, floor: float | None, variant: Variant) -> PairedResult:
        """Repeat what has to repeat in fresh processes, the variant's started first, as the baseline's was before."""

        def again() -> Measured:
            seconds = self.budget.another(self._least(starts=2)) - 2 * self.speed.start
            with self.fresh_pair(variant, variant_first=True) as (baseline, worker):
                return self.rounds(baseline, worker, floor, f"{variant.name} (again)", self._within(seconds))

        return settle(first, again, self.gate)

    def _challenger_of(self, name: str) -> Challenger | None:
        """Return the challenger where the variant of that name is its row, None where it is the model's."""
        return self.challenger if self.challenger is not None and self.challenger.runs(name) else None

    def _with_change(self, agreed: Agreement, name: str) -> Agreement:
        """Return the agreement of a challenger's row with how its score has changed."""
        change = score_change(self.task, self.baseline_answers().predictions, self.predictions[name])
        return msgspec.structs.replace(agreed, details={**agreed.details, **change})

    def _started_baseline(self) -> VariantRun:
        assert self._baseline_run is not None, "start_baseline comes first"  # noqa: S101
        return self._baseline_run

    def _within(self, seconds: float) -> RoundsConfig:
        return RoundsConfig(gate=self.gate, seconds=seconds)

    def baseline_answers(self) -> Answers:
        """Return the baseline's answers, which it is asked for where it was not yet."""
        run = self._started_baseline()
        return run.answers or self._answer(self.live_baseline(), run)

    def _least(self, *, starts: int = 1, answers: bool = False) -> float:
        """Return about how many seconds a comparison takes until it can be judged, were the variant as fast."""
        batches = 2 * self.gate.looks[0] + (len(self.task.features) / self.batch_size if answers else 0)
        return starts * self.speed.start + batches * self.speed.batch

    def _rounds_seconds(self, end: float, run: VariantRun) -> float:
        """Return how long the pairs with a variant that has answered may take: until `end`, but to the first look.

        Raises: OutOfTimeError when the budget does not reach so far.
        """
        batches = -(-len(self.task.features) // self._batch_size(run.variant))
        pair = self.speed.batch + (run.predict_seconds or 0.0) / batches
        needed = SLACK * self.gate.looks[0] * pair
        return max(end - time.perf_counter(), min(needed, self.budget.require(needed)))

    def _batch_size(self, variant: Variant) -> int:
        return variant.batch_size or self.batch_size

    def live_baseline(self) -> WorkerProcess:
        """Return the baseline's worker, a new one where the last one failed."""
        if self._worker is None:
            self._worker, _ = self._started(VARIANTS[BASELINE])
        return self._worker

    def end_baseline(self) -> None:
        """End the baseline's worker; the next comparison with it starts a new one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    def _started(self, variant: Variant, *, name: str | None = None) -> tuple[WorkerProcess, Warmed]:
        """Start a worker and load its model; the worker is ended when that fails."""
        shown = name or variant.name
        self.progress("start", shown, 0)
        features = self._features
        engine = variant.engine_row()
        model = (self._challenger_of(variant.name) or self).folder
        request = protocol.Load(
            model=str(model.path),
            identity=model.identity,
            engine=engine,
            settings=dict(variant.settings),
            inputs=np.stack([getattr(features, name) for name in MODEL_INPUTS]).tobytes(),
            seq_length=features.input_ids.shape[1],
            batch_size=self._batch_size(variant),
        )
        started = time.perf_counter()
        warm_up = 0.0
        worker = WorkerProcess(shown, worker_environment(engine, variant.environment))
        try:
            loaded = self._ask(worker, request, protocol.Loaded, timeout=self.timeouts.load)
            traced = self._ask(worker, protocol.Trace(), protocol.Traced, timeout=self.timeouts.load)
            first = self._ask(worker, protocol.FirstBatch(), protocol.Timed, timeout=self.timeouts.load)
            # The first run after compiling still fills caches.
            again = self._ask(worker, protocol.TimeBatch(number=1), protocol.Timed, timeout=self.timeouts.batch)
            warm_up = first.seconds + again.seconds
        except BaseException:
            worker.end()
            raise
        finally:
            self.seconds["start"] += time.perf_counter() - started - warm_up
            self.seconds["models"] += warm_up
        return worker, Warmed(loaded=loaded, trace_seconds=traced.seconds, warm_up_seconds=warm_up)

    def _observe(self, worker: WorkerProcess) -> EngineState:
        return self._ask(worker, protocol.Observe(), protocol.ObservedStates, timeout=self.timeouts.load).states

    def _answer(self, worker: WorkerProcess, run: VariantRun) -> Answers:
        """Let a worker predict the task's features, and keep its answers and what they took."""
        self.progress("answers", run.variant.name, 0)
        run.answers = self.answers(worker, self.task, run)
        self.predictions[run.variant.name] = run.answers.predictions
        return run.answers

    def answers(self, worker: WorkerProcess, task: Task, run: VariantRun) -> Answers:
        """Return what a worker answers to the session's task or its first examples; note in the run what it took.

        Raises: WorkerError when it fails, ParityError when a logit is not a finite number.
        """
        rows = len(task.features)
        said = self._ask(worker, protocol.Predict(rows=rows), protocol.Predicted, timeout=self.timeouts.predict)
        self.seconds["models"] += said.seconds
        run.predict_seconds, run.usage = said.seconds, said.usage
        start, end, answer_type = said.arrays(rows)
        unique_id = task.features.unique_id
        logits = Logits(unique_id=unique_id, start_logits=start, end_logits=end, answer_type_logits=answer_type)
        challenger = self._challenger_of(run.variant.name)
        return score_predictions(challenger.task(task) if challenger else task, logits)

    def _ask(self, worker: WorkerProcess, request: protocol.Request, reply: type[Reply], *, timeout: float) -> Reply:
        """Ask a worker, no longer than the budget lasts.

        Raises: WorkerError as the worker does, OutOfTimeError when the budget is spent.
        """
        try:
            return worker.ask(request, reply, timeout=min(timeout, max(self.budget.left(), _LEAST_WAIT)))
        except WorkerError as error:
            if self.budget.left() > 0:
                raise
            raise OutOfTimeError(f"not judged: out of time at {type(request).__name__}: {error}") from error

    def rounds(
        self,
        baseline: WorkerProcess,
        worker: WorkerProcess,
        floor: float | None,
        name: str,
        config: RoundsConfig | None = None,
        *,
        taken: Pairs = NO_PAIRS,
    ) -> Measured:
        """Take pairs of two workers until there is a verdict or their time is up; None: the session's gate, any time.

        Times are of as many windows as a batch of the session has, whatever a variant's own batch is. What was `taken`
        of the two before counts.

        Raises: WorkerError when one of the two fails, OutOfTimeError when there are too few pairs for a verdict.
        """
        config = config or self._within(math.inf)
        seconds = min(config.seconds, self.budget.left() - _LAST_PAIR * self.speed.batch)
        config = dataclasses.replace(config, seconds=seconds)
        sides = (self._timed(baseline), self._timed(worker))
        with self._replacing(baseline):
            measured = measure(*sides, floor, config, lambda pairs: self.progress("rounds", name, pairs), taken)
        self.seconds["models"] += sum(measured.pairs.baseline_seconds) + sum(measured.pairs.variant_seconds)
        # What else this machine does changes while a run goes on: the latest pairs tell best how fast it is.
        self.speed = dataclasses.replace(self.speed, batch=statistics.median(measured.pairs.baseline_seconds))
        return measured

    def few_pairs(self, worker: WorkerProcess, count: int) -> Pairs:
        """Return the times of a few rounds with the baseline, for a first impression.

        Raises: WorkerError when one of the two fails, OutOfTimeError when the budget is spent.
        """
        baseline = self.live_baseline()
        with self._replacing(baseline):
            return take_pairs(self._timed(baseline), self._timed(worker), count)

    @contextmanager
    def _replacing(self, baseline: WorkerProcess) -> Iterator[None]:
        """Let go of the session's baseline where it fails, so that the next comparison starts a new one."""
        try:
            yield
        except (WorkerError, OutOfTimeError):
            if baseline is self._worker and not baseline.alive:
                self.end_baseline()
            raise

    def _timed(self, worker: WorkerProcess) -> TimedWork:
        """Return what runs one batch in a worker and says how long it took for each of the session's."""

        def timed(number: int) -> float:
            request = protocol.TimeBatch(number=number)
            said = self._ask(worker, request, protocol.Timed, timeout=self.timeouts.batch)
            return said.seconds * (self.batch_size / said.windows if said.windows else 1)

        return timed

    def _check_retraced(self, worker: WorkerProcess, name: str) -> None:
        """Raise VariantError when a graph was traced while times were taken."""
        traces = self._observe(worker).traces
        if traces > 1:
            raise VariantError(f"{name}: the graph was traced {traces} times; expected once, before any time was taken")


def _require_effects(variant: Variant, observed: EngineState) -> None:
    """Raise VariantError unless the variant's switches are seen to have had their effect."""
    absent = variant.without_effect(observed)
    if absent:
        raise VariantError(f"{variant.name}: the switches had no effect: {absent}")
