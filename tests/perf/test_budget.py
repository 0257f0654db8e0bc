import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, OutOfTimeError
from nqperf.perf.budget import Budget, Speed


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


@given(
    seconds=st.floats(1, 1e4),
    costs=st.lists(st.floats(0.01, 500), min_size=1, max_size=30),
    least=st.floats(0.01, 200),
)
def test_whatever_comparisons_take_of_their_shares_the_budget_holds(seconds, costs, least):
    clock = Clock()
    budget = Budget(seconds=seconds, clock=clock)
    budget.planned = len(costs)
    done = 0
    for cost in costs:
        try:
            share = budget.share(least)
        except OutOfTimeError:
            break
        assert share >= least
        clock.now += min(cost, share)
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


def test_what_is_given_up_is_said_with_both_numbers():
    budget = Budget(seconds=100, clock=Clock())
    with pytest.raises(OutOfTimeError, match="not judged: out of time: it needs about 120 s, and 96 of 100 s are left"):
        budget.share(120)


@pytest.mark.parametrize(("batch", "windows"), [(0.1, 76), (0.4, 16), (0.01, 768), (100.0, 4)])
def test_windows_are_as_many_as_a_fifth_of_the_time_answers(batch, windows):
    # 96 of 100 s are left, a fifth of them for 10 comparisons: 1.92 s each.
    assert Budget(seconds=100, clock=Clock(), planned=10).windows(Speed(start=1, batch=batch), 4) == windows


def test_without_a_budget_everything_is_done():
    budget = Budget()
    assert math.isinf(budget.share(1e9))
    assert budget.windows(Speed(start=1, batch=1), 4) is None


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_budget_is_above_nothing(seconds):
    with pytest.raises(ConfigError, match=r"the budget is .* s; expected above 0"):
        Budget(seconds=seconds)
