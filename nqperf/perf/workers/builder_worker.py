"""The worker of a builder: a process that builds one way to do the work, by its "module:function", and runs it.

Started with the number of its parent's process.
"""

from __future__ import annotations

import importlib
import pickle
import sys

import msgspec

from nqperf.errors import ConfigError
from nqperf.perf.machine.resources import peak_memory
from nqperf.perf.measuring.work import TimedRuns, as_work, to_host
from nqperf.perf.workers import protocol
from nqperf.perf.workers.serving import serve


class Build(protocol.Message, frozen=True):
    """Call the builder `target`, found along the module search `path`, and run what it returns.

    With `own`, what stands in `path` comes before this process's own search path, else in its place.
    """

    target: str
    path: tuple[str, ...]
    own: bool = False


class Built(protocol.Message, frozen=True):
    """The seconds of a run after the warm-up, the file that the builder is in, and the peak memory in bytes."""

    seconds: float
    origin: str = ""
    peak_bytes: int | None = None


class Repeat(protocol.Message, frozen=True):
    """From now on let a round be so many runs."""

    count: int


class Run(protocol.Message, frozen=True):
    """Run once and send the output."""


class Output(protocol.Message, frozen=True):
    """The pickled output, its tensors as NumPy arrays."""

    content: bytes


Request = Build | Repeat | Run | protocol.Plant | protocol.TimeBatch | protocol.Stop
Reply = Built | Output | protocol.Planted | protocol.Timed | protocol.Failed


def main() -> None:
    """Serve requests until the parent stops or ends."""
    serve(int(sys.argv[1]), _Worker().answer, Request)


class _Worker:
    """What was built, with a clock."""

    def __init__(self) -> None:
        self._runs: TimedRuns | None = None

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
            return Built(seconds=self._runs(0), peak_bytes=peak_memory())
        return Output(content=pickle.dumps(to_host(self._runs.output())))

    def _build(self, request: Build) -> Built:
        sys.path[:] = [*request.path, *(sys.path if request.own else ())]
        name, _, attribute = request.target.partition(":")
        module = importlib.import_module(name)
        builder = getattr(module, attribute)
        runs = TimedRuns(as_work(builder(), origin=f"what {request.target} returns"))
        seconds = runs.warm_up()
        self._runs = runs
        return Built(seconds=seconds, origin=str(getattr(module, "__file__", "") or ""), peak_bytes=peak_memory())


if __name__ == "__main__":
    main()
