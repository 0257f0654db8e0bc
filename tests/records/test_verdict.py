"""From the verdicts on rows to the verdict on a run."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.records.results import Control, Controls
from nqperf.records.verdict import (
    QUICK_GATE,
    REFERENCE_GATE,
    GateConfig,
    control_faults,
    exit_status,
    judge_run,
    slowdown_found,
    too_slow,
    verdict_of,
)
from nqperf.statistics.sets import Floor, Row
from nqperf.statistics.verdicts import JudgeConfig, RowVerdict
from tests import runs

OUTCOMES = ("PASS", "FAIL", "INCONCLUSIVE", "REPORTED")
PLAIN = runs.judged(runs.sets_of(1.2), 1.1)


def verdict(outcome):
    return type(PLAIN)(outcome=outcome, pairs=9, floor=1.0, ratio=1.02, interval=(1.0, 1.04), confidence=0.99)


def controls(same="PASS", planted="PASS"):
    found = {
        name: None if outcome is None else Control(samples=(), verdict=verdict(outcome), planted=0.1)
        for name, outcome in (("same", same), ("planted", planted))
    }
    return Controls(**found)


def judged(outcomes, expected=(), failed=(), proves_nothing=None, *, interrupted=False, **known):
    return judge_run(
        outcomes,
        expected=expected,
        controls=controls(**known),
        failed=failed,
        proves_nothing=proves_nothing,
        interrupted=interrupted,
    )


@pytest.mark.parametrize(
    ("outcomes", "known", "outcome"),
    [
        ({"a": "PASS", "b": "REPORTED"}, {}, "PASS"),
        ({"a": "REPORTED"}, {}, "REPORTED"),
        ({"a": "PASS", "b": "FAIL"}, {}, "FAIL"),
        ({"a": "PASS", "b": "INCONCLUSIVE"}, {}, "INCONCLUSIVE"),
        ({"a": "FAIL", "b": "INCONCLUSIVE"}, {}, "FAIL"),
        ({"a": "PASS"}, {"same": "FAIL"}, "INVALID"),
        ({"a": "PASS"}, {"planted": "FAIL"}, "INVALID"),
        ({"a": "FAIL"}, {"planted": "FAIL"}, "INVALID"),
        # A control that noise leaves open throws no row away.
        ({"a": "PASS"}, {"same": "INCONCLUSIVE", "planted": "INCONCLUSIVE"}, "PASS"),
        ({"a": "REPORTED"}, {"planted": "INCONCLUSIVE"}, "REPORTED"),
        ({}, {}, "FAIL"),
    ],
)
def test_the_worst_row_is_the_runs_and_controls_with_a_wrong_answer_make_it_invalid(outcomes, known, outcome):
    assert judged(outcomes, **known).outcome == outcome


def test_a_row_that_the_time_did_not_reach_leaves_the_run_open_and_is_no_failure():
    found = judged({"a": "PASS"}, expected=("a", "b"))
    assert (found.outcome, found.judged, found.expected) == ("INCONCLUSIVE", 1, 2)
    assert found.reasons == ("judged 1 of 2 expected rows; not reached: b",)


def test_a_row_that_failed_fails_the_run_and_is_named():
    found = judged({"a": "PASS"}, expected=("a", "b"), failed=("b",))
    assert found.outcome == "FAIL"
    assert found.reasons == ("failed: b",)
    assert judged({}, failed=("b",)).reasons == ("failed: b",)
    assert judged({}).reasons[0].startswith("nothing was measured")
    assert "--budget" in judged({}).reasons[0]
    assert "budget" not in judged({}, interrupted=True).reasons[0]


def test_answers_that_prove_nothing_pass_nothing():
    found = judged({"a": "PASS"}, proves_nothing="the baseline's micro-F1 is 0")
    assert (found.outcome, found.reasons[-1]) == ("INCONCLUSIVE", "the baseline's micro-F1 is 0")
    reported = judged({"a": "REPORTED"}, proves_nothing="the heads were never trained")
    assert reported.outcome == "REPORTED"
    assert "the heads were never trained" in reported.reasons
    assert judged({"a": "FAIL"}, proves_nothing="why").outcome == "FAIL"


def test_what_is_wrong_with_controls_is_said():
    assert control_faults(controls()) == ()
    assert control_faults(controls(same=None, planted=None)) == ()
    same, planted = control_faults(controls("FAIL", "FAIL"))
    assert same == "the baseline against itself has the ratio 1.020: the machine is not steady"
    assert planted.startswith("work of 10% of the baseline's time was planted, and the ratio is 1.020; expected about")
    hidden = judged({"a": "PASS"}, planted="INCONCLUSIVE").reasons[-1]
    assert hidden.startswith("noise hides a planted slowdown of 10% on this machine: ")
    assert hidden.endswith("ratios are as rough as their intervals")


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(OUTCOMES)),
    st.sets(st.sampled_from("abcdef")),
    st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE"]),
    st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE"]),
)
def test_no_run_passes_with_anything_wrong_in_it(outcomes, expected, same, planted):
    found = judged(outcomes, expected=expected, same=same, planted=planted)
    if found.outcome == "PASS":
        assert "FAIL" not in (*outcomes.values(), same, planted)
        assert "INCONCLUSIVE" not in outcomes.values()
        assert all(outcomes.get(name) == "PASS" for name in expected)
    assert bool(found.reasons) or found.outcome in {"PASS", "REPORTED"}
    assert (
        exit_status(found.outcome)
        == {"PASS": 0, "REPORTED": 0, "FAIL": 1, "INCONCLUSIVE": 3, "INVALID": 4}[found.outcome]
    )
    assert exit_status("INCONCLUSIVE", allow_inconclusive=True) == 0


@given(st.integers(1, 400))
def test_a_limit_of_rounds_is_kept_over_as_many_sets_as_a_verdict_takes(pairs):
    gate = REFERENCE_GATE.limited(pairs)
    assert gate.sets * gate.rounds <= max(pairs, gate.sets)
    assert pairs < 5 or gate.sets >= 5


def test_gates_out_of_range_are_refused():
    for make in (lambda: GateConfig(sets=0), lambda: GateConfig(rounds=0), lambda: REFERENCE_GATE.limited(0)):
        with pytest.raises(ConfigError, match="expected 1 or more"):
            make()
    assert QUICK_GATE.sets == 5


def test_a_row_that_was_ended_at_its_limit_fails_against_a_floor_and_is_told_without_one():
    config = JudgeConfig()
    found = too_slow(1.2, 20.0, config)
    assert (found.outcome, found.ratio, found.at_most, found.interval) == ("FAIL", 0.05, True, None)
    assert too_slow(None, 20.0, config).outcome == "REPORTED"
    assert too_slow(0.01, 20.0, config).outcome == "INCONCLUSIVE"  # it may yet be no slower than that


def test_a_record_says_what_the_judge_said_and_what_it_could_have_found():
    row = Row(name="a", floor=Floor(ratio=1.1, sd=0.01, freedom=8.0))
    found = RowVerdict(
        name="a",
        role="row",
        outcome="INCONCLUSIVE",
        decided=False,
        sets=4,
        ratio=1.08,
        interval=(1.05, 1.11),
        total_ratio=1.07,
        sd=0.02,
        more_sets=3,
    )
    config = JudgeConfig()
    record = verdict_of(found, row, pairs=24, set_seconds=90.0, family=3, config=config)
    assert (record.ratio, record.interval, record.sets, record.pairs) == (1.08, (1.05, 1.11), 4, 24)
    assert (record.floor, record.floor_sd, record.more_seconds) == (1.1, 0.01, 270.0)
    assert record.finds == slowdown_found(error=math.hypot(0.01, 0.01), freedom=8.0, family=3, config=config)
    assert verdict_of(found, Row(name="a"), pairs=1, set_seconds=None, family=1, config=config).finds is None


@pytest.mark.parametrize("error", [0.002, 0.01, 0.03])
def test_the_slowdown_that_is_found_is_found_in_four_of_five_runs(error):
    config = JudgeConfig()
    slowdown = math.log1p(slowdown_found(error=error, freedom=math.inf, family=13, config=config))
    seen = np.random.default_rng(3).normal(slowdown, error, 20_000)
    from scipy import stats

    sure = seen > stats.norm.isf(config.red_runs / 13) * error
    beyond = seen - math.log(config.fail_margin) > stats.norm.isf(config.beyond_alpha) * error
    assert np.mean(sure & beyond) == pytest.approx(0.8, abs=0.02)
