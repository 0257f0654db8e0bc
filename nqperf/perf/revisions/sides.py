"""The two sides of a comparison of revisions: whose files, whose Python, and the process that runs a builder of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nqperf.errors import ConfigError
from nqperf.formats.files import scratch_folder, write_whole
from nqperf.formats.project_files import dependency_digest, to_install
from nqperf.formats.reading import exists, read_whole
from nqperf.perf.revisions.environments import environment_for
from nqperf.perf.revisions.git import Commit, Repository
from nqperf.records.revisions import RevisionSide

_SOURCE_FOLDERS = ("src",)
_BENCHMARK_FOLDERS = ("benchmarks", "benchmark", "tests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side: `record` is what is said of it, `root` the folder with its files, `python` its interpreter.

    `own` says that the interpreter's own libraries are its, else they are this process's. `package` is the folder that
    nqperf itself is imported from in its process: that of a revision of nqperf has its own, all others this one's
    (None). With `installed` it is the one among the interpreter's libraries. `lent` names the file of a benchmark that
    the revision does not have and the change's is put in place of. `benchmarks` is a folder with the base's benchmarks,
    where the change has others; `by_base` tells that they come before the side's own files.
    """

    record: RevisionSide
    root: Path
    python: str = sys.executable
    own: bool = False
    package: Path | None = None
    installed: bool = False
    lent: str | None = None
    benchmarks: Path | None = None
    by_base: bool = False

    def search_path(self, project: Path) -> tuple[str, ...]:
        """Return where its process looks for modules: its own files first, and nothing of the other side's.

        `project` is the folder of the change's files: what stands in it on this process's path is looked for in `root`.
        """
        roots = [self.root, *(self.root / name for name in _SOURCE_FOLDERS if (self.root / name).is_dir())]
        before = self.benchmarks if self.by_base else None
        first = [str(each) for each in (before, *roots) if each is not None]
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
    """Which base is asked for: a `revision`, a folder at `path`, and another `python`; None for what is not named.

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
def both_sides(
    asked: BaseAsked, folder: Path, *, rows: bool = False, target: str | None = None
) -> Iterator[tuple[Side, Side]]:
    """Yield base, as `asked`, and change for the project that `folder` lies in.

    What was made for the base goes with the block. With `rows`, the suite's own rows are compared: then a Python that
    has nqperf among its libraries runs that one. `target` is the builder that both are to run, "module:build": a
    revision from before its file was written is lent it.

    Raises: ConfigError for a revision without a repository, or as `Repository`, `environment_for` and `python_of`.
    """
    project, repository = project_of(folder)
    change = Side(record=_change_record(repository), root=project, package=own_package(project))
    if asked.revision is not None:
        repository = Repository.around(folder)
        commit = repository.commit(asked.revision)
        with repository.checked_out(commit) as place:
            # A commit's whole name, as a workflow gives it, is too long for a sentence.
            label = commit.short if commit.sha == asked.revision else asked.revision
            base = side_of_commit(commit, place, project, label=label, named=asked.python, target=target)
            with with_benchmark_of_base(target, (base, change)) as sides:
                yield sides
        return
    named = asked.python is not None
    root = project if asked.path is None else _folder(asked.path)
    label = str(asked.path if asked.path is not None else asked.python)
    record = RevisionSide(label=label, environment="named" if named else "shared")
    python = python_of(asked.python)
    installed = rows and named and asked.path is None and _has_nqperf(python)
    package = None if installed else own_package(root)
    base = Side(record=record, root=root, python=python, own=named, package=package, installed=installed)
    with with_benchmark_of_base(target, (base, change)) as sides:
        yield sides


def side_of_commit(
    commit: Commit,
    place: Path,
    project: Path,
    *,
    label: str | None = None,
    named: str | None = None,
    target: str | None = None,
) -> Side:
    """Return the side of `commit`, whose files stand at `place`, with the libraries that it says it needs.

    `project` is the folder of the change's files, whose libraries are shared where both say the same of them, or the
    commit says nothing. `label`
    is what people call the commit, `named` another Python that is to run it, `target` the builder that it runs.
    Raises: ConfigError as `environment_for` and `python_of`.
    """
    environment: Literal["shared", "its own", "named"] = "shared"
    python = sys.executable
    if named is not None:
        environment, python = "named", python_of(named)
    elif to_install(place) and dependency_digest(place) != dependency_digest(project):
        environment, python = "its own", environment_for(place)
    record = RevisionSide(
        label=label or commit.short, commit=commit.sha, subject=commit.subject, environment=environment
    )
    return Side(
        record=record,
        root=place,
        python=python,
        own=environment != "shared",
        package=own_package(place),
        lent=target and _lend(target, place, project),
    )


@contextmanager
def with_benchmark_of_base(target: str | None, sides: tuple[Side, Side]) -> Iterator[tuple[Side, Side]]:
    """Yield base and change, the `sides`, the change with the base's benchmarks at hand where those of `target` differ.

    Both are measured then, so that no change loosens its own gate by what it measures.
    """
    # A base that is lent the benchmark has none of its own.
    place = None if target is None or sides[0].lent else own_benchmarks(target, sides)
    if place is None:
        yield sides
        return
    base, change = sides
    with scratch_folder() as folder:
        mine = folder / place.name
        mine.mkdir()
        for each in (base.root / place).iterdir():
            (mine / each.name).symlink_to(each.resolve())
        # A package comes before a folder without this file, wherever that stands.
        if not (mine / "__init__.py").exists():
            (mine / "__init__.py").touch()
        yield base, replace(change, benchmarks=folder)


def own_benchmarks(target: str, sides: tuple[Side, Side]) -> Path | None:
    """Return the folder of the benchmark `target`, "module:build", where what the base has in it is not the change's.

    `sides` are both. A benchmark stands in a folder for such; what a builder elsewhere does is the work that is
    compared. Modules that only the change has say nothing, but for those that are run with a package.
    """
    module = Path(*target.partition(":")[0].split("."))
    if module.parts[0] not in _BENCHMARK_FOLDERS:
        return None
    for folder in ("", *_SOURCE_FOLDERS):
        # The change may have made a package of the base's module.
        file, package = sides[0].root / folder / module.with_suffix(".py"), sides[0].root / folder / module
        if file.is_file() or (package / "__init__.py").is_file():
            place = folder / Path(module.parts[0])
            base, change = (_modules(side.root / place) for side in sides)
            added = any(name not in base and Path(name).name == "__init__.py" for name in change)
            return place if added or any(change.get(name) != held for name, held in base.items()) else None
    return None


def _modules(folder: Path) -> dict[str, bytes]:
    """Return the content of the modules in `folder` and below, by their paths."""
    files = sorted(each for each in folder.rglob("*.py") if each.is_file())
    return {str(each.relative_to(folder)): read_whole(each, what="a benchmark") for each in files}


def _lend(target: str, place: Path, project: Path) -> str | None:
    """Lend the file of the builder `target` from `project` to `place` where only that lacks it; return its name.

    So the first change that brings a benchmark is measured too, and commits from before it. What stands beside it in a
    folder of benchmarks and is not in `place`, such as its input, is lent with it.
    """
    module = Path(*target.partition(":")[0].split("."))
    for folder in ("", *_SOURCE_FOLDERS):
        file = folder / module.with_suffix(".py")
        if (project / file).is_file() and not (place / file).exists() and not (place / folder / module).exists():
            package = file.with_name("__init__.py")
            for each in (file, package) if (project / package).is_file() else (file,):
                if not (place / each).exists():
                    (place / each).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(place / each, read_whole(project / each, what="a benchmark"))
            if module.parts[0] in _BENCHMARK_FOLDERS:
                _lend_beside(folder / Path(module.parts[0]), place, project)
            return str(file)
    return None


def _lend_beside(folder: Path, place: Path, project: Path) -> None:
    """Link the files of `folder` in `project` that `place` lacks: they may be large, and are read alone."""
    for each in sorted(path for path in (project / folder).rglob("*") if path.is_file()):
        there = place / each.relative_to(project)
        if "__pycache__" not in each.parts and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(each.resolve())


def own_package(root: Path) -> Path | None:
    """Return the folder in the project at `root` that nqperf is imported from, None where the project is another."""
    places = (root, *(root / name for name in _SOURCE_FOLDERS))
    return next((place for place in places if (place / "nqperf" / "__init__.py").is_file()), None)


def _has_nqperf(python: str) -> bool:
    """Return whether nqperf is among the libraries of an interpreter."""
    command = [python, "-I", "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('nqperf') is None)"]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0


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
    """Return the interpreter `named`, or of the environment in that folder; this process's where None.

    Raises: ConfigError when it does not run, or cannot import what a worker needs.
    """
    if named is None:
        return sys.executable
    path = Path(named)
    python = str(path / "bin" / "python") if exists(path) and path.is_dir() else named
    script = "import sys, numpy, msgspec; sys.exit(sys.version_info < (3, 10))"
    try:
        done = subprocess.run([python, "-c", script], capture_output=True, timeout=120, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"--base-python {named} does not run ({error}); expected a Python of 3.10 or later") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it is older than 3.10"]
        raise ConfigError(f"--base-python {named}: {words[0]}; it needs 3.10 or later, with: pip install numpy msgspec")
    return python
