"""The two sides of a comparison of revisions: whose files, whose Python, and the process that runs a builder of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import nqperf
from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.files import scratch_folder
from nqperf.formats.project_files import dependency_digest
from nqperf.perf.machine.environment import Pages, common_environment, page_environment, untraced
from nqperf.perf.revisions.environments import environment_for
from nqperf.perf.revisions.git import Commit, Repository
from nqperf.perf.workers import builder_worker, protocol
from nqperf.perf.workers.process import WorkerProcess
from nqperf.records.revisions import RevisionSide

_SOURCE_FOLDERS = ("src",)
# More threads than cores wait for each other in loops, and take the time of those that compute.
_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    "TF_NUM_INTRAOP_THREADS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side: `record` is what is said of it, `root` the folder with its files, `python` its interpreter.

    `own` says that the interpreter's own libraries are its, else they are this process's.
    """

    record: RevisionSide
    root: Path
    python: str = sys.executable
    own: bool = False

    def search_path(self, project: Path) -> tuple[str, ...]:
        """Return where its process looks for modules: its own files first, and nothing of the other side's.

        `project` is the folder of the change's files: what stands in it on this process's path is looked for in `root`.
        """
        first = [str(self.root), *(str(self.root / name) for name in _SOURCE_FOLDERS if (self.root / name).is_dir())]
        if self.own:
            return tuple(first)
        rest = [str(_moved(Path(entry), project, self.root)) for entry in sys.path if entry]
        return tuple(dict.fromkeys([*first, *rest]))


def _moved(entry: Path, project: Path, root: Path) -> Path:
    """Return a folder of the project as it is at `root`; an environment that lies in the project stays where it is."""
    if not entry.is_relative_to(project) or "site-packages" in entry.parts:
        return entry
    return root / entry.relative_to(project)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseAsked:
    """Which base is asked for: one of a revision, a folder, and another Python; units: none.

    Raises: ConfigError unless at least one is named, or when a revision and a folder are.
    """

    revision: str | None = None
    path: Path | None = None
    python: str | None = None

    def __post_init__(self) -> None:
        if self.revision is None and self.path is None and self.python is None:
            raise ConfigError("no base is named; expected --base REVISION, --base-path FOLDER or --base-python PYTHON")
        if self.revision is not None and self.path is not None:
            raise ConfigError("--base and --base-path are both given; name one: a revision, or a folder with its files")


def project_of(folder: Path) -> tuple[Path, Repository | None]:
    """Return the folder of the project that `folder` lies in, and its repository where it has one."""
    try:
        repository = Repository.around(folder)
    except ConfigError:
        return folder, None
    return repository.root, repository


@contextmanager
def both_sides(asked: BaseAsked, folder: Path) -> Iterator[tuple[Side, Side]]:
    """Yield base and change for the project that `folder` lies in; what was made for the base goes with the block.

    Raises: ConfigError for a revision without a repository, or as `Repository`, `environment_for` and `python_of`.
    """
    project, repository = project_of(folder)
    change = Side(record=_change_record(repository), root=project)
    if asked.revision is not None:
        repository = Repository.around(folder)
        commit = repository.commit(asked.revision)
        with repository.checked_out(commit) as place:
            yield side_of_commit(commit, place, project, label=asked.revision, named=asked.python), change
        return
    named = asked.python is not None
    root = project if asked.path is None else _folder(asked.path)
    label = str(asked.path if asked.path is not None else asked.python)
    record = RevisionSide(label=label, environment="named" if named else "shared")
    yield Side(record=record, root=root, python=python_of(asked.python), own=named), change


def side_of_commit(
    commit: Commit, place: Path, project: Path, *, label: str | None = None, named: str | None = None
) -> Side:
    """Return the side of a commit whose files stand at `place`, with the libraries that it says it needs.

    `project` is the folder of the change's files, whose libraries are shared where both say the same of them. `label`
    is what people call the commit, `named` another Python that is to run it.
    Raises: ConfigError as `environment_for` and `python_of`.
    """
    environment: Literal["shared", "its own", "named"] = "shared"
    python = sys.executable
    if named is not None:
        environment, python = "named", python_of(named)
    elif dependency_digest(place) != dependency_digest(project):
        environment, python = "its own", environment_for(place)
    record = RevisionSide(
        label=label or commit.short, commit=commit.sha, subject=commit.subject, environment=environment
    )
    return Side(record=record, root=place, python=python, own=environment != "shared")


def _change_record(repository: Repository | None) -> RevisionSide:
    if repository is None:
        return RevisionSide(label="the working tree")
    head = repository.commit("HEAD")
    return RevisionSide(
        label="the working tree",
        commit=head.sha,
        subject=head.subject,
        branch=repository.branch(),
        dirty=repository.dirty(),
    )


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ConfigError(f"--base-path {path} is no folder; expected one with the base's files")
    return path.resolve()


def python_of(named: str | None) -> str:
    """Return the interpreter of that name, or of the environment in that folder; this process's where None.

    Raises: ConfigError when it does not run, or cannot import what a worker needs.
    """
    if named is None:
        return sys.executable
    path = Path(named)
    python = str(path / "bin" / "python") if path.is_dir() else named
    script = "import sys, numpy, msgspec; sys.exit(sys.version_info < (3, 10))"
    try:
        done = subprocess.run([python, "-c", script], capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"--base-python {named} does not run ({error}); expected a Python of 3.10 or later") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it is older than 3.10"]
        raise ConfigError(f"--base-python {named}: {words[0]}; it needs 3.10 or later, with: pip install numpy msgspec")
    return python


@contextmanager
def package_alone() -> Iterator[Path]:
    """Yield a folder that holds this package and nothing else, for a Python with libraries of its own."""
    with scratch_folder() as scratch:
        (scratch / "nqperf").symlink_to(Path(nqperf.__file__).parent, target_is_directory=True)
        yield scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """How a side's process is started; units: seconds.

    `alone` is a folder of `package_alone`, `project` that of the change's files. `cores` are those that the process
    starts on, and as many threads are asked of libraries; None: all.
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
        """Run a round and return the seconds of one run in it."""

    def repeat(self, count: int) -> None:
        """Let a round be so many runs from now on."""

    def output(self) -> Any:
        """Run once and return the output."""

    def end(self) -> None:
        """End the process."""


class BuilderProcess:
    """A builder of one side in a process of its own, built and warm: a RevisionProcess.

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
        """Run a round and return the seconds of one run in it."""
        request = protocol.TimeBatch(number=number)
        return self._worker.ask(request, protocol.Timed, timeout=self._starting.run_seconds).seconds

    def repeat(self, count: int) -> None:
        """Let a round be so many runs from now on."""
        built = self._worker.ask(
            builder_worker.Repeat(count=count), builder_worker.Built, timeout=self._starting.run_seconds
        )
        self.peak_bytes = built.peak_bytes

    def output(self) -> Any:
        """Run once and return the output, its tensors as NumPy arrays."""
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
