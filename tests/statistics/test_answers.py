import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nqperf.errors import ConfigError
from nqperf.statistics.answers import (
    Answered,
    AnswerLimits,
    AnswersConfig,
    fewest_within,
    judge_answers,
    share_interval,
)

SIXTEEN_BIT = AnswerLimits(changed=0.005, micro_f1=0.999)
EIGHT_BIT = AnswerLimits(changed=0.05, micro_f1=0.99)
EXACT = AnswerLimits(changed=0.0, micro_f1=1.0)


def answered(count, wins=0, losses=0, others=0):
    """Return answers of which the last are wrong, so many of the first are lost, and so many others changed."""
    right = np.ones(count, int)
    right[count - wins - count // 10 :] = 0
    row = right.copy()
    row[:losses] = 0
    row[count - wins :] = 1
    changed = row != right
    changed[losses : losses + others] = True
    ones = np.ones(count, int)
    return Answered(
        baseline=np.stack([right, ones, ones], axis=1), row=np.stack([row, ones, ones], axis=1), changed=changed
    )


def test_one_flip_of_79_is_undecided_not_failed():
    found = judge_answers(answered(79, losses=1), SIXTEEN_BIT)
    assert (found.outcome, found.changed, found.losses, found.wins) == ("UNDECIDED", 1, 1, 0)
    assert found.broken == ()
    assert "changed" in found.open
    assert found.changed_interval[0] < 1 / 79 < found.changed_interval[1] == found.surely_changed_at_most


def test_many_flips_fail_at_once():
    found = judge_answers(answered(79, losses=8), SIXTEEN_BIT, most=1500)
    assert found.outcome == "FAILS"
    assert "changed" in found.broken
    assert found.p_even == pytest.approx(2 * 0.5**8)
    assert found.more_examples is None


def test_enough_examples_hold():
    found = judge_answers(answered(1500, wins=7, losses=8), EIGHT_BIT, looks=(79, 500), most=1500)
    assert (found.outcome, found.open, found.broken) == ("HOLDS", (), ())
    assert found.difference.interval[0] > -0.01


def test_a_score_that_falls_fails_though_few_answers_change():
    found = judge_answers(answered(5000, losses=100), EIGHT_BIT)
    assert (found.outcome, found.broken) == ("FAILS", ("micro_f1",))


def test_exact_rows_stay_exact():
    assert judge_answers(answered(40), EXACT).outcome == "HOLDS"
    assert judge_answers(answered(4000, others=1), EXACT).outcome == "FAILS"


def test_what_is_undecided_says_how_many_more_would_tell():
    found = judge_answers(answered(500), SIXTEEN_BIT)
    assert found.outcome == "UNDECIDED"
    more = judge_answers(answered(500 + 2 * found.more_examples), SIXTEEN_BIT)
    assert more.outcome == "HOLDS"


@given(st.integers(0, 60), st.integers(60, 400), st.floats(0.5, 0.99))
def test_the_interval_of_a_share_is_clopper_and_pearsons(count, of, confidence):
    low, high = stats.binomtest(count, of).proportion_ci(confidence, method="exact")
    assert share_interval(count, of, confidence) == pytest.approx((low, high))


@given(st.integers(0, 40), st.floats(0.01, 0.5))
def test_the_fewest_within_a_limit_are_no_more_than_it_takes(changed, limit):
    fewest = fewest_within(changed, limit, 0.95)
    assert share_interval(changed, fewest, 0.95)[1] <= limit
    assert fewest == changed + 1 or share_interval(changed, fewest - 1, 0.95)[1] > limit


@given(st.integers(0, 30), st.integers(0, 30))
def test_more_changes_are_never_better(changed, more):
    order = ["FAILS", "UNDECIDED", "HOLDS"]
    few, many = (
        judge_answers(answered(800, others=number), AnswerLimits(changed=0.02, micro_f1=0.9)).outcome
        for number in (changed, changed + more)
    )
    assert order.index(many) <= order.index(few)


def simulated(share, generator, looks=(79, 300, 1500)):
    """Return the outcome of a row of which `share` truly changes, with more examples until it is decided."""
    changed = generator.random(looks[-1]) < share
    right = (generator.random(looks[-1]) < 0.85).astype(int)
    row = np.where(changed, generator.random(looks[-1]) < 0.85, right).astype(int)
    ones = np.ones_like(right)
    both = [np.stack([values, ones, ones], axis=1) for values in (right, row)]
    for number, count in enumerate(looks):
        part = Answered(baseline=both[0][:count], row=both[1][:count], changed=changed[:count])
        found = judge_answers(part, SIXTEEN_BIT, looks=looks[:number], most=looks[-1])
        if found.outcome != "UNDECIDED":
            break
    return found.outcome


def test_rows_that_change_little_are_not_failed_and_rows_that_change_much_are():
    generator = np.random.default_rng(4)
    outcomes = {share: [simulated(share, generator) for _ in range(200)] for share in (0.0033, 0.03, 0.1)}
    assert outcomes[0.0033].count("FAILS") <= 2
    assert outcomes[0.03].count("FAILS") >= 190
    assert outcomes[0.1].count("FAILS") == 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnswerLimits(changed=1.0, micro_f1=1.0), "limits are 1.0"),
        (lambda: AnswerLimits(changed=0.1, micro_f1=0.0), "limits are"),
        (lambda: AnswersConfig(fail_alpha=0.0), "alphas 0.0"),
        (lambda: Answered(baseline=np.ones((2, 3), int), row=np.ones((3, 3), int), changed=np.ones(2, bool)), "shapes"),
        (lambda: judge_answers(answered(40), EIGHT_BIT, looks=(50,)), "looks"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
