import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.planning import (
    FEWEST_ROUNDS,
    MOST_MORE,
    MOST_ROUNDS,
    Cost,
    detectable_slowdown,
    least_seconds,
    more_sets,
    rounds_per_set,
    sets_that_fit,
)
from nqperf.statistics.verdicts import JudgeConfig

COST = Cost(start_seconds=44, round_seconds=3)
seconds = st.floats(0.1, 100)
variances = st.floats(1e-6, 1e-2)


@given(seconds, seconds, variances, variances)
def test_no_other_number_of_rounds_is_more_exact_in_the_same_time(start, one_round, pair, process):
    """The reference: all numbers of rounds tried."""
    cost = Cost(start_seconds=start, round_seconds=one_round)

    def spoilt(rounds):
        return (process + pair / rounds) * cost.set_seconds(rounds)

    best = min(range(FEWEST_ROUNDS, MOST_ROUNDS + 1), key=spoilt)
    found = rounds_per_set(cost, pair, process)
    assert found in range(FEWEST_ROUNDS, MOST_ROUNDS + 1)
    assert spoilt(found) <= 1.02 * spoilt(best)


def test_rounds_at_the_edges():
    assert rounds_per_set(COST, 1.0, 0.0) == MOST_ROUNDS
    assert rounds_per_set(COST, 0.0, 0.0) == rounds_per_set(COST, 0.0, 1.0) == FEWEST_ROUNDS


def test_sets_fit_whole():
    assert COST.set_seconds(10) == 74
    assert [sets_that_fit(COST, 10, budget) for budget in (-5, 73.9, 74, 600)] == [0, 0, 1, 8]
    assert least_seconds(COST, 3) == 3 * 53


def test_the_way_that_takes_fewest_sets_counts():
    near, far = [(0.01, 3.0)], [(0.04, 3.0), (0.02, 2.0)]
    assert more_sets([near, far], 0.02, 4) == more_sets([far], 0.02, 4)
    assert more_sets([far], 0.02, 4) == math.ceil((2.84 * 0.02 / 0.02) ** 2) - 4
    assert more_sets([[(-0.01, 3.0)]], 0.02, 4) is None
    assert more_sets([[(0.04, 3.0), (-0.01, 1.0)]], 0.02, 4) is None
    assert more_sets([[(1.0, 3.0)]], 0.02, 4) == 1
    assert more_sets([[(1e-5, 3.0)]], 0.02, 4) is None
    edge = (3.84 * 0.02) / math.sqrt(4 + MOST_MORE)
    assert more_sets([[(edge * 1.0001, 3.0)]], 0.02, 4) == MOST_MORE


@pytest.mark.parametrize(("freedom", "larger"), [(1.0, 15.58), (4.0, 2.426), (24.0, 1.329), (math.inf, 1.0)])
def test_a_scatter_of_few_sets_is_counted_at_its_upper_end(freedom, larger):
    """`larger` is freedom / the 20 % quantile of chi squared, from a table: the variance by its upper end."""
    assert more_sets([[(0.04, 3.0)]], 0.03, 2, freedom) == math.ceil((3.84 * 0.75) ** 2 * larger) - 2


def test_what_a_floor_can_find():
    config = JudgeConfig()
    assert detectable_slowdown(0.0, config) == pytest.approx(config.fail_margin - 1)
    found = [detectable_slowdown(error, config, family=14) for error in (0.004, 0.008, 0.02)]
    assert found == sorted(found)
    assert detectable_slowdown(0.02, config, family=14) > detectable_slowdown(0.02, config)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cost(start_seconds=0, round_seconds=1),
        lambda: Cost(start_seconds=1, round_seconds=math.inf),
        lambda: rounds_per_set(COST, -1.0, 1.0),
        lambda: rounds_per_set(COST, math.nan, 1.0),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    with pytest.raises(ConfigError, match="expected"):
        make()
