"""Two ways to do the same work, far apart in speed, so that no noise can reach the verdicts that are asserted."""

import dataclasses
import json
import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.results.results_json import read_results, write_results
from nqperf.gate import Close, GateConfig, Metric, PairedConfig, Work, paired
from nqperf.perf.workers.process import WorkerError
from nqperf.records.comparison import compare
from nqperf.records.results import BASELINE
from nqperf.report.html import run_page
from nqperf.report.terminal import run_text

CONFIG = PairedConfig(gate=GateConfig(sets=5, rounds=3), seconds=60, shortest=0.002, seed=3)
VALUES = np.linspace(0, 1, 500)


def slow():
    return np.array([value * 2 for value in VALUES])


def fast():
    return VALUES * 2


def wrong():
    return VALUES * 2.001


def build_slow():
    return slow


def build_fast():
    return Work(run=lambda given: given * 2, set_up=lambda: VALUES)


def build_wrong():
    return wrong


def build_nothing():
    return 7


def build_asleep():
    time.sleep(60)


def build_dying():
    os._exit(3)


HERE = Path(__file__).parent
BUILDERS = "test_paired:build_slow", "test_paired:build_fast"


@pytest.fixture
def importable(monkeypatch):
    monkeypatch.syspath_prepend(HERE)


def candidate_of(results):
    return results.variant("candidate")


def test_a_real_speed_up_passes_and_a_slowdown_fails_in_new_sets_too():
    results = paired(slow, fast, floor=1.5, config=CONFIG)
    row = candidate_of(results)
    assert row.verdict.outcome == "PASS"
    assert len(row.samples) == row.verdict.sets >= 3
    assert row.verdict.ratio > 1.5
    assert (row.agreement.changed, row.agreement.compared) == (0, 500)
    assert (results.judged, results.expected) == (1, 1)
    assert len(results.controls.same.samples) >= 3
    assert results.controls.planted.planted > 0
    assert len(results.sets) >= 3
    assert results.outcome in {"PASS", "INVALID"}  # the controls' times are real, and the rounds few

    slowed = paired(fast, slow, config=CONFIG)
    row = candidate_of(slowed)
    assert (row.verdict.outcome, row.verdict.sets) == ("FAIL", 5)
    assert any("candidate: FAIL, timed in this process" in reason for reason in slowed.reasons)


def test_a_fast_wrong_candidate_is_never_timed():
    calls = []

    def counted():
        calls.append(1)
        return wrong()

    results = paired(slow, Work(run=counted, warm_up=0), config=CONFIG)
    assert (results.outcome, results.judged, results.expected) == ("FAIL", 0, 1)
    row = candidate_of(results)
    assert re.match(r"parity: 49\d of 500 values differ by up to 0.001 \(the first at \[\d\]: ", row.reason)
    assert (row.verdict, row.samples) == (None, ())
    assert len(calls) == 2  # one to be warm, one to be compared
    assert results.sets == ()


@pytest.mark.slow
@pytest.mark.usefixtures("importable")
def test_builders_run_in_processes_of_their_own(tmp_path):
    results = paired(*reversed(BUILDERS), config=CONFIG)
    row = candidate_of(results)
    assert (row.verdict.outcome, row.verdict.sets, len(row.samples)) == ("FAIL", 5, 5)
    assert not any("this process" in reason for reason in results.reasons)
    assert row.requested == {"run": "test_paired:build_slow", "own process": True}
    write_results(tmp_path / "run.json", results)
    assert read_results(tmp_path / "run.json") == results
    assert "candidate" in run_text(results)
    assert "candidate" in run_page(results)


@pytest.mark.usefixtures("importable")
def test_a_wrong_builder_is_never_timed():
    results = paired(BUILDERS[0], "test_paired:build_wrong", config=CONFIG)
    assert results.outcome == "FAIL"
    assert "parity" in candidate_of(results).reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("test_paired:build_nothing", "what test_paired:build_nothing returns is int 7"),
        ("test_paired:nowhere", "has no attribute 'nowhere'"),
        ("nowhere_at_all:build", "No module named 'nowhere_at_all'"),
        ("test_paired:build_dying", "died at Build: exit status 3"),
        ("test_paired:build_asleep", "no reply to Build within"),
    ],
)
@pytest.mark.usefixtures("importable")
def test_a_builder_that_does_not_build(target, said):
    config = dataclasses.replace(CONFIG, build_seconds=20) if "asleep" in target else CONFIG
    results = paired(BUILDERS[1], target, config=config)
    assert results.outcome == "FAIL"
    assert said in candidate_of(results).reason


@pytest.mark.usefixtures("importable")
def test_a_baseline_that_does_not_build_ends_the_comparison():
    with pytest.raises(WorkerError, match="worker of baseline failed at Build: AttributeError"):
        paired("test_paired:nowhere", BUILDERS[1], config=CONFIG)


def test_time_that_is_up_is_no_pass_and_no_floor_only_reports():
    hurried = paired(slow, fast, config=dataclasses.replace(CONFIG, seconds=1e-9))
    assert hurried.outcome == "INCONCLUSIVE"
    row = candidate_of(hurried)
    assert (row.verdict.outcome, row.verdict.sets, row.verdict.pairs, row.verdict.interval) == (
        "INCONCLUSIVE",
        1,
        1,
        None,
    )
    assert row.verdict.ratio > 1
    assert candidate_of(paired(slow, fast, floor=None, config=CONFIG)).verdict.outcome == "REPORTED"


def test_two_records_compare():
    runs = [paired(slow, fast, floor=None, config=CONFIG) for _ in range(2)]
    sure = [run for run in runs if run.outcome != "INVALID"]
    if len(sure) < 2:
        pytest.skip("this machine is too noisy for the controls")
    assert [change.name for change in compare(*sure).changes] == [BASELINE, "candidate"]


def test_a_metric_of_ones_own():
    metric = Metric(name="mean", score=np.mean, tolerance=0.01)
    assert candidate_of(paired(slow, wrong, same=metric, config=CONFIG)).agreement.metric == "mean"
    low = paired(slow, lambda: VALUES, same=metric, config=CONFIG)
    assert candidate_of(low).reason == "parity: mean 0.5 against 1, expected 0.99 or more"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"baseline": 7}, "the baseline is int 7; expected a callable"),
        ({"candidate": "no builder"}, "the candidate is 'no builder'; expected a builder \"module:function\""),
        ({"candidate": "test_paired:build_fast"}, "expected two builders or two callables"),
        ({"floor": 0}, "floor is 0; expected"),
        ({"floor": float("nan")}, "floor is nan"),
        ({"name": "baseline"}, "the candidate's name"),
        ({"name": ""}, "the candidate's name"),
        ({"same": lambda _one, _other: "yes"}, "same returned str 'yes'"),
    ],
)
def test_bad_input_is_refused(changes, said):
    given = {"baseline": slow, "candidate": fast, "config": CONFIG, **changes}
    with pytest.raises(ConfigError, match=said):
        paired(given.pop("baseline"), given.pop("candidate"), **given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PairedConfig(seconds=0),
        lambda: PairedConfig(run_seconds=-1),
        lambda: PairedConfig(shortest=float("nan")),
        lambda: Work(run=None),
        lambda: Work(run=slow, warm_up=-1),
        lambda: Close(rtol=-1),
        lambda: Metric(name="m", score=None),
        lambda: Metric(name="m", score=len, tolerance=float("nan")),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(NqPerfError):
        make()


def test_a_fault_of_the_callers_own_code_is_his():
    def broken():
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        paired(slow, broken, config=CONFIG)
    with pytest.raises(KeyError):
        paired(slow, fast, same=lambda _one, _other: {}["x"], config=CONFIG)


def test_nothing_is_imported_for_the_comparison():
    heavy = json.dumps(sorted({"tensorflow", "torch", "jax"} & set(sys.modules)))
    paired(slow, fast, floor=None, config=CONFIG)
    assert json.dumps(sorted({"tensorflow", "torch", "jax"} & set(sys.modules))) == heavy
