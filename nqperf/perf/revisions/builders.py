"""The process that runs a builder of one side, and how it is started."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import nqperf
from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.files import scratch_folder
from nqperf.perf.machine.environment import Pages, common_environment, page_environment, untraced
from nqperf.perf.revisions.sides import Side
from nqperf.perf.workers import builder_worker, protocol
from nqperf.perf.workers.process import WorkerProcess

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

    `target` is the builder, "module:function", `pages` the memory pages that are asked for. A process may take
    `build_seconds` to build and warm up, `run_seconds` for a round. `alone` is a folder of `package_alone`, `project`
    that of the change's files. `cores` are those that the process starts on, and as many threads are asked of
    libraries; None: all.
    """

    target: str
    project: Path
    alone: Path
    pages: Pages = "huge"
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    cores: frozenset[int] | None = None

    def threads(self) -> dict[str, str]:
        """Return the variables that ask libraries for as many threads as there are cores."""
        return {} if self.cores is None else dict.fromkeys(_THREADS, str(len(self.cores)))


class RevisionProcess(Protocol):
    """One side's process as a comparison sees it.

    `warm_up_seconds` are those of one run after the first ones, `start_seconds` all until then, `peak_bytes` the most
    memory that it ever held, as far as it told; units: seconds, bytes.
    """

    warm_up_seconds: float
    start_seconds: float
    peak_bytes: int | None

    @property
    def pid(self) -> int:
        """The process's number."""

    def batch(self, number: int) -> float:
        """Run the round of that `number` and return the seconds of one run in it."""

    def repeat(self, count: int) -> None:
        """Let a round be `count` runs from now on."""

    def output(self) -> Any:
        """Run once and return the output."""

    def end(self) -> None:
        """End the process."""


class BuilderProcess:
    """A builder of one side in a process of its own, built and warm: a RevisionProcess.

    `name` is what messages call it, `side` whose files it runs, `starting` how it is started.

    Raises: WorkerError when it does not build; ConfigError when its module is not one of the side's own files.
    """

    def __init__(self, name: str, side: Side, starting: Starting) -> None:
        began = time.perf_counter()
        self._starting = starting
        inherited = {
            name: value for name, value in untraced(os.environ).items() if name != "PYTHONPATH" or not side.own
        }
        environment = {**inherited, **starting.threads(), **page_environment(starting.pages, inherited)}
        environment = (
            {**environment, "PYTHONPATH": str(starting.alone)} if side.own else common_environment(environment)
        )
        self._worker = WorkerProcess(
            name,
            environment,
            module="nqperf.perf.workers.builder_worker",
            replies=builder_worker.Reply,
            python=side.python,
            cores=starting.cores,
        )
        try:
            path = side.search_path(starting.project)
            request = builder_worker.Build(target=starting.target, path=path, own=side.own)
            built = self._worker.ask(request, builder_worker.Built, timeout=starting.build_seconds)
            self._check_origin(built.origin, side)
        except BaseException:
            self._worker.end()
            raise
        self.warm_up_seconds, self.peak_bytes = built.seconds, built.peak_bytes
        self.start_seconds = time.perf_counter() - began

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

    def output(self) -> Any:
        """Run once and return the output, its tensors as NumPy arrays.

        Raises: NqPerfError as the worker does, and for an output that cannot be read in this process.
        """
        said = self._worker.ask(builder_worker.Run(), builder_worker.Output, timeout=self._starting.build_seconds)
        try:
            return pickle.loads(said.content)  # noqa: S301  # of a process that runs the user's own code
        except Exception as error:  # noqa: BLE001  # whatever unpickling a type of the other side raises
            raise NqPerfError(
                f"the output cannot be read here ({type(error).__name__}: {error}); return numbers or arrays"
            ) from None

    def end(self) -> None:
        """End the process."""
        self._worker.end()

    def _check_origin(self, origin: str, side: Side) -> None:
        """Raise unless the builder's module is one of the side's own files, or both sides have the same files."""
        if side.root == self._starting.project or Path(origin).resolve().is_relative_to(side.root.resolve()):
            return
        raise ConfigError(
            f"{self._starting.target} of {side.record.label} was imported from {origin or 'somewhere else'}, not from "
            f"its own files: install the project in editable mode, or name an environment by --base-python"
        )
