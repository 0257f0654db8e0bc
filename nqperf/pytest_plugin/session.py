"""The gate's part in a session that has tests of it: its hooks, from the end of the collection on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from importlib import import_module
from typing import Any

import pytest

from nqperf.errors import NqPerfError
from nqperf.pytest_plugin.benchmarks import BenchmarkHooks
from nqperf.pytest_plugin.items import GATED, PAIRED, fixture_names
from nqperf.pytest_plugin.options import (
    STARTED,
    SUITE_ALONE,
    check_options,
    given_option,
    has_benchmarks,
    is_distributed,
    switched_off,
    usage_errors,
    was_typed,
)
from nqperf.pytest_plugin.replay import CLOCK, set_clock
from nqperf.pytest_plugin.state import STATE, GateState
from nqperf.records.merging import merge
from nqperf.records.results import Results
from nqperf.records.revisions import RevisionResults, joined
from nqperf.records.verdict import exit_status

_NAME = "nqperf-gate"


def gate_of(config: pytest.Config) -> GateHooks:
    """Return the gate's part in the session of `config`; it joins when it is first asked for."""
    hooks: GateHooks | None = config.pluginmanager.get_plugin(_NAME)
    if hooks is None:
        hooks = GateHooks(config)
        config.pluginmanager.register(hooks, _NAME)
    return hooks


class GateHooks:
    """The hooks of a session with tests of the gate, registered with its `config` when such a test is selected."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.state = config.stash[STATE] = GateState(started=config.stash[STARTED])
        self._benchmarks: BenchmarkHooks | None = None

    def take(self, session: pytest.Session) -> None:
        """Note the gate's tests among those selected in `session`, and what they are to be compared with.

        Raises: UsageError for options that cannot be met.
        """
        config, state = self._config, self.state
        state.items = [item for item in session.items if GATED in fixture_names(item)]
        state.pairs = [item for item in session.items if PAIRED in fixture_names(item)]
        if has_benchmarks(config):
            self._join_benchmarks(session)
        if state.pairs:
            # Now, and not within the time that a test is given.
            import_module("nqperf.perf.pairs.paired")
        if state.items and state.pairs:
            raise pytest.UsageError(
                f"tests of the suite (nqperf_variant) and of nqperf_paired ({state.pairs[0].nodeid}) are selected, "
                "which end in two records: run them one after the other, each with its own path or -k"
            )
        alone = given_option(config, SUITE_ALONE)
        if alone is not None and state.pairs:
            raise pytest.UsageError(
                f"{alone} has no effect on tests of nqperf_paired ({state.pairs[0].nodeid}), and no test of the suite "
                "is selected: leave it out; the call itself takes config=, and with base= budget= and margin="
            )
        if given_option(config) is None:  # else they were checked before the collection
            with usage_errors():
                check_options(config)
        if self._benchmarks is not None:
            self._benchmarks.load()

    def forget(self, test: str) -> None:
        """Drop what the test `test` found before: it is run again, and only its last run counts."""
        for name in [name for name, held in self.state.revisions.items() if held.test == test]:
            del self.state.revisions[name]
        rows = [row for row, compared in self.state.compared.items() if compared.test == test]
        for row in rows:
            dropped = self.state.compared.pop(row).results.outcome
            self.state.notes.append(f"{row} was measured again in a rerun of its test; its {dropped} was dropped")
        if rows and self._benchmarks is not None:
            self._benchmarks.forget(test)

    def _join_benchmarks(self, session: pytest.Session) -> None:
        """Take part in what pytest-benchmark does, unless its options keep everything from being timed."""
        config = self._config
        if is_distributed(config) or switched_off(config):
            return  # nothing is timed, so nothing is compared
        for item in self.state.tests:
            set_clock(item)
        self._benchmarks = BenchmarkHooks(session, self.state)
        config.pluginmanager.register(self._benchmarks, f"{_NAME}-benchmarks")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the times of a gate's test that failed in any way out of what pytest-benchmark saves."""
        report = yield
        benchmark = getattr(item, "funcargs", {}).get("benchmark")
        if call.excinfo is not None and report.failed and benchmark is not None and CLOCK in item.stash:
            benchmark.has_error = True
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let the session fail when the run failed, whatever the tests made of it."""
        state = self.state
        if session.exitstatus == pytest.ExitCode.USAGE_ERROR:
            return  # refused, in a line of its own
        if state.compared:
            state.results = merge([compared.results for compared in state.compared.values()])
            keep(state, {}, self._config)
        if self._benchmarks is not None:
            self._benchmarks.find_unjudged()
        if state.revisions:
            self._keep_revisions(joined([held.results for held in state.revisions.values()]))
        if state.results is not None:
            self._write_job_summary(state.results)
            if self._config.option.nqperf_require_judged and not state.results.judged:
                state.faults.append(
                    "nothing was judged, and --nqperf-require-judged asks for it: name a profile that fits"
                )
        elif not state.revisions:
            self._tell_that_nothing_was_judged()
        if (self._failed() or state.faults) and session.exitstatus in {
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        }:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table of the run."""
        state = self.state
        if state.results is None and not state.faults and not state.notes and not state.revisions:
            return
        terminalreporter.section("nqperf")
        for held in state.revisions.values():
            from nqperf.report.revisions import revisions_text

            terminalreporter.write_line(revisions_text(held.results))
        if state.results is not None:
            from nqperf.report.lines import console_width
            from nqperf.report.terminal import run_text, seconds_text

            terminalreporter.write_line(run_text(state.results, console_width()))
            if state.seconds:
                terminalreporter.write_line(seconds_text(state.seconds))
        for note in state.notes:
            terminalreporter.write_line(f"nqperf: {note}")
        for fault in state.faults:
            terminalreporter.write_line(f"nqperf: {fault}", red=True, bold=True)

    def _failed(self) -> bool:
        """Return whether a command that found the same would not exit with 0."""
        results, allowed = self.state.results, self._config.option.nqperf_allow_inconclusive
        for held in self.state.revisions.values():
            if held.results.outcome == "FAIL" or (
                held.results.outcome == "INCONCLUSIVE" and not held.allow_inconclusive
            ):
                return True
        return results is not None and exit_status(results.outcome, allow_inconclusive=allowed) != 0

    def _tell_that_nothing_was_judged(self) -> None:
        """Say so, as a fault where somebody asked for a judgement."""
        state, config = self.state, self._config
        given, off = given_option(config), switched_off(config)
        what = f"none of the {len(state.tests)} selected tests of the gate measured anything, so nothing was judged"
        if off is not None and (given is None or was_typed(config, off)):
            state.notes.append(f"{off}: {what}")
        elif off is not None:
            lift = "--benchmark-only" if off == "--benchmark-skip" else "--benchmark-enable"
            state.faults.append(f"{given} was given, and {off} stands in the configuration: {what}; give {lift} too")
        elif state.items or given is not None:
            state.faults.append(what)

    def _keep_revisions(self, results: RevisionResults) -> None:
        """Write the record of a comparison with another revision, and append it to the job summary, as asked for."""
        from nqperf.formats.results.revisions_json import write_revisions
        from nqperf.formats.results.step_summary import append_step_summary
        from nqperf.report.revisions import revisions_markdown

        try:
            if self._config.option.nqperf_save_results is not None:
                write_revisions(self._config.option.nqperf_save_results, results)
            append_step_summary(revisions_markdown(results))
        except NqPerfError as error:
            self.state.faults.append(str(error))

    def _write_job_summary(self, results: Results) -> None:
        """Append the report to the job summary of GitHub Actions, if there is one."""
        from nqperf.formats.results.step_summary import append_step_summary
        from nqperf.report.markdown import run_markdown

        try:
            append_step_summary(run_markdown(results))
        except NqPerfError as error:
            self.state.faults.append(str(error))


def keep(state: GateState, predictions: Mapping[str, Any], config: pytest.Config) -> None:
    """Write and track the record in `state` as the options in `config` say; what fails is a fault of it.

    `predictions` of a variant go with it to the tracking server.
    """
    option, results = config.option, state.results
    if results is None:
        return
    steps: dict[str, Callable[[], object]] = {}
    if option.nqperf_save_results is not None:
        from nqperf.formats.results.results_json import write_results

        steps["--nqperf-save-results"] = lambda: write_results(option.nqperf_save_results, results)
    if option.nqperf_report is not None:
        from nqperf.report.html import run_page, write_page

        steps["--nqperf-report"] = lambda: write_page(option.nqperf_report, run_page(results))
    if option.nqperf_track:
        from nqperf.report.tracking import track

        steps["--nqperf-track"] = lambda: track(results, predictions)
    for name, step in steps.items():
        try:
            step()
        except Exception as error:  # noqa: BLE001  # a server's client raises whatever it meets; the table is to be seen
            state.faults.append(f"{name}: {' '.join(str(error).split()) or type(error).__name__}")
