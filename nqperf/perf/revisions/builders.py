"""The process that runs a builder of one side, and how it is started."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import nqperf
from nqperf.engines.registry import EngineRow
from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.files import scratch_folder
from nqperf.perf.machine.environment import (
    Pages,
    common_environment,
    page_environment,
    untraced,
    worker_environment,
)
from nqperf.perf.measuring.work import LEAD_IN
from nqperf.perf.revisions.sides import Side
from nqperf.perf.workers import builder_worker, protocol
from nqperf.perf.workers.process import WorkerError, WorkerProcess
from nqperf.records.work import CountedWork

# More threads than cores wait for each other in loops, and take the time of those that compute.
_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    "TF_NUM_INTRAOP_THREADS",
)


@contextmanager
def package_alone() -> Iterator[Path]:
    """Yield a folder that holds this package and nothing else, for a Python with libraries of its own."""
    with scratch_folder() as scratch:
        (scratch / "nqperf").symlink_to(Path(nqperf.__file__).parent, target_is_directory=True)
        yield scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """How a side's process is started; units: seconds.

    `target` is the builder, "module:function", `arguments` what it is called with, and `pages` the memory pages that
    are asked for. A process may take `build_seconds` to build and warm up, `run_seconds` for a round. `alone` is a
    folder of `package_alone`, `project` that of the change's files. `cores` are those that the process starts on, and
    as many threads are asked of libraries; None: all. `engine` is the row of the engine that it runs, with the
    variables of `switches`; None where it is no row of the suite. `plain`: its output comes as `plain_values`.
    """

    target: str
    project: Path
    alone: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    pages: Pages = "huge"
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    cores: frozenset[int] | None = None
    engine: EngineRow | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False

    def environment(self, side: Side) -> dict[str, str]:
        """Return the environment of a process of `side`."""
        inherited = untraced(os.environ)
        if side.own:
            inherited.pop("PYTHONPATH", None)
        threads = {} if self.cores is None else dict.fromkeys(_THREADS, str(len(self.cores)))
        if self.engine is None:
            pages = page_environment(self.pages, inherited, in_heap=True)
            wanted = common_environment({**inherited, **threads, **pages})
        else:
            wanted = worker_environment(self.engine, {**threads, **self.switches}, inherited, pages=self.pages)
        if side.package is not None:
            wanted["PYTHONPATH"] = os.pathsep.join(filter(None, (str(side.package), inherited.get("PYTHONPATH"))))
        elif side.installed:
            del wanted["PYTHONPATH"]
        elif side.own:
            wanted["PYTHONPATH"] = str(self.alone)
        return wanted


class RevisionProcess(Protocol):
    """One side's process as a comparison sees it; it starts when it is made.

    `warm_up_seconds` are those of one run after the first ones, `start_seconds` all until then, `peak_bytes` the most
    memory that it ever held, as far as it told; units: seconds, bytes. They are known once it is `ready`.
    """

    warm_up_seconds: float
    start_seconds: float
    peak_bytes: int | None

    @property
    def pid(self) -> int:
        """The process's number."""

    def ready(self) -> None:
        """Wait until it can be timed."""

    def batch(self, number: int) -> float:
        """Run the round of that `number` and return the seconds of one run in it."""

    def repeat(self, count: int) -> None:
        """Let a round be `count` runs from now on."""

    def output(self, *, again: bool = False) -> Any:
        """Return what is compared with the other side's; a part of it where it was compared before (`again`)."""

    def work(self) -> CountedWork | None:
        """Return what a run does, counted; None where nothing tells."""

    def end(self) -> None:
        """End the process."""


class BuilderProcess:
    """A builder of one side in a process of its own: a RevisionProcess.

    `name` is what messages call it, `side` whose files it runs, `starting` how it is started. `warm_up_seconds`,
    `start_seconds` and `peak_bytes` are as there.
    """

    warm_up_seconds = start_seconds = math.nan
    peak_bytes: int | None = None

    def __init__(self, name: str, side: Side, starting: Starting) -> None:
        self._began = time.perf_counter()
        self._starting, self._side = starting, side
        self._worker = WorkerProcess(
            name,
            starting.environment(side),
            module="nqperf.perf.workers.builder_worker",
            replies=builder_worker.Reply,
            python=side.python,
            cores=starting.cores,
        )
        try:
            self._worker.send(protocol.Hello(version=protocol.VERSION))
            path = () if starting.arguments else side.search_path(starting.project)
            arguments = dict(starting.arguments)
            own = side.own or not path
            request = builder_worker.Build(
                target=starting.target,
                path=path,
                own=own,
                count=True,
                arguments=arguments,
                # In a duet a side keeps its cores while the other one runs.
                lead_in=LEAD_IN if starting.cores is None else 0.0,
            )
            self._worker.send(request)
        except BaseException:
            self._worker.end()
            raise

    def ready(self) -> None:
        """Wait until it is built and warm.

        Raises: WorkerError when it does not build; ConfigError when it speaks another version, or its module is not one
        of the side's own files.
        """
        timeout = self._starting.build_seconds
        self._check_version(timeout)
        built = self._worker.reply_to(builder_worker.Build, builder_worker.Built, timeout=timeout)
        self._check_origin(built.origin)
        self.warm_up_seconds, self.peak_bytes = built.seconds, built.peak_bytes
        self.start_seconds = self._worker.replied - self._began

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._worker.pid

    def batch(self, number: int) -> float:
        """Run the round of that `number` and return the seconds of one run in it."""
        request = protocol.TimeBatch(number=number)
        return self._worker.ask(request, protocol.Timed, timeout=self._starting.run_seconds).seconds

    def repeat(self, count: int) -> None:
        """Let a round be `count` runs from now on."""
        built = self._worker.ask(
            builder_worker.Repeat(count=count), builder_worker.Built, timeout=self._starting.run_seconds
        )
        self.peak_bytes = built.peak_bytes

    def output(self, *, again: bool = False) -> Any:
        """Return what is compared with the other side's, its tensors as NumPy arrays; a part of it where `again`.

        Raises: NqPerfError as the worker does, and for an output that cannot be read in this process.
        """
        asked = builder_worker.Answers(again=again, plain=self._starting.plain)
        said = self._worker.ask(asked, builder_worker.Output, timeout=self._starting.build_seconds)
        try:
            return said.value()
        except Exception as error:  # noqa: BLE001  # whatever unpickling a type of the other side raises
            raise NqPerfError(
                f"the output cannot be read here ({type(error).__name__}: {error}); return numbers or arrays"
            ) from None

    def work(self) -> CountedWork | None:
        """Return what a run does, counted; None where nothing tells."""
        asked = builder_worker.Count()
        return self._worker.ask(asked, builder_worker.Counted, timeout=self._starting.build_seconds).work

    def end(self) -> None:
        """End the process."""
        self._worker.end()

    def _check_version(self, timeout: float) -> None:
        """Raise ConfigError unless the side's nqperf speaks this one's version of the workers' protocol."""
        whose = f"the nqperf of {self._side.record.label}"
        try:
            said = self._worker.reply_to(protocol.Hello, protocol.Hello, timeout=timeout).version
        except WorkerError as error:
            if self._side.package is None and not self._side.installed:
                raise
            raise ConfigError(
                f"{whose} speaks no known version of the workers' protocol; expected {protocol.VERSION}, as this one "
                f"speaks: name a base that is not older ({error})"
            ) from None
        if said != protocol.VERSION:
            raise ConfigError(
                f"{whose} speaks version {said} of the workers' protocol; expected {protocol.VERSION}, as this nqperf "
                "speaks: start the nqperf of that revision, or name a base that speaks it"
            )

    def _check_origin(self, origin: str) -> None:
        """Raise unless the builder's module is one of the side's own files, or both sides have the same files."""
        side, starting = self._side, self._starting
        root = side.package if starting.arguments else side.root
        if root is None or root == starting.project or Path(origin).resolve().is_relative_to(root.resolve()):
            return
        raise ConfigError(
            f"{starting.target} of {side.record.label} was imported from {origin or 'somewhere else'}, not from "
            f"its own files: install the project in editable mode, or name an environment by --base-python"
        )
