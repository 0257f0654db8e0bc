"""The worker of a builder: a process that builds one way to do the work, by its "module:function", and runs it.

Started with the number of its parent's process.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import pickle
import re
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from nqperf.engines.registry import count_first_run
from nqperf.errors import ConfigError
from nqperf.perf.machine import resources
from nqperf.perf.machine.environment import asks_for_huge_pages
from nqperf.perf.measuring.outputs import to_host
from nqperf.perf.measuring.plain_values import plain_values
from nqperf.perf.measuring.work import TimedRuns, as_work
from nqperf.perf.workers import protocol
from nqperf.perf.workers.serving import serve
from nqperf.records.work import CountedWork

# The form of a builder's name, "module:function".
BUILDER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
# A file in its place, "src/package/module.py:function".
_FILE = re.compile(r"(?:\./)?(?:src/)?(?P<module>[\w./]+?)(?:/__init__)?\.py:(?P<name>\w+)")


def meant(target: str) -> str:
    """Return the builder's name to write in place of the file in `target`, as the end of a message; else nothing.

    >>> meant("benchmarks/work.py:build")
    '; did you mean benchmarks.work:build?'
    """
    found = _FILE.fullmatch(target)
    name = "" if found is None else f"{found['module'].replace('/', '.')}:{found['name']}"
    return f"; did you mean {name}?" if BUILDER.fullmatch(name) else ""


class Build(protocol.Message, frozen=True):
    """Call the builder `target`, found along the module search `path`, and run what it returns.

    With `own`, what stands in `path` comes before this process's own search path, else in its place. With `warm_up`,
    the runs that come before any time is taken are done at once. With `count`, the first of them is looked at, to count
    what it does. `arguments` are the builder's keyword arguments. A timed round has `lead_in` seconds of untimed
    runs before it.
    """

    target: str
    path: tuple[str, ...]
    own: bool = False
    warm_up: bool = True
    count: bool = False
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    lead_in: float = 0.0


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


class Answers(protocol.Message, frozen=True):
    """Send what is compared with the other side's: the output of a run, or what the work says is.

    `again`: it was compared before, and a part of it is enough. `plain`: objects are sent as plain values, for their
    classes may not be known where they are read.
    """

    again: bool = False
    plain: bool = False


class Count(protocol.Message, frozen=True):
    """Count the work of a run, where it can be counted."""


class Counted(protocol.Message, frozen=True):
    """The `work` of a run, counted; None where nothing tells."""

    work: CountedWork | None


class Repeat(protocol.Message, frozen=True):
    """From now on let a round be `count` runs."""

    count: int


class Run(protocol.Message, frozen=True):
    """Run once and send the output; `again`: with all outputs that were handed out before spoiled meanwhile."""

    again: bool = False


class Output(protocol.Message, frozen=True):
    """The pickled output, its tensors as NumPy arrays, in `content`."""

    content: bytes

    @classmethod
    def of(cls, value: Any) -> Output:
        """Return the message that holds `value`.

        Raises: ConfigError for a value that cannot be sent to another process, as a generator.
        """
        try:
            return cls(content=pickle.dumps(value))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise ConfigError(
                f"the output, {type(value).__name__}, cannot be compared ({error}); return numbers, texts or arrays"
            ) from None

    def value(self) -> Any:
        """Return the output. A pickle is trusted: it is of a process that runs the user's own code, as this one may.

        Raises: whatever unpickling raises, as where a type of the worker's is not known here.
        """
        return pickle.loads(self.content)  # noqa: S301


Request = Build | WarmUp | Answers | Count | Repeat | Run | protocol.Plant | protocol.TimeBatch | protocol.Stop
Reply = Built | Counted | Output | protocol.Planted | protocol.Timed | protocol.Failed


def main() -> None:
    """Serve requests until the parent stops or ends."""
    serve(int(sys.argv[1]), _Worker().answer, Request)


class _Worker:
    """What was built, with a clock."""

    def __init__(self) -> None:
        self._runs: TimedRuns | None = None
        self._origin = ""
        self._handed_out: Any = None
        self._counted: CountedWork | None = None

    def answer(self, request: msgspec.Struct) -> msgspec.Struct:
        """Do what is asked."""
        if isinstance(request, Build):
            return self._build(request)
        if self._runs is None:
            raise ConfigError(f"{type(request).__name__} before Build; expected Build first")
        return self._answer_built(self._runs, request)

    def _answer_built(self, runs: TimedRuns, request: msgspec.Struct) -> msgspec.Struct:
        """Do what only work that was built can do."""
        answers: dict[type[msgspec.Struct], Callable[[Any], msgspec.Struct]] = {
            protocol.TimeBatch: lambda asked: protocol.Timed(seconds=runs(asked.number)),
            protocol.Plant: lambda asked: protocol.Planted(fraction=runs.plant(asked.fraction)),
            Repeat: lambda asked: self._repeat(runs, asked.count),
            WarmUp: lambda _: self._built(runs.warm_up()),
            Answers: lambda asked: Output.of(
                (plain_values if asked.plain else to_host)(runs.compared(again=asked.again))
            ),
            Count: lambda _: Counted(work=runs.counted() or self._counted),
            Run: lambda asked: self._run(runs, again=asked.again),
        }
        return answers[type(request)](request)

    def _repeat(self, runs: TimedRuns, count: int) -> Built:
        runs.repeats = count
        return self._built(runs.round())

    def _built(self, seconds: float) -> Built:
        return Built(
            seconds=seconds,
            origin=self._origin,
            peak_bytes=resources.peak_memory(),
            pages=resources.pages(small=asks_for_huge_pages(os.environ)).kind,
        )

    def _run(self, runs: TimedRuns, *, again: bool) -> Output:
        if again:
            return Output.of(runs.output_anew(self._handed_out))
        self._handed_out = runs.output()
        return Output.of(to_host(self._handed_out))

    def _build(self, request: Build) -> Built:
        sys.path[:] = [*request.path, *(sys.path if request.own else ())]
        module, builder = _builder(request.target)
        _require_no_arguments(request.target, builder, request.arguments)
        work = as_work(builder(**request.arguments), origin=f"what {request.target} returns")
        self._runs = TimedRuns(work, lead_in=request.lead_in)
        self._origin = str(getattr(module, "__file__", "") or "")
        if request.count and not self._runs.counts:
            self._counted = count_first_run(self._runs.output)
        return self._built(self._runs.warm_up() if request.warm_up else 0.0)


def _builder(target: str) -> tuple[ModuleType, Any]:
    """Return the module of a builder, and the builder.

    Raises: AttributeError, with the nearest name, where the module has none; whatever importing the module raises.
    """
    name, _, attribute = target.partition(":")
    module = importlib.import_module(name)
    try:
        return module, getattr(module, attribute)
    except AttributeError as error:
        near = difflib.get_close_matches(attribute, [one for one in vars(module) if not one.startswith("_")], n=1)
        raise AttributeError(f"{error}{f'; did you mean {near[0]}?' if near else ''}") from None


def _require_no_arguments(target: str, builder: Any, given: Mapping[str, Any]) -> None:
    """Raise ConfigError when `builder` needs more arguments than are `given`."""
    try:
        parameters = inspect.signature(builder).parameters.values()
    except (TypeError, ValueError):  # nothing to call, or a builtin that does not tell
        return
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [
        one.name
        for one in parameters
        if one.default is inspect.Parameter.empty and one.kind not in variadic and one.name not in given
    ]
    if needed:
        said, name = ", ".join(needed), target.partition(":")[2]
        raise ConfigError(
            f"{target} is no builder: it needs {said}; a builder takes no arguments and returns what is timed, which "
            f"takes none either: def build(): {said} = ...; return lambda: {name}({said})"
        )


if __name__ == "__main__":
    main()
