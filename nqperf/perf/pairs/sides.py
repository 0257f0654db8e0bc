"""The two sides of a comparison, wherever they run: in this process, or in a worker process each."""

from __future__ import annotations

import os
import pickle
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from nqperf.engines.registry import gpu_sharing
from nqperf.errors import ConfigError
from nqperf.perf.machine.environment import common_environment
from nqperf.perf.measuring.work import TimedRuns, Work, as_work, to_host
from nqperf.perf.workers import builder_worker, protocol
from nqperf.perf.workers.process import WorkerProcess

_BUILDER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class Side(Protocol):
    """One way to do the work, ready to be timed: called with a round's number it returns the seconds of a run."""

    warm_up_seconds: float

    def __call__(self, number: int, /) -> float:
        """Return the seconds of one run, the mean of a round's."""

    def output(self) -> Any:
        """Run once and return the output, on the host."""

    def repeat(self, count: int) -> None:
        """From now on let a round be so many runs."""

    def plant(self, fraction: float) -> float:
        """Plant work that adds `fraction` to a round; return what it adds, as measured."""

    def end(self) -> None:
        """Free what it holds."""


class _Here:
    """A side in this process."""

    def __init__(self, work: Work) -> None:
        self._runs = TimedRuns(work)
        self.warm_up_seconds = self._runs.warm_up()

    def __call__(self, number: int) -> float:
        return self._runs(number)

    def output(self) -> Any:
        return to_host(self._runs.output())

    def repeat(self, count: int) -> None:
        self._runs.repeats = count

    def plant(self, fraction: float) -> float:
        return self._runs.plant(fraction)

    def end(self) -> None:
        """Do nothing: the process is the caller's."""


class _Elsewhere:
    """A side in a worker process; a run takes at most `run_seconds`, all before it `build_seconds`."""

    def __init__(self, target: str, name: str, *, build_seconds: float, run_seconds: float) -> None:
        self._build_seconds, self._run_seconds = build_seconds, run_seconds
        self._worker = WorkerProcess(
            name,
            common_environment({**gpu_sharing(), **os.environ}),
            module="nqperf.perf.workers.builder_worker",
            replies=builder_worker.Reply,
        )
        try:
            request = builder_worker.Build(target=target, path=tuple(sys.path))
            self.warm_up_seconds = self._worker.ask(request, builder_worker.Built, timeout=build_seconds).seconds
        except BaseException:
            self._worker.end()
            raise

    def __call__(self, number: int) -> float:
        request = protocol.TimeBatch(number=number)
        return self._worker.ask(request, protocol.Timed, timeout=self._run_seconds).seconds

    def output(self) -> Any:
        said = self._worker.ask(builder_worker.Run(), builder_worker.Output, timeout=self._build_seconds)
        return pickle.loads(said.content)  # noqa: S301  # of a process that runs the caller's own code

    def repeat(self, count: int) -> None:
        self._worker.ask(builder_worker.Repeat(count=count), builder_worker.Built, timeout=self._build_seconds)

    def plant(self, fraction: float) -> float:
        request = protocol.Plant(fraction=fraction)
        return self._worker.ask(request, protocol.Planted, timeout=self._build_seconds).fraction

    def end(self) -> None:
        self._worker.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to start a side: `start` is told its name; `fresh` when each start is a process of its own."""

    label: str
    start: Callable[[str], Side]
    fresh: bool


def way_of(value: Any, *, origin: str, build_seconds: float, run_seconds: float) -> Way:
    """Return how to start `value`: a callable or Work here, a "module:function" in a worker process.

    Raises: ConfigError for anything else.
    """
    if not isinstance(value, str):
        work = as_work(value, origin=origin)
        return Way(label=_label(work.run), start=lambda _name: _Here(work), fresh=False)
    if not _BUILDER.fullmatch(value):
        raise ConfigError(f'{origin} is {value!r}; expected a builder "module:function", or a callable')

    def start(name: str) -> Side:
        return _Elsewhere(value, name, build_seconds=build_seconds, run_seconds=run_seconds)

    return Way(label=value, start=start, fresh=True)


def _label(run: Callable[..., Any]) -> str:
    """Return a callable's name as a person would say it."""
    name = getattr(run, "__qualname__", type(run).__qualname__).rpartition("<locals>.")[2]
    return f"{getattr(run, '__module__', None) or '?'}:{name}"
