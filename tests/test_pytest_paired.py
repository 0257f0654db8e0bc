"""The fixture `nqperf_paired` in real inner sessions, as a stranger's project uses it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nqperf.formats.results.results_json import read_results
from nqperf.records.merging import merge
from nqperf.records.results import BASELINE
from tests import runs
from tests.inner_sessions import ALONE, REPOSITORY, forget_outer_session

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("default::pytest.PytestWarning")

PROJECT = """
import dataclasses
import numpy as np
import pytest
from nqperf.gate import GateConfig
from nqperf.gate import PairedConfig

VALUES = np.linspace(0, 1, 500)
# Few sets, so that the session is short; the planted slowdown of so small a work may stay open on a noisy machine.
CONFIG = PairedConfig(gate=GateConfig(sets=5, rounds=3), seconds=60, shortest=0.002)

def slow(): return np.array([value * 2 for value in VALUES])
def fast(): return VALUES * 2
def wrong(): return VALUES

def test_faster(nqperf_paired): nqperf_paired(slow, fast, floor=1.5, config=CONFIG)
def test_slower(nqperf_paired): nqperf_paired(fast, slow, config=CONFIG)
def test_wrong(nqperf_paired): nqperf_paired(slow, wrong, config=CONFIG)
"""


@pytest.fixture
def project(pytester, monkeypatch):
    forget_outer_session(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    pytester.makepyfile(test_speed=PROJECT)

    def run(*arguments):
        return pytester.runpytest_subprocess(*ALONE, *arguments)

    return run


@pytest.mark.slow
def test_a_strangers_project_is_gated_in_both_directions(project, pytester, monkeypatch):
    summary = pytester.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    saving = ("--nqperf-save-results=run.json", "--nqperf-report=run.html", "--benchmark-json=b.json")
    result = project(*saving)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    results = read_results(pytester.path / "run.json")
    faster, slower, wrong = results.variants
    assert [row.name for row in results.variants] == [
        f"test_speed.py::test_{name}" for name in ("faster", "slower", "wrong")
    ]
    assert (faster.verdict.outcome, slower.verdict.outcome, wrong.verdict) == ("PASS", "FAIL", None)
    assert (results.judged, results.expected) == (2, 3)
    assert results.outcome == "FAIL", results.reasons
    result.stdout.fnmatch_lines(["*test_wrong: parity: *values differ*", "*test_faster *", "*test_slower *"])
    assert "test_slower" in summary.read_text().replace("\\", "")
    assert "test_slower" in (pytester.path / "run.html").read_text()
    saved = json.loads((pytester.path / "b.json").read_text())["benchmarks"]
    times = {entry["name"]: entry["stats"]["data"] for entry in saved}
    assert "test_slower" not in times  # nothing is to be measured by what failed
    assert "test_wrong" not in times
    assert times["test_faster"] == list(faster.samples[-1].variant_seconds)
    compared = subprocess.run(
        [sys.executable, "-m", "nqperf.cli.main", "compare", "run.json", "run.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=pytester.path,
    )
    assert compared.returncode == 0, compared.stdout + compared.stderr  # a run compared with itself is the same


def test_without_pytest_benchmark_it_gates_as_well(project):
    result = project("-p", "no:benchmark", "-k", "wrong")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_wrong: parity: *"])


@pytest.mark.slow
def test_what_was_asked_for_and_compared_nothing_is_a_fault(project, pytester):
    pytester.makepyfile(test_speed="def test_lax(nqperf_paired): pass")
    result = project("--nqperf-quick")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*measured anything, so nothing was judged*"])
    assert project().ret == pytest.ExitCode.OK


def test_both_kinds_of_tests_in_one_session_are_refused(project, pytester):
    (pytester.path / "test_suite.py").write_text("def test_all(nqperf_variant, nqperf_gate): pass")
    result = project()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*end in two records*"])


def test_bad_input_is_a_typed_exception_and_leaves_nothing(project, pytester):
    pytester.makepyfile(test_speed="def test_bad(nqperf_paired): nqperf_paired(len, 'no builder')")
    result = project("--nqperf-save-results=run.json")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ConfigError: *expected*builder*"])
    assert not (pytester.path / "run.json").exists()


def named(name, ratio, floor):
    return runs.run(runs.measured(name, ratio, floor), model=runs.run().model.__class__(name=name))


def test_several_comparisons_are_one_record():
    whole = merge([named("one", 1.2, 1.1), named("two", 0.8, 1.0)])
    assert [row.name for row in whole.variants] == ["one", "two"]
    assert whole.variant(BASELINE) is None
    assert (whole.outcome, whole.judged, whole.expected) == ("FAIL", 2, 2)
    assert whole.reasons == ("FAIL: two",)
    assert whole.variant("one").metrics["control planted"] == pytest.approx(1 / 1.1, rel=0.02)
    alone = named("one", 1.2, 1.1)
    assert merge([alone]) is alone


def test_the_controls_that_did_not_hold_are_those_shown():
    good, bad = named("one", 1.2, 1.1), named("two", 1.2, 1.1)
    bad = runs.run(runs.measured("two", 1.2, 1.1), controls=(1.0, 1.0), model=bad.model)
    whole = merge([good, bad])
    assert whole.outcome == "INVALID"
    assert whole.controls == bad.controls


@pytest.mark.slow
@pytest.mark.long
def test_the_example_of_the_docs_runs(pytester, monkeypatch):
    """The example is run as it stands, but for the machine's noise: a verdict may be any, an error may not."""
    text = (REPOSITORY / "docs" / "gate.md").read_text()
    (example,) = re.findall(r"```python\n# test_speed\.py\n(.*?)```", text, flags=re.DOTALL)
    pytester.makepyfile(test_speed=example)
    forget_outer_session(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    result = pytester.runpytest_subprocess(*ALONE, "--nqperf-rounds=10", "--nqperf-save-results=run.json")
    outcomes = result.parseoutcomes()
    assert outcomes.get("errors", 0) == 0
    results = read_results(Path(pytester.path) / "run.json")
    first, second = results.variants[-2:]
    assert first.agreement.changed == 0
    assert first.verdict is not None
    assert second.agreement.metric == "accuracy"
