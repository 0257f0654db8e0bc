"""The two sides of a comparison, wherever they run: in this process, or in a worker process each."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nqperf.engines.registry import gpu_sharing
from nqperf.errors import ConfigError
from nqperf.perf.machine.environment import Pages, common_environment, page_environment, untraced
from nqperf.perf.measuring.limits import TIMES, Limits, TooSlowError
from nqperf.perf.measuring.outputs import to_host
from nqperf.perf.measuring.work import LEAD_IN, TimedRuns, Work, as_work
from nqperf.perf.workers import builder_worker, protocol
from nqperf.perf.workers.process import Reply, WorkerError, WorkerProcess


class Side(Protocol):
    """One way to do the work; once it is `ready`, a process of a set, or as good as one.

    Fields:
        warm_up_seconds: The seconds of the first run that was timed.
        pages: The kind of memory pages that its process lies on.
    """

    warm_up_seconds: float
    pages: str

    @property
    def watched(self) -> tuple[str, ...]:
        """The tracers and profilers that were taken off while it was timed last."""

    def ready(self) -> None:
        """Wait until it is built, and do the runs that come before any time is taken.

        Raises: WorkerError or TooSlowError when its process fails or hangs.
        """

    def batch(self, number: int) -> float:
        """Return the seconds of one run, the mean of the runs of the round `number`, from 0."""

    def output(self) -> Any:
        """Run once and return a copy of the output, on the host."""

    def output_anew(self, *others: Side) -> Any:
        """Run once more, with what it and `others` handed out before spoiled meanwhile; return a copy of the output.

        Raises: ParityError when that cannot be checked.
        """

    def repeat(self, count: int) -> None:
        """From now on let a round be `count` runs."""

    def plant(self, fraction: float) -> float:
        """Plant work that adds `fraction` to a round; return what it adds, as measured."""

    def end(self) -> None:
        """Free what it holds."""


class _Here:
    """A side in this process."""

    pages: str = "plain"
    warm_up_seconds = math.nan

    def __init__(self, work: Work) -> None:
        self._runs = TimedRuns(work)
        self._handed_out: Any = None

    @property
    def watched(self) -> tuple[str, ...]:
        return self._runs.watched

    def ready(self) -> None:
        self.warm_up_seconds = self._runs.warm_up()

    def batch(self, number: int) -> float:
        return self._runs(number)

    def output(self) -> Any:
        self._handed_out = self._runs.output()
        return to_host(self._handed_out)

    def output_anew(self, *others: Side) -> Any:
        handed_out = [self._handed_out, *(one._handed_out for one in others if isinstance(one, _Here))]  # noqa: SLF001
        return self._runs.output_anew(handed_out)

    def repeat(self, count: int) -> None:
        self._runs.repeats = count

    def plant(self, fraction: float) -> float:
        return self._runs.plant(fraction)

    def end(self) -> None:
        """Do nothing: the process is the caller's."""


@dataclass(slots=True, kw_only=True)
class Patience:
    """How long a worker process may take; units: seconds.

    Fields:
        build: To build, and for each step but a round, at the most.
        run: For a round, at the most.
        limits: What follows from the baseline's own seconds, once they are known.
        pages: The kind of memory pages that the processes ask for.
    """

    build: float
    run: float
    limits: Limits = field(default_factory=Limits)
    pages: Pages = "huge"


class _Elsewhere:
    """A side in a worker process."""

    watched: tuple[str, ...] = ()
    pages: str = "plain"
    warm_up_seconds = math.nan

    def __init__(self, target: str, name: str, patience: Patience) -> None:
        self._name, self._patience = name, patience
        environment = untraced({**gpu_sharing(), **os.environ})
        self._worker = WorkerProcess(
            name,
            common_environment({**environment, **page_environment(patience.pages, environment)}),
            module="nqperf.perf.workers.builder_worker",
            replies=builder_worker.Reply,
        )
        try:
            path = tuple(sys.path)
            self._worker.send(builder_worker.Build(target=target, path=path, warm_up=False, lead_in=LEAD_IN))
        except BaseException:
            self._worker.end()
            raise

    def ready(self) -> None:
        patience = self._patience
        build, first = (min(patience.build, limit) for limit in (patience.limits.start, patience.limits.first))
        self._worker.reply_to(builder_worker.Build, builder_worker.Built, timeout=build)
        warm = self._ask(builder_worker.WarmUp(), builder_worker.Built, timeout=first)
        self.warm_up_seconds, self.pages = warm.seconds, warm.pages

    def batch(self, number: int) -> float:
        limit = min(self._patience.run, self._patience.limits.batch)
        return self._ask(protocol.TimeBatch(number=number), protocol.Timed, timeout=limit).seconds

    def output(self) -> Any:
        return self._output(builder_worker.Run())

    def output_anew(self, *others: Side) -> Any:  # noqa: ARG002  # they are in other processes
        return self._output(builder_worker.Run(again=True))

    def repeat(self, count: int) -> None:
        self._ask(builder_worker.Repeat(count=count), builder_worker.Built, timeout=self._patience.build)

    def plant(self, fraction: float) -> float:
        request = protocol.Plant(fraction=fraction)
        return self._ask(request, protocol.Planted, timeout=self._patience.build).fraction

    def end(self) -> None:
        self._worker.end()

    def _output(self, request: builder_worker.Run) -> Any:
        return self._ask(request, builder_worker.Output, timeout=self._patience.build).value()

    def _ask(self, request: Any, reply: type[Reply], *, timeout: float) -> Reply:
        """Ask the worker.

        Raises: WorkerError when it fails or hangs, TooSlowError when it was ended at a limit while it computed.
        """
        try:
            return self._worker.ask(request, reply, timeout=timeout)
        except TooSlowError as error:
            timed = isinstance(request, protocol.TimeBatch)
            times = self._patience.limits.times_slower(error.seconds) if timed else TIMES
            said = f"more than {times:.0f} times slower than the baseline: ended after {error.seconds:.0f} s ({error})"
            raise TooSlowError(said, seconds=error.seconds, times=times) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to start a side.

    Fields:
        label: What it is called.
        start: Begins to start it, told its name; whoever gets it waits until it is ready.
        fresh: Whether each start is a process of its own.
    """

    label: str
    start: Callable[[str], Side]
    fresh: bool


@dataclass(slots=True, kw_only=True)
class SideStarter:
    """Starts sides of one row for sets, each when it is called; the next one may begin to build before.

    Fields:
        way: How to start one.
        name: What they are called.
        told: Called with the name when somebody waits for one.
        prepare: Called with each that is ready, before anybody gets it; where it raises, the side is ended.
    """

    way: Way
    name: str
    told: Callable[[str], None]
    prepare: Callable[[Side], object]
    _launched: Side | None = None

    def launch(self) -> None:
        """Let the next side begin to build, and do not wait for it."""
        if self._launched is None:
            with contextlib.suppress(WorkerError):  # it comes again where somebody waits for a side
                self._launched = self.way.start(self.name)

    def drop(self) -> None:
        """End the side that was launched and never taken, if there is one."""
        side, self._launched = self._launched, None
        if side is not None:
            side.end()

    def __call__(self) -> Side:
        """Return a side that is ready: the launched one, or else a new one.

        Raises: as `Side.ready`.
        """
        self.told(self.name)
        side, self._launched = self._launched or self.way.start(self.name), None
        try:
            side.ready()
            self.prepare(side)
        except BaseException:
            side.end()
            raise
        return side


def way_of(value: Any, *, origin: str, patience: Patience) -> Way:
    """Return how to start `value`: a callable or Work here, a "module:function" in a worker process.

    `origin` names it in messages ("the baseline"); `patience` is how long a worker process may take.

    Raises: ConfigError for anything else.
    """
    if not isinstance(value, str):
        work = as_work(value, origin=origin)
        return Way(label=_label(work.run), start=lambda _name: _Here(work), fresh=False)
    if not builder_worker.BUILDER.fullmatch(value):
        raise ConfigError(f'{origin} is {value!r}; expected a builder "module:function", or a callable')
    return Way(label=value, start=lambda name: _Elsewhere(value, name, patience), fresh=True)


def _label(run: Callable[..., Any]) -> str:
    """Return a callable's name as a person would say it."""
    name = getattr(run, "__qualname__", type(run).__qualname__).rpartition("<locals>.")[2]
    return f"{getattr(run, '__module__', None) or '?'}:{name}"
