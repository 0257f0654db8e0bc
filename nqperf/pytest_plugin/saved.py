"""Runs that pytest-benchmark saved: read for the gate, refused where they cannot be compared with, and compared."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

# What pytest-benchmark shows of a saved test, beside its name; it takes for granted that all of it is there.
NUMBERS = ("min", "max", "mean", "stddev", "median", "iqr", "q1", "q3", "ld15iqr", "hd15iqr", "ops", "rounds")
# Where a saved run says which device it is from.
DEVICE = "nqperf_device"
HEADINGS = ("variant", "saved ratio", "ratio", "factor", "saved time", "time")
NONE = "-"

SavedTests = Mapping[str, Mapping[str, Any]]
SavedRuns = Mapping[str, SavedTests]


def load_runs(storage: Any, requested: str | None, device: str) -> SavedRuns:
    """Return the saved tests by name of each run that `requested` names, None for the latest; empty where none is.

    `storage` is pytest-benchmark's, `device` the key of this machine.

    Raises: UsageError when one cannot be read, or is from another device.
    """
    with warnings.catch_warnings(record=True) as faults:
        warnings.simplefilter("always")
        try:
            found = list(storage.load())[-1:] if requested is None else list(storage.load(requested))
        except Exception as error:  # whatever the storage makes of a name it cannot look for
            raise pytest.UsageError(f"--benchmark-compare={requested}: {error}") from error
    if faults:
        raise pytest.UsageError(_unreadable(str(faults[0].message)))
    return {str(path): _tests(path, saved, device) for path, saved in found}


def ratio_rows(benchmarks: Iterable[Any], saved: SavedTests) -> list[tuple[str, ...]]:
    """Return the cells under HEADINGS of each of pytest-benchmark's `benchmarks` that has times in `saved`, too."""
    from nqperf.report.summary import milliseconds

    rows: list[tuple[str, ...]] = []
    for benchmark in benchmarks:
        before = saved.get(benchmark.fullname)
        if before is None:
            continue
        old, new = before.get("extra_info", {}).get("ratio"), benchmark.extra_info.get("ratio")
        rows.append(
            (
                str(benchmark.param or benchmark.name),
                _number(old),
                _number(new),
                _number(new / old if old and new else None),
                milliseconds(before["stats"]["median"]),
                milliseconds(benchmark["median"]),
            )
        )
    return rows


def not_compared(tests: Iterable[str], timed: set[str], runs: SavedRuns) -> list[str]:
    """Return a line for each of the gate's `tests` that is in `timed` or in a run of `runs`, but not in both."""
    return [
        f"{test} has no times in {f'the saved run {path}' if test in timed else 'this run'}, "
        "so --benchmark-compare-fail did not judge it"
        for path, saved in runs.items()
        for test in tests
        if (test in timed) != (test in saved)
    ]


def _tests(path: object, saved: Any, device: str) -> SavedTests:
    """Return the tests of one saved run by name."""
    try:
        there = saved.get(DEVICE) or saved.get("machine_info", {}).get(DEVICE)  # where older runs have it
        tests = {test["fullname"]: test for test in saved["benchmarks"]}
        for test in tests.values():
            _check_numbers(test["stats"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise pytest.UsageError(_unreadable(f"Failed to load {path}: {type(error).__name__}: {error}")) from error
    if there != device:
        raise pytest.UsageError(
            f"the saved run {path} is from another device ({there or 'which one it does not say'}; this is {device}): "
            "times do not compare across machines, ratios do: nqperf compare OLD.json NEW.json --across-machines"
        )
    return tests


def _check_numbers(stats: Mapping[str, Any]) -> None:
    for name in NUMBERS:
        if not isinstance(stats[name], int | float):
            raise TypeError(f"{name} is {stats[name]!r}; expected a number")


def _unreadable(message: str) -> str:
    return f"--benchmark-compare: {message}; remove that file, or name a run, as in --benchmark-compare=0002"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
