import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.location import hodges_lehmann, set_estimate, set_estimates

logs = st.floats(-1, 1)
seconds = st.floats(1e-3, 1e3)


def slow_location(values):
    pairs = [(one + other) / 2 for one, other in itertools.combinations_with_replacement(values, 2)]
    pairs.sort()
    middle = len(pairs) // 2
    return pairs[middle] if len(pairs) % 2 else (pairs[middle - 1] + pairs[middle]) / 2


@given(st.lists(logs, min_size=1, max_size=12))
def test_it_is_the_median_of_the_pairwise_means(values):
    assert hodges_lehmann(np.array(values)) == pytest.approx(slow_location(values), abs=1e-12)


@given(st.lists(logs, min_size=1, max_size=12), logs)
def test_it_moves_with_the_values_and_not_with_their_order(values, shift):
    array = np.array(values)
    assert hodges_lehmann(array + shift) == pytest.approx(hodges_lehmann(array) + shift, abs=1e-12)
    assert hodges_lehmann(array[::-1]) == hodges_lehmann(array)
    assert hodges_lehmann(-array) == pytest.approx(-hodges_lehmann(array), abs=1e-12)


def test_many_sets_at_once_are_each_alone():
    values = np.random.default_rng(0).normal(size=(3, 4, 7))
    found = hodges_lehmann(values)
    assert found.shape == (3, 4)
    assert found[1, 2] == hodges_lehmann(values[1, 2])


def test_many_estimates_at_once_are_each_alone():
    drawn = np.exp(np.random.default_rng(0).normal(size=(3, 4, 5, 3)))
    baseline, row = drawn[..., :2], drawn[..., 2]
    location, total, error = set_estimates(baseline, row)
    assert location.shape == total.shape == error.shape == (3, 4)
    for place in np.ndindex(3, 4):
        alone = set_estimate(baseline[place], row[place])
        assert (location[place], total[place], error[place]) == pytest.approx(
            (alone.location, alone.total, alone.error)
        )


def test_a_rounds_baseline_is_the_mean_of_its_batches():
    found = set_estimate(np.array([[1.0, 4.0], [1.0, 4.0], [1.0, 4.0]]), np.ones(3))
    assert found.location == pytest.approx(math.log(2))  # the geometric mean
    assert found.total == pytest.approx(math.log(2.5))


def test_rare_slow_rounds_move_the_total_and_not_the_location():
    base = np.full(20, 1.0)
    row = base.copy()
    row[::10] = 3.0
    found = set_estimate(base, row)
    assert found.location == 0
    assert found.total == pytest.approx(-math.log(1.2))
    assert found.rounds == 20
    assert found.error == 0


@given(st.lists(st.tuples(seconds, seconds, seconds), min_size=1, max_size=8), st.floats(0.01, 100))
def test_the_unit_of_time_does_not_matter(rounds, unit):
    times = np.array(rounds)
    one, other = (set_estimate(scaled[:, :2], scaled[:, 2]) for scaled in (times, times * unit))
    assert one.location == pytest.approx(other.location, abs=1e-9)
    assert one.total == pytest.approx(other.total, abs=1e-9)


def test_the_error_is_that_of_repeated_sets():
    generator = np.random.default_rng(3)
    times = np.exp(generator.normal(0, 0.05, (4000, 2, 15)))
    found = [set_estimate(base, row) for base, row in times]
    spread = np.std([one.location for one in found])
    assert np.median([one.error for one in found]) == pytest.approx(spread, rel=0.12)
    assert set_estimate(np.ones(2), np.ones(2)).error is None
    assert set_estimate(np.array([1.0, 1.1, 1.3]), np.ones(3)).error > 0


@pytest.mark.parametrize(
    ("base", "row", "message"),
    [
        ([1.0, 2.0], [1.0], "shape"),
        ([], [], "shape"),
        ([[1.0], [1.0]], [[1.0], [1.0]], "shape"),
        ([1.0, math.nan], [1.0, 1.0], "baseline time is nan s"),
        ([1.0], [0.0], r"row time is 0\.0 s"),
        ([1.0], [math.inf], "row time is inf s"),
    ],
)
def test_what_is_no_time_is_refused(base, row, message):
    with pytest.raises(ConfigError, match=message):
        set_estimate(np.array(base), np.array(row))


def test_no_round_is_refused():
    with pytest.raises(ConfigError, match="no round"):
        hodges_lehmann(np.empty((2, 0)))
