"""The values of pytest-benchmark's options: what would end in a traceback is refused in a line instead."""

from __future__ import annotations

import importlib
from collections.abc import Callable
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
