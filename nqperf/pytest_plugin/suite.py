"""What the fixtures of the suite do: run it once a session, and end each variant's test as the verdict says."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from nqperf.errors import NqPerfError
from nqperf.perf.suite.config import SuiteConfig
from nqperf.pytest_plugin.options import is_distributed, suite_config, switched_off
from nqperf.pytest_plugin.progress import progress_of
from nqperf.pytest_plugin.replay import judge, replay
from nqperf.pytest_plugin.session import gate_of, keep
from nqperf.records.results import BASELINE, Results, VariantResult

if TYPE_CHECKING:
    from nqperf.perf.suite.suite import SuiteRun

# Of the budget at the most this share goes to the tests before the suite's: a large project's may take any time.
_OTHER_TESTS = 0.25


def run(own: SuiteConfig, config: pytest.Config) -> SuiteRun:
    """Run the suite with the variants whose tests were selected; the budget is what the session has left of it.

    `config` holds the options; `own` is the project's: what its `nqperf_config` returns.

    Raises: NqPerfError for options that cannot be met together, and what the suite raises.
    """
    from nqperf.perf.suite.suite import run_suite

    state = gate_of(config).state
    asked = suite_config(config, own, state.variants)
    spent = min(time.monotonic() - state.started, _OTHER_TESTS * asked.budget)
    with progress_of(config) as progress:
        return run_suite(dataclasses.replace(asked, spent=spent), progress)


def results_of(request: pytest.FixtureRequest, record: Callable[[str, object], None]) -> Results:
    """Return what the suite measured, written and tracked as the options say.

    `request` is the fixture's own; `record` notes a property of the whole session for JUnit's file. The test is skipped
    where pytest-benchmark's options switch benchmarks off.
    """
    config = request.config
    if is_distributed(config):
        pytest.fail("the gate measures alone on its machine: run its tests without -n", pytrace=False)
    if (off := switched_off(config)) is not None:
        pytest.skip(f"{off}: the suite was not run")
    state = gate_of(config).state
    try:
        done: SuiteRun = request.getfixturevalue("nqperf_suite")
    except NqPerfError as error:
        pytest.exit(f"nqperf: {error}", returncode=1 if error.exit_code == 1 else pytest.ExitCode.USAGE_ERROR)
    results = state.results = done.results
    state.seconds = done.seconds
    keep(state, done.predictions, config)
    record("nqperf.outcome", results.outcome)
    record("nqperf.judged", f"{results.judged} of {results.expected}")
    record("nqperf.device", results.fingerprint.device_key)
    return results


def gate(request: pytest.FixtureRequest, benchmark: Any, results: Results, variant: VariantResult) -> None:
    """Give the times of `variant` to `benchmark`, None without pytest-benchmark, and end the test as the verdict says.

    `request` is the test's, `results` the record that the variant stands in.
    """
    seconds = _seconds(results, variant) if variant.status == "measured" else ()
    replay(request.node, benchmark, variant, seconds, invalid=results.outcome == "INVALID")
    if variant.status in {"skipped", "unjudged"}:
        pytest.skip(str(variant.reason))
    judge(variant, results, allow_inconclusive=request.config.option.nqperf_allow_inconclusive)
    if not seconds and variant.name == BASELINE:
        # Its times are the controls', and a run in which they are missed without excuse is INVALID.
        pytest.skip("no times of the baseline alone: the run's time was up before the controls were measured")
    if not seconds:
        pytest.fail(f"{variant.name} has no times", pytrace=False)


def _seconds(results: Results, variant: VariantResult) -> tuple[float, ...]:
    """Return the times that stand for a variant; the baseline's own are those of its pairs with itself."""
    if variant.name == BASELINE:
        same = results.controls.same
        return same.samples[-1].baseline_seconds if same and same.samples else ()
    return variant.samples[-1].variant_seconds if variant.samples else ()
