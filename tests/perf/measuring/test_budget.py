import contextlib
import dataclasses
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, OutOfTimeError
from nqperf.perf.measuring import rounds
from nqperf.perf.measuring.budget import Budget, Plan, Speed
from nqperf.perf.measuring.rounds import Measured, RoundsConfig
from nqperf.perf.suite.session import Session
from nqperf.perf.variants.table import VARIANTS
from nqperf.records.results import BASELINE, Pairs, Verdict
from nqperf.records.verdict import GateConfig


class Clock:
    """A clock that shows what it is told."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_the_time_is_counted_from_the_start_and_some_is_kept_for_the_report():
    clock = Clock()
    budget = Budget(seconds=100, clock=clock)
    assert 90 < budget.left() < 100
    clock.now += 99
    assert budget.left() < 0


def test_what_was_spent_before_is_gone():
    clock = Clock()
    budget, whole = (Budget(seconds=100, spent=spent, clock=clock) for spent in (10.0, 0.0))
    assert whole.left() - budget.left() == pytest.approx(10)
    clock.now += 5
    assert whole.left() - budget.left() == pytest.approx(10)


@given(
    seconds=st.floats(1, 1e4),
    costs=st.lists(st.tuples(st.floats(0.01, 500), st.booleans()), min_size=1, max_size=30),
    least=st.floats(0.01, 200),
)
def test_whatever_comparisons_take_of_their_shares_the_budget_holds(seconds, costs, least):
    clock = Clock()
    budget = Budget(seconds=seconds, clock=clock)
    budget.planned = len(costs)
    done = 0
    for cost, repeated in costs:
        try:
            for share in [budget.share, budget.another] if repeated else [budget.share]:
                found = share(least)
                assert found >= least
                clock.now += min(cost, found)
        except OutOfTimeError:
            break
        done += 1
    assert clock.now - 1000 <= seconds
    # None is given up while there is time for it.
    assert done == len(costs) or budget.left() < least


def test_a_comparison_that_ends_early_leaves_its_time_to_the_others():
    clock = Clock()
    budget = Budget(seconds=100, clock=clock)
    budget.planned = 4
    first = budget.share(1)
    assert first == pytest.approx(24)
    clock.now += 1
    assert budget.share(1) > first
    assert budget.share(1, weight=2) == pytest.approx(95)  # the last two shares are all that is left


def test_a_comparison_that_was_not_planned_leaves_the_others_as_much_as_it_takes():
    clock = Clock()
    budget = Budget(seconds=100, clock=clock)
    budget.planned = 4
    clock.now += budget.share(1)
    repeat = budget.another(1)  # one of four that are still to come
    assert repeat == pytest.approx(72 / 4)
    clock.now += repeat
    assert [budget.share(1) for _ in range(3)] == pytest.approx([18, 27, 54])


def test_the_last_one_may_be_repeated_with_all_that_is_left():
    budget = Budget(seconds=100, clock=Clock())
    budget.share(1)
    assert budget.another(1) == pytest.approx(96)
    with pytest.raises(OutOfTimeError, match="it needs about 97 s"):
        budget.another(97)


class Repeating(Session):
    """A session that is asked for a repeat alone, and notes how long its pairs may take."""

    def __init__(self, budget):
        self.budget, self.gate, self.speed = budget, GateConfig(), Speed(start=5.0, batch=0.1)
        self.batch_size, self.allowed = 4, []

    @contextlib.contextmanager
    def fresh_pair(self, *_, **__):
        yield None, None

    def rounds(self, *arguments):
        self.allowed.append(arguments[-1].seconds)
        return PASSED


PASSED = Measured(
    pairs=Pairs(baseline_seconds=(1.0,) * 20, variant_seconds=(1.0,) * 20),
    verdict=Verdict(
        outcome="PASS",
        floor=1.0,
        ratio=0.99,
        interval=(0.97, 1.01),
        confidence=0.99,
        pairs=20,
        p_pass=0.001,
        p_fail=1.0,
    ),
    seconds=40.0,
)


def test_a_repeat_takes_no_more_than_its_share_from_the_rows_that_follow():
    budget = Budget(seconds=1000, clock=Clock())
    budget.planned = 9
    session = Repeating(budget)
    assert session._settled(PASSED, 1.0, VARIANTS[BASELINE]).verdict.outcome == "PASS"
    assert session.allowed == [pytest.approx(960 / 10 - 2 * 5.0)]


def test_the_end_of_the_budget_cuts_off_no_pair(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(rounds.time, "perf_counter", clock)

    class Timing(Repeating):
        rounds = Session.rounds

        def _timed(self, worker):
            def timed(number):
                clock.now += self.speed.batch
                if self.budget.left() <= 0:
                    raise OutOfTimeError("not judged")
                return 1.0 + number % 7 if worker == "uneven" else 1.0

            return timed

    session = Timing(Budget(seconds=10, clock=clock))
    session.seconds, session.progress, session._worker = {"models": 0.0}, lambda *_: None, None
    measured = session.rounds(None, "uneven", None, "until the time is up", RoundsConfig(gate=OPEN, seconds=math.inf))
    assert measured.verdict.outcome == "REPORTED"
    assert 9.6 / 0.2 - 3 <= measured.verdict.pairs <= 9.6 / 0.2


# Looks so late that the time ends first.
OPEN = GateConfig(looks=(10, 1000))


def test_what_is_given_up_is_said_with_both_numbers():
    budget = Budget(seconds=100, clock=Clock())
    with pytest.raises(OutOfTimeError, match="not judged: out of time: it needs about 120 s, and 96 of 100 s are left"):
        budget.share(120)


def seconds_of(plan, speed, windows, batch_size=4, slower=1.5):
    """Return what a run takes, a step after the other, in which each comparison is judged at its first look."""
    total = 0.0
    for number in range(plan.comparisons):
        total += speed.start
        total += plan.pairs * (speed.batch + slower * speed.batch)
        if number < plan.answers:
            total += math.ceil(windows / batch_size) * slower * speed.batch
    return total


@given(
    seconds=st.floats(1, 1e4),
    batch=st.floats(1e-3, 10),
    start=st.floats(0, 20),
    answers=st.integers(2, 30),
    pairs=st.integers(1, 40),
)
def test_no_answer_is_given_up_that_there_is_time_for(seconds, batch, start, answers, pairs):
    budget = Budget(seconds=seconds, clock=Clock())
    speed, plan = Speed(start=start, batch=batch), Plan(answers=answers, comparisons=answers + 1, pairs=pairs)
    windows = budget.windows(speed, plan, 4)
    assert windows >= 4
    assert windows % 4 == 0
    # A quarter more for the pairs, and a batch more of answers: then the time is up.
    longer = dataclasses.replace(plan, pairs=math.ceil(1.25 * pairs))
    assert seconds_of(longer, speed, windows + 4) > 0.999 * budget.left()
    # The answers take their fifth of a budget that is short for the pairs, and of no other more than that leaves.
    if seconds_of(plan, speed, windows) > budget.left():
        assert windows == 4 or windows / 4 * 1.5 * batch * answers <= 0.2001 * budget.left()


@given(seconds=st.floats(1, 1e4), batch=st.floats(1e-3, 10), start=st.floats(0, 20), rows=st.integers(1, 30))
def test_comparisons_fit_where_all_are_judged_at_their_first_look_beside_the_answers_share(seconds, batch, start, rows):
    budget = Budget(seconds=seconds, clock=Clock())
    speed, plan = Speed(start=start, batch=batch), Plan(answers=rows, comparisons=rows, pairs=20)
    taken = seconds_of(dataclasses.replace(plan, answers=0, pairs=25), speed, 4)
    allowed = 0.8 * 0.96 * seconds
    assume(abs(taken - allowed) > 1e-9 * allowed)  # summed in another order, equal ones differ in their last digit
    assert budget.fits(speed, plan) == (taken < allowed)


# 13 rows and the baseline, 184 windows, in a budget of 600 s of which 12 went by: two cores of Zen 5, of Zen 3, of one
# ten times as fast, and of one four times as slow.
@pytest.mark.parametrize(
    ("start", "batch", "all_of_them"), [(3.0, 0.154, True), (5.0, 0.38, False), (1.0, 0.015, True), (12.0, 0.6, False)]
)
def test_the_packaged_suite_is_answered_whole_where_there_is_time(start, batch, all_of_them):
    budget = Budget(seconds=600, clock=Clock())
    budget.clock.now += 12
    speed, plan = Speed(start=start, batch=batch), Plan(answers=14, comparisons=15, pairs=20)
    windows = budget.windows(speed, plan, 4)
    assert (windows >= 184) == all_of_them
    assert windows >= 32
    if all_of_them:
        assert seconds_of(plan, speed, 184) < budget.left()


def test_without_a_budget_everything_is_done():
    budget = Budget()
    assert math.isinf(budget.share(1e9))
    assert budget.windows(Speed(start=1, batch=1), Plan(answers=14, comparisons=15, pairs=20), 4) is None


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_budget_is_above_nothing(seconds):
    with pytest.raises(ConfigError, match=r"the budget is .* s; expected above 0"):
        Budget(seconds=seconds)
