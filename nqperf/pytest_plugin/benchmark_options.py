"""The values of pytest-benchmark's options: what would end in a traceback is refused in a line instead."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest

GROUPINGS = ("group", "name", "func", "fullname", "fullfunc", "param")


def check_values(config: pytest.Config) -> None:
    """Raise UsageError for an option of pytest-benchmark that would end in a traceback, now or after the tests."""
    taken = config.option.benchmark_compare
    if isinstance(taken, str):
        path = Path(taken.partition("::")[0])
        if path.is_dir() or path.suffix == ".py":
            raise pytest.UsageError(
                f"--benchmark-compare took {taken} as the run to compare with; name the tests first: "
                f"pytest {taken} --benchmark-compare"
            )
    for name in ("histogram", "cprofile_dump"):
        if len(config.getoption(f"benchmark_{name}", None) or ()) > 1:
            raise pytest.UsageError(f"--benchmark-{name.replace('_', '-')}: give it once")
    session: Any = importlib.import_module("pytest_benchmark.session")
    or_refuse(lambda: session.BenchmarkSession(config))
    if config.option.benchmark_histogram:
        or_refuse(lambda: importlib.import_module("pytest_benchmark.histogram"))
    path = config.option.benchmark_json
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise pytest.UsageError(f"--benchmark-json {path}: name a file in a folder that exists")


def check_timers(manager: pytest.PytestPluginManager) -> None:
    """Raise UsageError for a timer that pytest-benchmark, where it is used, cannot import; all others are its own."""
    config = manager.get_plugin("pytestconfig")
    timers = [] if config is None or manager.is_blocked("benchmark") else list(_timers(config))
    if not timers or importlib.util.find_spec("pytest_benchmark") is None:
        return
    utils: Any = importlib.import_module("pytest_benchmark.utils")
    for timer in timers:
        try:
            utils.parse_timer(timer)
        except (argparse.ArgumentTypeError, TypeError, ValueError):
            continue  # these are refused in a line by argparse itself
        except Exception as error:
            raise pytest.UsageError(
                f"--benchmark-timer={timer}: {in_words(error)}; name a function in a module, as in time.perf_counter"
            ) from error


def _timers(config: pytest.Config) -> Iterator[str]:
    """Yield the values of --benchmark-timer, wherever pytest takes options from."""
    options = (
        shlex.split(os.environ.get("PYTEST_ADDOPTS", "")),
        config.getini("addopts"),
        takewhile(lambda argument: argument != "--", map(str, config.invocation_params.args)),
    )
    for given in map(list, options):
        for argument, following in pairwise([*given, ""]):
            name, equals, value = argument.partition("=")
            if name == "--benchmark-timer" and (equals or following):
                yield value if equals else following


def check_grouping(group_by: str, timed: list[pytest.Item]) -> None:
    """Raise UsageError unless the benchmarks can be grouped so."""
    for grouping in group_by.split(","):
        kind, _, name = grouping.partition(":")
        if kind == "param" and name:
            for item in timed:
                if name not in (item.callspec.params if hasattr(item, "callspec") else ()):
                    raise pytest.UsageError(f"--benchmark-group-by={group_by}: {item.nodeid} has no parameter {name}")
        elif grouping not in GROUPINGS:
            raise pytest.UsageError(
                f"--benchmark-group-by={group_by}: expected some of {', '.join(GROUPINGS)} and param:NAME, with commas "
                "between"
            )


def check_storage(storage: Any) -> None:
    """Raise UsageError when a run cannot be saved there; what is no folder of files is trusted."""
    if hasattr(storage, "get"):
        folder = storage.get("run.json").parent
        if not folder.is_dir():
            raise pytest.UsageError(f"--benchmark-storage: {folder} is no folder, and cannot be made one")


def or_refuse(step: Callable[[], Any]) -> None:
    """Do what would end in a traceback, as one line and exit code 4; pytest-benchmark raises whatever it meets."""
    try:
        step()
    except pytest.UsageError:
        raise
    except Exception as error:
        raise pytest.UsageError(f"pytest-benchmark: {in_words(error)}") from error


def in_words(error: Exception) -> str:
    """Return what is wrong, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
