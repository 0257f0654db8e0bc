"""Processes of variants: how one is started within its limits, and what it can then be asked."""

# Long: the life of a process is read in one piece, from its start to the last that it is asked.
from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nqperf.engines.in_flight import FILL
from nqperf.errors import OutOfTimeError
from nqperf.nq.features import Features
from nqperf.perf.machine.environment import Pages, worker_environment
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.limits import DEFAULT_TIMEOUTS, TIMES, Limits, Timeouts, TooSlowError
from nqperf.perf.suite.variant_run import Warmed
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.perf.workers.process import Reply, WorkerError, WorkerProcess

# A worker that has answered already needs a moment to be heard.
_LEAST_WAIT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantProcess:
    """A variant's worker, warm; its turns are timed per as many windows as a batch of the session has.

    Fields:
        worker: The process.
        warmed: How it came to be ready.
        workshop: What started it, for its limits.
        batch_size: The windows that it runs at once.
        in_flight: The batches that its device has at once.
    """

    worker: WorkerProcess
    warmed: Warmed
    workshop: Workshop
    batch_size: int
    in_flight: int = 1

    def batch(self, number: int) -> float:
        """Run its turn `number`; return the seconds of it for as many windows as the session's batch has.

        Raises: WorkerError when it fails, TooSlowError when it was ended at its limit, OutOfTimeError when the budget
        is spent.
        """
        return self.workshop.timed(self.worker, number, self.batch_size, self.in_flight)

    def ask(self, request: msgspec.Struct, reply: type[Reply], *, timeout: float) -> Reply:
        """Send the worker a `request` and return its answer, a message of the type `reply`.

        It waits `timeout` seconds at most, and no longer than the budget lasts.

        Raises: as `Workshop.ask`.
        """
        return self.workshop.ask(self.worker, request, reply, timeout=timeout)

    def predict(self, rows: int, features: Features | None = None) -> protocol.Predicted:
        """Return what it makes of the first `rows` features, the session's or other `features`."""
        batches = -(-rows // self.workshop.batch_size)
        timeout = min(self.workshop.timeouts.predict, self.workshop.limits.answers(batches))
        inputs = None if features is None else protocol.packed(features)
        said = self.ask(protocol.Predict(rows=rows, inputs=inputs), protocol.Predicted, timeout=timeout)
        self.workshop.seconds["models"] += said.seconds
        return said

    def observe(self, *, rates: bool = False) -> protocol.ObservedStates:
        """Return the states that its switches are in, and its memory; with `rates` how fast a large product is too."""
        return self.ask(protocol.Observe(rates=rates), protocol.ObservedStates, timeout=self.workshop.timeouts.load)

    def plant(self, fraction: float) -> float:
        """Plant work of about `fraction` of a turn's time in it; return the share that was measured.

        The process is ended where that fails.

        Raises: as `ask`.
        """
        try:
            request = protocol.Plant(
                fraction=fraction, batches=self.workshop.batches_of(self.batch_size, self.in_flight)
            )
            return self.ask(request, protocol.Planted, timeout=self.workshop.timeouts.load).fraction
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process."""
        self.worker.end()


@dataclass(slots=True, kw_only=True)
class Workshop:
    """Starts the processes of one session, which are all asked to load the same, and so time the same batches.

    Fields:
        request: What a process of a variant is asked to load, with a model's files, at a number of windows a batch.
        batch_size: The windows of a batch, where a variant has no number of its own.
        pages: The kind of memory pages that all of them ask for.
        budget: The seconds that there are.
        timeouts: The seconds that a step may take at the most.
        limits: Those that follow from the baseline's own seconds, once they are known.
        batches: The batches of the session's size that are timed at once, a row's turn in a round: it has as many
            windows for all, but for what a row's own size of batches adds.
        told: Called with the name of what is started.
        seconds: The wall time spent in models and in starting processes.
        module: What a process runs; None is the worker of variants.
        replies: The union of messages that it answers with.
    """

    request: Callable[[Variant, Any, int], msgspec.Struct]
    batch_size: int
    pages: Pages
    budget: Budget
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    limits: Limits = field(default_factory=Limits)
    batches: int = 1
    told: Callable[[str], None] = lambda _: None
    seconds: dict[str, float] = field(default_factory=lambda: {"models": 0.0, "start": 0.0})
    module: str | None = None
    replies: Any = protocol.Reply

    def start(self, variant: Variant, model: Any, *, name: str | None = None) -> VariantProcess:
        """Start a worker of `variant` with the files of `model`, and run its first batches.

        `name` is what it is called, by default as the variant.

        Raises: WorkerError when it fails or hangs, TooSlowError when its first batch was ended at its limit,
        OutOfTimeError when the budget is spent.
        """
        return self.starter(variant, model, name=name)()

    def starter(
        self,
        variant: Variant,
        model: Any,
        *,
        name: str | None = None,
        warm: Callable[[VariantProcess], object] = lambda _: None,
    ) -> WorkerStarter:
        """Return what starts workers as `start` does, for sets; `warm` is called with each that is warm.

        `variant`, `model` and `name` are those of `start`.
        """
        return WorkerStarter(workshop=self, variant=variant, model=model, name=name or variant.name, warm=warm)

    @contextlib.contextmanager
    def first_process(self) -> Iterator[None]:
        """Let the run's first process start in the block, also where a small budget ends before: by it one is named.

        Raises: OutOfTimeError with the least budget that can be enough, where the process is not ready even so.
        """
        budget, began = self.budget, time.perf_counter()
        self.budget = budget.first()
        try:
            yield
        except OutOfTimeError as error:
            raise budget.never_ready(time.perf_counter() - began) from error
        finally:
            self.budget = budget

    def ask(self, worker: WorkerProcess, request: msgspec.Struct, reply: type[Reply], *, timeout: float) -> Reply:
        """Send `worker` a `request` and return its answer, a message of the type `reply`.

        It waits `timeout` seconds at most, and no longer than the budget lasts.

        Raises: WorkerError or TooSlowError as the worker does, OutOfTimeError when the budget is spent.
        """
        return self._within(type(request), lambda seconds: worker.ask(request, reply, timeout=seconds), timeout)

    def batches_of(self, batch_size: int, in_flight: int = 1) -> int:
        """Return the batches of `batch_size` windows that are a turn: as many windows as any other row's, or more.

        With several `in_flight` there are more: the first and the last batch have fewer beside them.
        """
        return max(math.ceil(self.batches * self.batch_size / batch_size), FILL * in_flight if in_flight > 1 else 1)

    def timed(self, worker: WorkerProcess, number: int, batch_size: int, in_flight: int = 1) -> float:
        """Return the seconds that `worker` takes for the turn `number`, per as many windows as the session's batch has.

        `batch_size` is how many it runs at once, `in_flight` how many such batches its device has at once.

        Raises: as `ask`; TooSlowError says how many times as long as the baseline it took.
        """
        count = self.batches_of(batch_size, in_flight)
        share = count * batch_size / self.batch_size
        limit = self.limits.turn(share)
        try:
            said = self.ask(
                worker,
                protocol.TimeBatch(number=number, batches=count),
                protocol.Timed,
                timeout=min(self.timeouts.batch, limit),
            )
        except TooSlowError as error:
            times = self.limits.times_slower(error.seconds / max(1.0, share))
            raise TooSlowError(_too_slow(worker.name, times, error), seconds=error.seconds, times=times) from error
        self.seconds["models"] += said.seconds
        return said.seconds * (self.batch_size / said.windows if said.windows else 1)

    def reply(
        self, worker: WorkerProcess, request: type[msgspec.Struct], reply: type[Reply], *, timeout: float
    ) -> Reply:
        """Return the answer of `worker`, a `reply`, to a `request` that was sent; `timeout` and errors as in `ask`."""
        return self._within(request, lambda seconds: worker.reply_to(request, reply, timeout=seconds), timeout)

    def _within(self, request: type[msgspec.Struct], asked: Callable[[float], Reply], timeout: float) -> Reply:
        try:
            return asked(min(timeout, max(self.budget.left(), _LEAST_WAIT)))
        except (WorkerError, TooSlowError) as error:
            if self.budget.left() > 0:
                raise
            raise OutOfTimeError(f"out of time at {request.__name__}: {error}") from error

    def warmed(
        self, worker: WorkerProcess, request: type[msgspec.Struct], batch_size: int, in_flight: int = 1
    ) -> Warmed:
        """Wait for `worker` to load, as a `request` has told it to, trace the model, and run a batch and a turn.

        The first batch may compile, the turn still fills caches. A batch is of `batch_size` windows, and its device has
        as many as `in_flight` at once.

        Raises: as `start`.
        """
        start = min(self.timeouts.load, self.limits.start)
        try:
            loaded = self.reply(worker, request, protocol.Loaded, timeout=start)
            traced = self.ask(worker, protocol.Trace(), protocol.Traced, timeout=start)
        except TooSlowError as error:
            raise WorkerError(f"{error}; the baseline is long ready by then") from error
        limit = max(1.0, batch_size / self.batch_size) * self.limits.first
        try:
            timeout = min(self.timeouts.load, limit)
            first = self.ask(worker, protocol.FirstBatch(), protocol.Timed, timeout=timeout)
        except TooSlowError as error:
            raise TooSlowError(_too_slow(worker.name, TIMES, error), seconds=error.seconds, times=TIMES) from error
        self.seconds["models"] += first.seconds
        again = self.timed(worker, 1, batch_size, in_flight)
        return Warmed(
            loaded=loaded, trace_seconds=traced.seconds, warm_up_seconds=first.seconds + again, first_batch=again
        )


@dataclass(slots=True, kw_only=True)
class WorkerStarter:
    """Starts workers of one row of a session, each when it is called; the next one may begin to load before.

    Fields:
        workshop: What they are started by.
        variant: The row's variant.
        model: The model's files.
        name: What they are called.
        warm: Called with each process that is warm, before anybody gets it; where it raises, the process is ended.
    """

    workshop: Workshop
    variant: Variant
    model: Any
    name: str
    warm: Callable[[VariantProcess], object]
    _launched: _Loading | None = None

    def launch(self) -> None:
        """Let the next worker begin to load, and do not wait for it."""
        if self._launched is None:
            with contextlib.suppress(WorkerError):  # it comes again where somebody waits for a worker
                self._launched = self._load()

    def drop(self) -> None:
        """End the worker that was launched and never taken, if there is one."""
        loading, self._launched = self._launched, None
        if loading is not None:
            loading.worker.end()

    def __call__(self) -> VariantProcess:
        """Return a worker that is warm: the launched one, or else a new one.

        Raises: as `Workshop.start`.
        """
        workshop = self.workshop
        workshop.told(self.name)
        began, spent = time.perf_counter(), workshop.seconds["models"]
        loading, self._launched = self._launched or self._load(), None
        with contextlib.ExitStack() as ending:
            ending.callback(loading.worker.end)
            in_flight = self.variant.settings.get("in_flight", 1)
            warmed = workshop.warmed(loading.worker, loading.request, loading.batch_size, in_flight)
            workshop.seconds["start"] += time.perf_counter() - began - (workshop.seconds["models"] - spent)
            process = VariantProcess(
                worker=loading.worker,
                warmed=warmed,
                workshop=workshop,
                batch_size=loading.batch_size,
                in_flight=in_flight,
            )
            self.warm(process)
            ending.pop_all()
        return process

    def _load(self) -> _Loading:
        workshop, variant = self.workshop, self.variant
        size = variant.batch_size or workshop.batch_size
        request = workshop.request(variant, self.model, size)
        environment = worker_environment(variant.engine_row(), variant.environment, pages=workshop.pages)
        worker = WorkerProcess(self.name, environment, module=workshop.module, replies=workshop.replies)
        try:
            worker.send(request)
        except BaseException:
            worker.end()
            raise
        return _Loading(worker=worker, request=type(request), batch_size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loading:
    """A worker that was told to load by a message of the type `request`, to run `batch_size` windows at once."""

    worker: WorkerProcess
    request: type[msgspec.Struct]
    batch_size: int


def _too_slow(name: str, times: float, error: TooSlowError) -> str:
    return (
        f"more than {times:.0f} times slower than the baseline: a batch of {name} was ended after {error.seconds:.0f} s"
    )
