"""The seconds of a run: what is left of them, and how many windows can be answered in them."""

import math
import re

import pytest

from nqperf.errors import ConfigError, OutOfTimeError
from nqperf.perf.measuring.budget import SHORTEST_TURN, Budget, Speed, batches_of_turn


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_what_was_spent_and_what_passes_is_gone_and_a_little_is_kept_for_the_report():
    clock = Clock()
    budget = Budget(seconds=100.0, spent=10.0, clock=clock)
    assert budget.left() == pytest.approx(86.0)
    clock.now += 80.0
    assert budget.left() == pytest.approx(6.0)
    part = budget.part(3.0)
    assert part.left() == pytest.approx(3.0)
    assert budget.part(30.0).left() == pytest.approx(6.0)
    clock.now += 7.0
    assert budget.left() < 0
    assert Budget().left() == math.inf


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_budget_that_is_none_is_refused(seconds):
    with pytest.raises(ConfigError, match="expected above 0"):
        Budget(seconds=seconds)


def test_too_little_says_what_it_takes_and_which_budget_is_enough():
    budget = Budget(seconds=30.0, spent=25.0, clock=Clock())
    with pytest.raises(
        OutOfTimeError, match=r"one set takes about 40 s here, and 4 of 30 s .* a budget of 80 s or more"
    ):
        budget.require(40.0, "one set")
    assert Budget(seconds=80.0, spent=25.0, clock=Clock()).require(40.0, "one set") >= 40.0
    assert budget.enough(40.0) == 80
    assert Budget().enough(40.0) == math.inf


def test_a_first_process_is_waited_for_beyond_a_small_budget_and_no_large_one():
    clock = Clock()
    small, large = Budget(seconds=10.0, spent=4.0, clock=clock), Budget(seconds=600.0, spent=4.0, clock=clock)
    assert small.first().left() == pytest.approx(116.0)
    assert large.first().left() == pytest.approx(large.left())
    assert Budget().first().left() == math.inf
    clock.now += 300.0
    assert small.first().left() < 0.01, "but not for ever"


def test_a_first_process_that_was_never_ready_says_which_budget_can_be_enough():
    clock = Clock()
    budget = Budget(seconds=10.0, clock=clock)
    clock.now += 120.0
    error = budget.never_ready(100.0)
    said = r"not ready after 100 s, and a set starts 4 or more; expected a budget of (\d+) s or more, not 10"
    least = float(re.search(said, str(error))[1])
    assert 0.96 * least >= 120.0 + 400.0


def test_windows_leave_the_time_for_measuring_but_a_fifth_is_theirs():
    budget = Budget(seconds=100 / 0.96, clock=Clock())
    ten = {"batch": 0.5, "batch_size": 4}
    assert budget.windows(60.0, passes=1, **ten) == 80 * 4
    assert budget.windows(60.0, passes=5, **ten) == 11 * 4  # one pass of the baseline, four of rows that are slower
    assert budget.windows(99.0, passes=1, **ten) == 40 * 4
    assert budget.windows(1e6, passes=1, batch=50.0, batch_size=4) == 4
    assert Budget().windows(60.0, passes=1, **ten) is None


@pytest.mark.parametrize(
    ("batch", "batches"), [(4.0, 1), (0.2, 1), (0.05, 1), (0.049, 2), (0.007, 8), (0.001, 50), (1 / 4096, 205)]
)
def test_a_turn_has_the_fewest_batches_that_take_the_baseline_long_enough(batch, batches):
    assert batches_of_turn(batch) == batches
    speed = Speed(start=1.0, batch=batch, batches=batches)
    assert speed.turn >= SHORTEST_TURN or speed.turn == pytest.approx(SHORTEST_TURN)
    assert batches == 1 or speed.turn - batch < SHORTEST_TURN
