"""The worker of a builder: a process that builds one way to do the work, by its "module:function", and runs it.

Started with the number of its parent's process.
"""

from __future__ import annotations

import importlib
import pickle
import re
import sys
from typing import Any

import msgspec

from nqperf.errors import ConfigError
from nqperf.perf.machine import resources
from nqperf.perf.measuring.work import TimedRuns, as_work, to_host
from nqperf.perf.workers import protocol
from nqperf.perf.workers.serving import serve

# The form of a builder's name, "module:function".
BUILDER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


class Build(protocol.Message, frozen=True):
    """Call the builder `target`, found along the module search `path`, and run what it returns.

    With `own`, what stands in `path` comes before this process's own search path, else in its place. With `warm_up`,
    the runs that come before any time is taken are done at once.
    """

    target: str
    path: tuple[str, ...]
    own: bool = False
    warm_up: bool = True


class WarmUp(protocol.Message, frozen=True):
    """Do the runs that come before any time is taken."""


class Built(protocol.Message, frozen=True):
    """What is known of what was built.

    `seconds` are those of a run after the warm-up (0 before it), `origin` is the builder's file, `peak_bytes` the most
    memory that the process ever held, None where the system does not tell, and `pages` the kind of pages that it lies
    on.
    """

    seconds: float
    origin: str = ""
    peak_bytes: int | None = None
    pages: str = "plain"


class Repeat(protocol.Message, frozen=True):
    """From now on let a round be `count` runs."""

    count: int


class Run(protocol.Message, frozen=True):
    """Run once and send the output; `again`: with all outputs that were handed out before spoiled meanwhile."""

    again: bool = False


class Output(protocol.Message, frozen=True):
    """The pickled output, its tensors as NumPy arrays, in `content`."""

    content: bytes


Request = Build | WarmUp | Repeat | Run | protocol.Plant | protocol.TimeBatch | protocol.Stop
Reply = Built | Output | protocol.Planted | protocol.Timed | protocol.Failed


def main() -> None:
    """Serve requests until the parent stops or ends."""
    serve(int(sys.argv[1]), _Worker().answer, Request)


class _Worker:
    """What was built, with a clock."""

    def __init__(self) -> None:
        self._runs: TimedRuns | None = None
        self._origin = ""
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
        if isinstance(request, Repeat):
            self._runs.repeats = request.count
            return self._built(self._runs(0))
        if isinstance(request, WarmUp):
            return self._built(self._runs.warm_up())
        return self._run(self._runs, again=isinstance(request, Run) and request.again)

    def _built(self, seconds: float) -> Built:
        return Built(
            seconds=seconds, origin=self._origin, peak_bytes=resources.peak_memory(), pages=resources.pages().kind
        )

    def _run(self, runs: TimedRuns, *, again: bool) -> Output:
        if again:
            return Output(content=pickle.dumps(runs.output_anew(self._handed_out)))
        self._handed_out = runs.output()
        return Output(content=pickle.dumps(to_host(self._handed_out)))

    def _build(self, request: Build) -> Built:
        sys.path[:] = [*request.path, *(sys.path if request.own else ())]
        name, _, attribute = request.target.partition(":")
        module = importlib.import_module(name)
        builder = getattr(module, attribute)
        self._runs = TimedRuns(as_work(builder(), origin=f"what {request.target} returns"))
        self._origin = str(getattr(module, "__file__", "") or "")
        return self._built(self._runs.warm_up() if request.warm_up else 0.0)


if __name__ == "__main__":
    main()
