"""pytest-benchmark in a session with tests of the gate: what it passes in silence is said, and its errors are lines."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.pytest_plugin import deferred, saved
from nqperf.pytest_plugin.state import GateState
from nqperf.report.tables import text_table


class BenchmarkHooks:
    """The hooks beside pytest-benchmark, in a `session` whose tests of the gate are timed.

    `state` is what the session knows of the gate.
    """

    def __init__(self, session: pytest.Session, state: GateState) -> None:
        self._session, self._state = session, state
        self._benchmarks: Any = session.config._benchmarksession  # type: ignore[attr-defined]  # noqa: SLF001
        self._requested = deferred.requested(session.config)
        self._runs: saved.SavedRuns = {}
        self._first = False
        self._tell_errors_in_lines()

    def load(self) -> None:
        """Load what is to be compared with; where nothing is saved yet, see to it that this run will be.

        Raises: UsageError where nothing could be compared, or nothing would be judged.
        """
        benchmarks = self._benchmarks
        if not self._requested:
            if benchmarks.compare_fail:
                raise pytest.UsageError("--benchmark-compare-fail needs --benchmark-compare: it judges by a saved run")
            return
        name = None if self._requested is True else self._requested
        if name is not None and (Path(name).is_dir() or Path(name).suffix == ".py"):
            raise pytest.UsageError(
                f"--benchmark-compare took {name} as the run to compare with; name the tests first: "
                f"pytest {name} --benchmark-compare"
            )
        self._runs = saved.load_runs(benchmarks.storage, name, _device())
        benchmarks.compared_mapping = {Path(path): tests for path, tests in self._runs.items()}
        if self._runs:
            return
        nothing = f"no run is saved in {benchmarks.storage}"
        if name is not None:
            raise pytest.UsageError(f"--benchmark-compare={name}: {nothing} under that name")
        if benchmarks.compare_fail:
            raise pytest.UsageError(
                f"--benchmark-compare-fail would judge nothing: {nothing} yet; save one with --benchmark-compare alone"
            )
        utils: Any = importlib.import_module("pytest_benchmark.utils")
        self._first = True
        benchmarks.autosave = benchmarks.autosave or utils.get_tag()

    def forget(self, test: str) -> None:
        """Drop the times of the test `test`, which is run again."""
        benchmarks = self._benchmarks.benchmarks
        benchmarks[:] = [benchmark for benchmark in benchmarks if not benchmark or benchmark.fullname != test]

    def find_unjudged(self) -> None:
        """Note as faults the gate's tests that --benchmark-compare-fail could not judge."""
        if self._benchmarks.compare_fail:
            timed = {benchmark.fullname for benchmark in self._benchmarks.benchmarks if benchmark}
            tests = [item.nodeid for item in self._state.tests]
            self._state.faults += saved.not_compared(tests, timed, self._runs)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what the run was compared with, and the ratios beside the times; or that nothing was."""
        benchmarks = self._benchmarks
        if self._state.results is None or not self._requested:
            return
        terminalreporter.section("nqperf: saved runs")
        if self._first:
            kept = benchmarks.save or benchmarks.autosave
            first = f"this run is saved there as the first ({kept}), and the next --benchmark-compare compares with it"
            lost = "this run has no times that passed, so it is not saved, and the next one will have nothing either"
            terminalreporter.write_line(
                f"NOTHING WAS COMPARED: no run was saved in {benchmarks.storage} yet; {first if kept else lost}",
                yellow=True,
                bold=True,
            )
        tests = {item.nodeid for item in self._state.tests}
        measured = [benchmark for benchmark in benchmarks.benchmarks if benchmark and benchmark.fullname in tests]
        for name, run in self._runs.items():
            terminalreporter.write_line(_compared(name, saved.ratio_rows(measured, run)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Name the device, and write NumPy's numbers in extra_info as numbers, not as UNSERIALIZABLE[...]."""
        output_json[saved.DEVICE] = _device()
        for benchmark in output_json["benchmarks"]:
            benchmark["extra_info"] = _plain(benchmark["extra_info"])

    def _tell_errors_in_lines(self) -> None:
        """See to it that what pytest-benchmark raises at the end becomes a line and exit code 1."""
        benchmarks, session = self._benchmarks, self._session
        finish, display = benchmarks.finish, benchmarks.display

        def finish_and_tell() -> None:
            if session.exitstatus != pytest.ExitCode.USAGE_ERROR:  # refused before anything was measured
                self._save_no_empty_run()
                _tell(finish, self._state.faults.append)

        def display_and_tell(reporter: pytest.TerminalReporter) -> None:
            def told(fault: str) -> None:
                reporter.write_line(f"nqperf: {fault}", red=True, bold=True)
                if session.exitstatus == pytest.ExitCode.OK:
                    session.exitstatus = pytest.ExitCode.TESTS_FAILED

            _tell(lambda: display(reporter), told)

        benchmarks.finish, benchmarks.display = finish_and_tell, display_and_tell

    def _save_no_empty_run(self) -> None:
        """Keep the session from saving a run without times: it would be what the next one is compared with."""
        if not any(benchmark and not benchmark.has_error for benchmark in self._benchmarks.benchmarks):
            self._benchmarks.save = self._benchmarks.autosave = None


def _compared(name: str, rows: list[tuple[str, ...]]) -> str:
    table = text_table(saved.HEADINGS, rows) if rows else "no variant has times in both runs"
    return (
        f"compared with the saved run {name}:\n{table}\n"
        "ratio: speed-up over the run's own baseline, the same on a slower day; factor: ratio / saved ratio, below 1 "
        "when slower; time: median of one batch"
    )


def _tell(step: Callable[[], Any], told: Callable[[str], None]) -> None:
    """Do what would end in a traceback, and hand over a line instead; pytest-benchmark raises whatever it meets."""
    try:
        step()
    except Exception as error:  # noqa: BLE001  # as above
        told(f"pytest-benchmark: {' '.join(str(error).split()) or type(error).__name__}")


def _device() -> str:
    return take_fingerprint().device_key


def _plain(value: Any) -> Any:
    """Return `value` with NumPy's scalars and arrays as Python's own."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.tolist() if type(value).__module__ == "numpy" else value
