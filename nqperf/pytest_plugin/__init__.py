"""The gate in pytest: the suite is run once a session, and each variant's test is judged by what was measured.

A test that takes `nqperf_variant` is run for every variant; `nqperf_gate` hands its times to pytest-benchmark and fails
it as the verdict says. To gate another model or other data, give the options or override `nqperf_config`. A test
that takes `nqperf_paired` holds any two ways to do the same work to each other.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.errors import NqPerfError
from nqperf.pytest_plugin.options import (
    SUITE_ALONE,
    asked_of,
    check_options,
    given_option,
    is_distributed,
    pytest_addoption,
    suite_config,
    usage_errors,
)

# pytest imports this module at the start of every session of whoever has nqperf installed, so whatever takes time to
# import is imported where it is used.
if TYPE_CHECKING:
    from nqperf.perf.suite.config import SuiteConfig
    from nqperf.perf.suite.suite import SuiteRun
    from nqperf.perf.workers.progress import Progress
    from nqperf.records.results import Results, VariantResult

pytest_plugins = (
    "nqperf.pytest_plugin.replay",
    "nqperf.pytest_plugin.paired",
    "nqperf.pytest_plugin.benchmarks",
)
__all__ = ["pytest_addoption"]  # a hook, for pytest to find here

# Of the budget at the most this share goes to the tests before the suite's: a large project's may take any time.
_OTHER_TESTS = 0.25
GATED = "nqperf_variant"
PAIRED = "nqperf_paired"


@dataclass(slots=True)
class GateState:
    """What the session knows of the gate: the tests that were selected, the run, and what went wrong outside of it.

    `started` is when the session did, in seconds of `time.monotonic`. `items` are the suite's tests, `pairs` those that
    take `nqperf_paired`, `compared` what these found by name.
    """

    started: float = field(default_factory=time.monotonic)
    items: list[pytest.Item] = field(default_factory=list)
    pairs: list[pytest.Item] = field(default_factory=list)
    compared: dict[str, Results] = field(default_factory=dict)
    results: Results | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def tests(self) -> list[pytest.Item]:
        """All tests of the gate."""
        return [*self.items, *self.pairs]

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants whose tests were selected, in order."""
        return tuple(dict.fromkeys(variant_of(item) for item in self.items))


STATE = pytest.StashKey[GateState]()


def variant_of(item: pytest.Item) -> str:
    """Return the variant that a gate test is for."""
    return str(item.callspec.params[GATED])  # type: ignore[attr-defined]  # parametrised by pytest_generate_tests


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse options that cannot be met, before anything is collected."""
    config.stash[STATE] = GateState()
    with usage_errors():
        check_options(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `nqperf_variant` once for each variant."""
    if GATED in metafunc.fixturenames:
        from nqperf.perf.suite.config import SuiteConfig

        rows = asked_of(metafunc.config).over(SuiteConfig()).rows()
        metafunc.parametrize(GATED, [row.name for row in rows], indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Note the gate's tests that are left after every selection."""
    state = session.config.stash[STATE]
    state.items = [item for item in session.items if GATED in getattr(item, "fixturenames", ())]
    state.pairs = [item for item in session.items if PAIRED in getattr(item, "fixturenames", ())]
    if state.items and state.pairs and not session.config.option.collectonly:
        raise pytest.UsageError(
            f"tests of the suite (nqperf_variant) and of nqperf_paired ({state.pairs[0].nodeid}) are selected, which "
            "end in two records: run them one after the other, each with its own path or -k"
        )
    alone = given_option(session.config, SUITE_ALONE)
    if alone and state.pairs and not session.config.option.collectonly:
        raise pytest.UsageError(
            f"{alone} has no effect on tests of nqperf_paired ({state.pairs[0].nodeid}), and no test of the suite is "
            "selected: leave it out"
        )
    given = given_option(session.config)
    if (
        given
        and not (state.items or state.pairs)
        and not session.config.option.collectonly
        and not is_distributed(session.config)
    ):
        raise pytest.UsageError(
            f"{given} was given and no test of the gate was selected, so nothing would be judged; "
            "name the folder of the gate's tests first, as in: pytest benchmarks --nqperf-quick"
        )


@pytest.fixture(scope="session")
def nqperf_config() -> SuiteConfig:
    """Return what the suite runs where no option says otherwise; override it to gate another model or other data."""
    from nqperf.perf.suite.config import SuiteConfig

    return SuiteConfig()


@pytest.fixture(scope="session")
def nqperf_suite(nqperf_config: SuiteConfig, pytestconfig: pytest.Config) -> SuiteRun:
    """Run the suite with the variants whose tests were selected, when the first test asks for it.

    The budget is the session's: what the benchmarks before it took is gone.
    """
    from nqperf.perf.suite.suite import run_suite

    state = pytestconfig.stash[STATE]
    config = suite_config(pytestconfig, nqperf_config, state.variants)
    spent = min(time.monotonic() - state.started, _OTHER_TESTS * config.budget)
    with progress_of(pytestconfig) as progress:
        return run_suite(dataclasses.replace(config, spent=spent), progress)


@pytest.fixture(scope="session")
def nqperf_results(request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]) -> Results:
    """Return what the suite measured, written and tracked as the options say."""
    config = request.config
    if is_distributed(config):
        pytest.fail("the gate measures alone on its machine: run its tests without -n", pytrace=False)
    try:
        run: SuiteRun = request.getfixturevalue("nqperf_suite")
        config.stash[STATE].results, config.stash[STATE].seconds = run.results, run.seconds
        _keep(run.results, run.predictions, config)
    except NqPerfError as error:
        pytest.exit(f"nqperf: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    results = run.results
    record_testsuite_property("nqperf.outcome", results.outcome)
    record_testsuite_property("nqperf.judged", f"{results.judged} of {results.expected}")
    record_testsuite_property("nqperf.device", results.fingerprint.device_key)
    return results


@pytest.fixture
def nqperf_variant(request: pytest.FixtureRequest, nqperf_results: Results) -> VariantResult:
    """Return what was measured of one variant; its `status` says whether it could be, and its answers were right."""
    found = nqperf_results.variant(request.param)
    if found is None:
        pytest.fail(f"the run has no variant {request.param}; expected each one selected", pytrace=False)
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the session fail when the run failed, whatever the tests made of it."""
    config, state = session.config, session.config.stash[STATE]
    if session.exitstatus == pytest.ExitCode.USAGE_ERROR:
        return  # refused, in a line of its own
    failed = False
    _merge(state, config)
    if state.results is not None:
        failed = _failed(state.results, config)
        _write_job_summary(state.results)
    elif state.items and not config.option.collectonly and not config.getoption("benchmark_skip", False):
        state.faults.append(f"none of the {len(state.items)} selected tests of the gate ran, so nothing was judged")
    if (failed or state.faults) and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table of the run."""
    state = config.stash[STATE]
    if state.results is None and not state.faults:
        return
    terminalreporter.section("nqperf")
    if state.results is not None:
        from nqperf.report.terminal import run_text, seconds_text

        terminalreporter.write_line(run_text(state.results))
        if state.seconds:
            terminalreporter.write_line(seconds_text(state.seconds))
    for fault in state.faults:
        terminalreporter.write_line(f"nqperf: {fault}", red=True, bold=True)


def _merge(state: GateState, config: pytest.Config) -> None:
    """Make one record of the session's comparisons, and write it as the options say."""
    if state.compared:
        from nqperf.records.merging import merge

        state.results = merge(list(state.compared.values()))
        with usage_errors():
            _keep(state.results, {}, config)
    elif state.pairs and given_option(config) and not config.option.collectonly:
        state.faults.append(f"none of the {len(state.pairs)} selected tests compared anything, so nothing was judged")


def _failed(results: Results, config: pytest.Config) -> bool:
    """Return whether a command that found `results` would not exit with 0."""
    from nqperf.records.verdict import exit_status

    return exit_status(results.outcome, allow_inconclusive=config.option.nqperf_allow_inconclusive) != 0


def _write_job_summary(results: Results) -> None:
    """Append the report to the job summary of GitHub Actions, if there is one."""
    from nqperf.formats.results.step_summary import append_step_summary
    from nqperf.report.markdown import run_markdown

    with usage_errors():
        append_step_summary(run_markdown(results))


def _keep(results: Results, predictions: Mapping[str, Any], config: pytest.Config) -> None:
    """Write and track the run as the options say."""
    option = config.option
    if option.nqperf_save_results is not None:
        from nqperf.formats.results.results_json import write_results

        write_results(option.nqperf_save_results, results)
    if option.nqperf_report is not None:
        from nqperf.report.html import run_page, write_page

        write_page(option.nqperf_report, run_page(results))
    if option.nqperf_track:
        from nqperf.report.tracking import track

        track(results, predictions)


@contextmanager
def progress_of(config: pytest.Config) -> Iterator[Progress]:
    """Yield what shows the progress past pytest's capturing: on a terminal what is done, else a line a finished row."""
    from nqperf.perf.workers.progress import Doing, RowFinished, silent
    from nqperf.report.progress import doing_text, row_lines

    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or config.get_verbosity() < 0:
        yield silent
        return

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)
            reporter.flush()

    if not reporter.isatty:
        with row_lines(write) as told:
            yield told
        return

    def show(event: Doing | RowFinished) -> None:
        if isinstance(event, Doing):
            with capture.global_and_fixture_disabled():
                reporter.rewrite(f"nqperf: {doing_text(event)}", erase=True)

    yield show
    with capture.global_and_fixture_disabled():
        reporter.rewrite("", erase=True)
