"""The environment that a process is started with: its own switches, and nothing of the caller's that is a switch."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import nqperf
from nqperf.engines.registry import EngineRow
from nqperf.errors import ConfigError
from nqperf.perf.machine import resources

# A waiting OpenMP thread must sleep at once: the other worker of the pair computes meanwhile.
_COMMON_ENVIRONMENT = {"KMP_BLOCKTIME": "0", "OMP_WAIT_POLICY": "passive"}
# Variables of glibc's malloc are switches of rows, so no worker has the caller's.
_MALLOC = "MALLOC_"
_TUNABLES = "GLIBC_TUNABLES"
# Nothing is timed under them: coverage.py and pytest-cov start themselves in every process that has these variables.
_TRACING = ("COV_CORE_", "COVERAGE_PROCESS_")
# What may stand in the caller's environment that makes a process trace, or stop, itself.
_DEBUGGING = frozenset({"PYTHONBREAKPOINT", "PYTHONFAULTHANDLER", "PYTHONDEVMODE", "PYTHONPROFILEIMPORTTIME"})
# pytest's name of the test that runs: each has another, and what was seen of a machine is known by the environment.
_OF_A_TEST = "PYTEST_CURRENT_TEST"

Pages = Literal["huge", "plain"]
# glibc then asks the system for huge pages: equal processes differ less by where their memory lies.
_HUGE_PAGES = "glibc.malloc.hugetlb=1"
# Arrays of up to 32 MiB, the most that glibc allows, then lie in its heap. One that it maps alone, as it does from 128
# KiB on, is too small for a huge page: processes that multiply 360 kB were 12 % apart, and are 3 % apart so.
_IN_HEAP = "glibc.malloc.mmap_threshold=33554432"


def check_pages(pages: str) -> None:
    """Raise ConfigError unless `pages` is a kind of pages."""
    if pages not in get_args(Pages):
        raise ConfigError(f"pages is {pages!r}; expected one of {', '.join(get_args(Pages))}")


def page_environment(pages: Pages, inherited: Mapping[str, str], *, in_heap: bool = False) -> dict[str, str]:
    """Return the variables that make a process's memory lie on such `pages`; none where the machine does not allow it.

    What the `inherited` environment says to glibc is kept. With `in_heap` arrays too small for a huge page of their own
    share some: for a builder in two revisions. An engine's rows keep glibc's way of giving memory, which some of them
    change.
    """
    if pages == "plain" or not resources.allows_huge_pages():
        return {}
    wanted = (inherited.get(_TUNABLES), _HUGE_PAGES, _IN_HEAP if in_heap else None)
    return {_TUNABLES: ":".join(filter(None, wanted))}


def asks_for_huge_pages(environment: Mapping[str, str]) -> bool:
    """Return whether a process with this `environment` asks for huge pages of memory."""
    return _HUGE_PAGES in environment.get(_TUNABLES, "").split(":")


def worker_environment(
    engine: EngineRow,
    requested: Mapping[str, str],
    inherited: Mapping[str, str] | None = None,
    *,
    pages: Pages = "plain",
) -> dict[str, str]:
    """Return the environment of a worker: `inherited` (None: this process's) with the variant's switches alone.

    `engine` is what the worker runs, `requested` are the variant's variables, and `pages` is the kind of memory pages
    to ask for. The engine's variables that are switches, and those of malloc, do not come from the caller.
    """
    inherited = os.environ if inherited is None else inherited
    kind = engine.engine_type()
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in kind.switch_variables and not name.startswith(_MALLOC) and name != _OF_A_TEST
    }
    if _TUNABLES in kept:
        tunables = [one for one in kept[_TUNABLES].split(":") if not one.startswith("glibc.malloc.")]
        kept[_TUNABLES] = ":".join(tunables)
    own = {**_COMMON_ENVIRONMENT, **kind.environment, **kind.gpu_sharing}
    wanted = {**untraced(kept), **own, **requested}
    return common_environment({**wanted, **page_environment(pages, wanted)})


def untraced(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` without what makes a process trace itself."""
    return {
        name: value for name, value in environment.items() if not name.startswith(_TRACING) and name not in _DEBUGGING
    }


# Python puts the working directory first on a process's path, as an empty name, for `-m` and for `-c`: what lies there
# must not be imported in place of a library. It does so last of all, so nothing was imported from there before this.
_RUN = (
    "import sys; sys.path[:] = filter(None, sys.path); import runpy; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def python_command(module: str, *arguments: str, python: str | None = None) -> list[str]:
    """Return the command that runs `module` in a new Python, with `arguments`, and without the working directory.

    `python` is the interpreter, this process's where None.

    Example: python_command("nqperf.perf.workers.worker", "4711").
    """
    return [python or sys.executable, "-c", _RUN, module, *arguments]


def common_environment(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return `wanted` so that a worker with it runs this package as it runs here, whatever its working directory."""
    root = str(Path(nqperf.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (root, wanted.get("PYTHONPATH"))))
    return {**_COMMON_ENVIRONMENT, **wanted, "PYTHONPATH": paths}
