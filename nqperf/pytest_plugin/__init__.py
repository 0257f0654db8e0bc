"""The gate in pytest: the suite is run once a session, and each variant's test is judged by what was measured.

A test that takes `nqperf_variant` is run for every variant; `nqperf_gate` hands its times to pytest-benchmark and fails
it as the verdict says. To gate another model or other data, give the options or override `nqperf_config`. A test
that takes `nqperf_paired` holds any two ways to do the same work to each other.

pytest imports this module in every session of whoever has nqperf installed. So it only declares options and fixtures;
all else is imported when a test of the gate is selected (`nqperf.pytest_plugin.session`), and a session without one
runs as if nqperf were not installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.pytest_plugin.items import GATED, PAIRED, is_gated
from nqperf.pytest_plugin.options import (
    DEFERRED,
    STARTED,
    add_options,
    base_named,
    check_options,
    given_option,
    has_benchmarks,
    is_distributed,
    row_names,
    usage_errors,
)

if TYPE_CHECKING:
    from nqperf.perf.suite.config import SuiteConfig
    from nqperf.perf.suite.suite import SuiteRun
    from nqperf.records.results import Results, VariantResult
    from nqperf.records.revisions import ComparedRow, RevisionResults


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse options of the gate that cannot be met, before anything is collected."""
    config.stash[STARTED] = time.monotonic()
    config.pluginmanager.register(_Benchmark() if has_benchmarks(config) else _NoBenchmark())
    if given_option(config) is not None:
        with usage_errors():
            check_options(config)
    if has_benchmarks(config) and config.option.benchmark_compare and not is_distributed(config):
        from nqperf.pytest_plugin.deferred import defer

        defer(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `nqperf_variant` once for each variant."""
    if GATED in metafunc.fixturenames:
        with usage_errors():  # what pyproject.toml says was not looked at before
            metafunc.parametrize(GATED, row_names(metafunc.config), indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the gate join the session, if a test of it is left after every selection."""
    config = session.config
    if config.option.collectonly:
        return
    if any(is_gated(item) for item in session.items):
        from nqperf.pytest_plugin.session import gate_of

        gate_of(config).take(session)
        return
    given = given_option(config)
    if given and not is_distributed(config):
        raise pytest.UsageError(
            f"{given} was given and no test of the gate was selected, so nothing would be judged; "
            "name the folder of the gate's tests first, as in: pytest benchmarks --nqperf-quick"
        )
    if DEFERRED in config.stash:
        from nqperf.pytest_plugin.deferred import hand_back

        hand_back(config)


class _Benchmark:
    """The bridge to pytest-benchmark: a test that takes a fixture of the gate is a benchmark, for its options too."""

    @pytest.fixture
    def _nqperf_benchmark(self, benchmark: Any) -> Iterator[Any]:
        yield benchmark
        if benchmark.stats is None:
            benchmark.skipped = True  # else it warns that it was not used


class _NoBenchmark:
    """Stands in for the bridge where pytest-benchmark is not used."""

    @pytest.fixture
    def _nqperf_benchmark(self) -> None:
        return None


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
    from nqperf.pytest_plugin.suite import run

    return run(nqperf_config, pytestconfig)


@pytest.fixture(scope="session")
def nqperf_results(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Results | RevisionResults:
    """Return what the suite measured, written and tracked as the options say; with a base, what was held to it."""
    if base_named(request.config):
        from nqperf.pytest_plugin import revisions

        return revisions.results_of(request, request.getfixturevalue("nqperf_config"))
    from nqperf.pytest_plugin.suite import results_of

    return results_of(request, record_testsuite_property)


@pytest.fixture
def nqperf_variant(
    request: pytest.FixtureRequest, _nqperf_benchmark: Any, nqperf_results: Results | RevisionResults
) -> VariantResult | ComparedRow:
    """Return what was measured of one variant; its `status` says whether it could be, and its answers were right.

    With a base it is one row beside the same row of the base.
    """
    from nqperf.records.revisions import RevisionResults

    found: VariantResult | ComparedRow | None
    if isinstance(nqperf_results, RevisionResults):
        found = nqperf_results.row(request.param)
    else:
        found = nqperf_results.variant(request.param)
    if found is None:
        pytest.fail(f"the run has no variant {request.param}; expected each one selected", pytrace=False)
    return found


@pytest.fixture
def nqperf_gate(
    request: pytest.FixtureRequest, _nqperf_benchmark: Any, nqperf_results: Results | RevisionResults
) -> Callable[[Any], None]:
    """Return a function that gives a variant's times to pytest-benchmark, and ends the test as the verdict says.

    Of a variant that failed (its answers are wrong, its worker died) no times are given, and those of one that is too
    slow, or of an INVALID run, are shown but not saved: no later run is to be measured by them.
    """
    from nqperf.pytest_plugin import revisions, suite
    from nqperf.records.revisions import RevisionResults

    if isinstance(nqperf_results, RevisionResults):
        return lambda row: revisions.gate(request, _nqperf_benchmark, row, revisions.held_of(request))
    results = nqperf_results
    return lambda variant: suite.gate(request, _nqperf_benchmark, results, variant)


@pytest.fixture(name=PAIRED)
def nqperf_paired(
    request: pytest.FixtureRequest, _nqperf_benchmark: Any
) -> Callable[..., Results | RevisionResults | None]:
    """Return `nqperf.gate.paired`, which here ends the test as the verdict says.

    The options of the gate hold for it: --nqperf-quick, --nqperf-rounds, --nqperf-save-results, --nqperf-report,
    --nqperf-allow-inconclusive. The row's name is the test's node id, unless `name` gives another; a test's first
    comparison is replayed to pytest-benchmark. Called as `nqperf_paired("module:build", base="main")`, or without
    `base` under --nqperf-base, it holds one builder to the same in another revision. Under --benchmark-disable only the
    outputs are compared, and what is returned is None.
    """
    from nqperf.pytest_plugin.paired import Comparisons

    return Comparisons(request, _nqperf_benchmark)
