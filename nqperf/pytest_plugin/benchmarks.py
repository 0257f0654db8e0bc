"""pytest-benchmark's options beside the gate: what they ask for is done, or refused in a line before the suite runs.

pytest-benchmark reads the saved runs before it is known which tests are selected, and ends in a traceback where it
finds none, a broken one, a value it has no code for, or a regression. So its reading is put off until after the
collection, its options are tried first, and what it raises in the end becomes a line and exit code 1.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nqperf.pytest_plugin import PAIRED, STATE, GateState
from nqperf.pytest_plugin.benchmark_options import check_grouping, check_storage, check_values, in_words, or_refuse
from nqperf.pytest_plugin.options import is_distributed
from nqperf.pytest_plugin.saved import DEVICE, HEADINGS, SavedRuns, load_runs, not_compared, ratio_rows

# cpuinfo reads these from the running clock: two readings of one machine differ.
CLOCK_READINGS = ("hz_actual", "hz_actual_friendly", "hz_advertised", "hz_advertised_friendly")


@dataclass(slots=True)
class Comparing:
    """What --benchmark-compare asked for (no name: the latest), what it found, and whether this run is the first."""

    requested: bool = False
    name: str | None = None
    runs: SavedRuns = field(default_factory=dict)
    first: bool = False


COMPARING = pytest.StashKey[Comparing]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Try pytest-benchmark's options, and keep what is to be compared with for after the collection."""
    comparing = config.stash[COMPARING] = Comparing()
    if config.getoption("benchmark_storage", None) is None:
        return
    taken = config.option.benchmark_compare
    check_values(config)
    if taken and not is_distributed(config):
        comparing.requested, comparing.name = True, None if taken is True else taken
        config.option.benchmark_compare = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let what pytest-benchmark raises at the end become a line of the report."""
    benchmarks = getattr(session.config, "_benchmarksession", None)
    if benchmarks is None:
        return
    finish, display = benchmarks.finish, benchmarks.display

    def finish_and_tell() -> None:
        if session.exitstatus == pytest.ExitCode.USAGE_ERROR:
            return  # refused before anything was measured
        _save_no_empty_run(session.config, benchmarks)
        _tell(finish, session.config.stash[STATE].faults.append)

    def display_and_tell(reporter: pytest.TerminalReporter) -> None:
        def told(fault: str) -> None:
            reporter.write_line(f"nqperf: {fault}", red=True, bold=True)
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

        _tell(lambda: display(reporter), told)

    benchmarks.finish, benchmarks.display = finish_and_tell, display_and_tell


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse what pytest-benchmark would let pass or could not do; load what is to be compared with."""
    config = session.config
    benchmarks = getattr(config, "_benchmarksession", None)
    if benchmarks is None or config.option.collectonly or is_distributed(config):
        return
    timed = [item for item in session.items if {"benchmark", PAIRED} & set(getattr(item, "fixturenames", ()))]
    gated, comparing = bool(config.stash[STATE].tests), config.stash[COMPARING]
    if benchmarks.compare_fail and not timed:
        raise pytest.UsageError(
            "--benchmark-compare-fail was given and no benchmark was selected: none would be judged"
        )
    if benchmarks.compare_fail and not comparing.requested:
        raise pytest.UsageError("--benchmark-compare-fail needs --benchmark-compare: it judges by a saved run")
    if gated and benchmarks.disabled:
        raise pytest.UsageError(
            "benchmarks are disabled, so the gate would save and compare nothing; leave out --benchmark-disable, or "
            "give --benchmark-enable too"
        )
    check_grouping(benchmarks.group_by, timed)
    if comparing.requested:
        benchmarks.compare = comparing.name or True
        if gated:
            _load(comparing, benchmarks)
        else:
            or_refuse(benchmarks.handle_loading)
    if gated and (benchmarks.save or benchmarks.autosave):
        check_storage(benchmarks.storage)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Find the gate's tests that --benchmark-compare-fail could not judge; runs before the exit status is set."""
    benchmarks = getattr(session.config, "_benchmarksession", None)
    if benchmarks is not None and benchmarks.compare_fail:
        state = session.config.stash[STATE]
        timed = {benchmark.fullname for benchmark in benchmarks.benchmarks if benchmark}
        state.faults += not_compared([item.nodeid for item in state.tests], timed, session.config.stash[COMPARING].runs)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the run was compared with, and the ratios beside the times; or that nothing was."""
    benchmarks, comparing = getattr(config, "_benchmarksession", None), config.stash[COMPARING]
    gate: GateState = config.stash[STATE]
    if benchmarks is None or gate.results is None or not comparing.requested:
        return
    terminalreporter.section("nqperf: saved runs")
    if comparing.first:
        saved = benchmarks.save or benchmarks.autosave
        kept = f"this run is saved there as the first ({saved}), and the next --benchmark-compare compares with it"
        lost = "this run has no times that passed, so it is not saved, and the next one will have nothing either"
        terminalreporter.write_line(
            f"NOTHING WAS COMPARED: no run was saved in {benchmarks.storage} yet; {kept if saved else lost}",
            yellow=True,
            bold=True,
        )
    tests = {item.nodeid for item in gate.tests}
    measured = [benchmark for benchmark in benchmarks.benchmarks if benchmark and benchmark.fullname in tests]
    for name, saved in comparing.runs.items():
        terminalreporter.write_line(_compared(name, ratio_rows(measured, saved)))


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Name the device, and drop the clock readings, which would make a machine differ from itself."""
    for reading in CLOCK_READINGS:
        machine_info.get("cpu", {}).pop(reading, None)
    machine_info[DEVICE] = _device()


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Write NumPy's numbers in extra_info as numbers; pytest-benchmark writes UNSERIALIZABLE[...] for them."""
    for benchmark in output_json["benchmarks"]:
        benchmark["extra_info"] = _plain(benchmark["extra_info"])


def _load(comparing: Comparing, benchmarks: Any) -> None:
    """Load the runs that were asked for; where none is saved yet, see to it that this one will be."""
    comparing.runs = load_runs(benchmarks.storage, comparing.name, _device())
    benchmarks.compared_mapping = {Path(name): tests for name, tests in comparing.runs.items()}
    if comparing.runs:
        return
    nothing = f"no run is saved in {benchmarks.storage}"
    if comparing.name is not None:
        raise pytest.UsageError(f"--benchmark-compare={comparing.name}: {nothing} under that name")
    if benchmarks.compare_fail:
        raise pytest.UsageError(
            f"--benchmark-compare-fail would judge nothing: {nothing} yet; save one with --benchmark-compare alone"
        )
    utils: Any = importlib.import_module("pytest_benchmark.utils")
    comparing.first = True
    benchmarks.autosave = benchmarks.autosave or utils.get_tag()


def _save_no_empty_run(config: pytest.Config, benchmarks: Any) -> None:
    """Keep the gate from saving a run without times: it would be what the next one is compared with."""
    passed = any(benchmark and not benchmark.has_error for benchmark in benchmarks.benchmarks)
    if config.stash[STATE].tests and not passed:
        benchmarks.save = benchmarks.autosave = None


def _compared(name: str, rows: list[tuple[str, ...]]) -> str:
    from nqperf.report.tables import text_table

    table = text_table(HEADINGS, rows) if rows else "no variant has times in both runs"
    return (
        f"compared with the saved run {name}:\n{table}\n"
        "ratio: speed-up over the run's own baseline, the same on a slower day; factor: ratio / saved ratio, below 1 "
        "when slower; time: median of one batch"
    )


def _tell(step: Callable[[], Any], told: Callable[[str], None]) -> None:
    """Do what would end in a traceback, and hand over a line instead."""
    try:
        step()
    except Exception as error:  # noqa: BLE001  # as above
        told(f"pytest-benchmark: {in_words(error)}")


def _device() -> str:
    from nqperf.perf.machine.fingerprint import take_fingerprint

    return take_fingerprint().device_key


def _plain(value: Any) -> Any:
    """Return `value` with NumPy's scalars and arrays as Python's own."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.tolist() if type(value).__module__ == "numpy" else value
