"""The worker of a builder: a process that builds one way to do the work, by its "module:function", and runs it.

Started with the number of its parent's process.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any

import msgspec

from nqperf.errors import ConfigError
from nqperf.perf.machine import resources
from nqperf.perf.measuring.work import TimedRuns, as_work, to_host
from nqperf.perf.workers import protocol
from nqperf.perf.workers.serving import serve


class Build(protocol.Message, frozen=True):
    """Call the builder `target`, found along the parent's module search `path`, and run what it returns."""

    target: str
    path: tuple[str, ...]


class Built(protocol.Message, frozen=True):
    """What was built can be run."""


class WarmUp(protocol.Message, frozen=True):
    """Do the runs that come before any time is taken; the reply has the seconds of one more."""


class Warm(protocol.Message, frozen=True):
    """The seconds of a run, and the kind of memory pages that the process lies on."""

    seconds: float
    pages: str = "plain"


class Repeat(protocol.Message, frozen=True):
    """From now on let a round be so many runs."""

    count: int


class Run(protocol.Message, frozen=True):
    """Run once and send the output; `again`: with all outputs that were handed out before spoiled meanwhile."""

    again: bool = False


class Output(protocol.Message, frozen=True):
    """The pickled output, its tensors as NumPy arrays."""

    content: bytes


Request = Build | WarmUp | Repeat | Run | protocol.Plant | protocol.TimeBatch | protocol.Stop
Reply = Built | Warm | Output | protocol.Planted | protocol.Timed | protocol.Failed


def main() -> None:
    """Serve requests until the parent stops or ends."""
    serve(int(sys.argv[1]), _Worker().answer, Request)


class _Worker:
    """What was built, with a clock."""

    def __init__(self) -> None:
        self._runs: TimedRuns | None = None
        self._handed_out: Any = None

    def answer(self, request: msgspec.Struct) -> msgspec.Struct:
        """Do what is asked."""
        if isinstance(request, Build):
            return self._build(request)
        if self._runs is None:
            raise ConfigError(f"{type(request).__name__} before Build; expected Build first")
        if isinstance(request, protocol.TimeBatch):
            return protocol.Timed(seconds=self._runs(request.number))
        if isinstance(request, protocol.Plant):
            return protocol.Planted(fraction=self._runs.plant(request.fraction))
        if isinstance(request, WarmUp):
            return Warm(seconds=self._runs.warm_up(), pages=resources.pages().kind)
        if isinstance(request, Repeat):
            self._runs.repeats = request.count
            return Warm(seconds=self._runs(0), pages=resources.pages().kind)
        return self._run(self._runs, again=isinstance(request, Run) and request.again)

    def _run(self, runs: TimedRuns, *, again: bool) -> Output:
        if again:
            found = runs.output_anew(self._handed_out)
        else:
            output = runs.output()
            found, self._handed_out = to_host(output), output
        return Output(content=pickle.dumps(found))

    def _build(self, request: Build) -> Built:
        sys.path[:] = request.path
        module, _, name = request.target.partition(":")
        builder = getattr(importlib.import_module(module), name)
        self._runs = TimedRuns(as_work(builder(), origin=f"what {request.target} returns"))
        return Built()


if __name__ == "__main__":
    main()
