import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.change_points import ChangePointConfig, Division, Level, best_division, divide


def cost(values, weights, edges, penalty):
    """Return what a division costs, stretch by stretch."""
    total = penalty * (len(edges) - 2)
    for first, end in itertools.pairwise(edges):
        mean = np.average(values[first:end], weights=weights[first:end])
        total += float((weights[first:end] * (values[first:end] - mean) ** 2).sum())
    return total


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0.2, 5)), min_size=1, max_size=8), st.floats(0.01, 10))
def test_no_division_is_better(runs, penalty):
    """The reference: every division there is."""
    values, weights = np.array(runs).T
    inner = range(1, len(values))
    all_edges = [
        (0, *chosen, len(values)) for count in range(len(values)) for chosen in itertools.combinations(inner, count)
    ]
    found = best_division(values, weights, penalty)
    assert cost(values, weights, found, penalty) == pytest.approx(
        min(cost(values, weights, edges, penalty) for edges in all_edges), abs=1e-8
    )


def history(*levels, runs=10, sd=0.004, seed=0):
    generator = np.random.default_rng(seed)
    values = np.repeat(np.array(levels), runs) + generator.normal(0, sd, runs * len(levels))
    return values, np.full(len(values), 0.003)


def test_a_step_is_found_where_it_is():
    found = divide(*history(0.5, 0.45))
    assert len(found.changes) == 1
    change = found.changes[0]
    assert change.at == 10
    assert change.interval[0] < np.exp(-0.05) < change.interval[1]
    assert change.factor == pytest.approx(np.exp(-0.05), abs=0.01)
    assert found.since_best == change


def test_a_history_that_got_faster_is_not_slower_than_its_best():
    assert divide(*history(0.45, 0.5)).since_best is None
    assert divide(*history(0.45)).since_best is None


def test_what_recovered_is_still_told():
    found = divide(*history(0.5, 0.4, 0.5))
    assert [change.at for change in found.changes] == [10, 20]


def test_a_change_is_that_from_one_level_to_the_next_and_since_the_best_that_to_the_last():
    edges, values, errors = (0, 4, 9, 12), (0.5, 0.4, 0.3), (0.003, 0.004, 0.012)
    levels = tuple(
        Level(first=first, end=end, value=value, error=error)
        for (first, end), value, error in zip(itertools.pairwise(edges), values, errors, strict=True)
    )
    found = Division(levels=levels, run_sd=0.01, freedom=7.0, confidence=0.98)
    changes = (*found.changes, found.since_best)
    quantile = scipy.stats.t.ppf(0.99, 7)
    # Errors add as the sides of a right angle: 3, 4, 5; 4, 12; 3, 12.
    expected = ((4, -0.1, 0.005), (9, -0.1, 0.16**0.5 * 0.01 * 10**0.5), (4, -0.2, 0.153**0.5 * 0.01 * 10**0.5))
    assert len(found.changes) == 2
    for change, (place, value, error) in zip(changes, expected, strict=True):
        assert change.at == place
        assert change.factor == pytest.approx(np.exp(value))
        bounds = np.exp([value - quantile * error, value + quantile * error])
        assert change.interval == pytest.approx(tuple(bounds), rel=1e-6)


def test_ten_small_steps_do_not_pass_one_by_one():
    found = [divide(*history(*(-0.015 * np.arange(11)), runs=1, seed=seed)) for seed in range(100)]
    assert sum(one.since_best is not None and one.since_best.interval[1] < 1 for one in found) >= 95


def test_histories_without_change_are_left_whole():
    generator = np.random.default_rng(7)
    changed = 0
    for count in (3, 6, 12, 25, 60):
        for _ in range(100):
            values = generator.normal(0, 0.01, count)
            changed += len(divide(values, np.full(count, 0.004)).levels) > 1
    assert changed <= 3  # of 500, at 0.001


@given(st.floats(-5, 5), st.sampled_from([1.0, -1.0]))
def test_the_levels_move_with_the_values(shift, sign):
    values, errors = history(0.5, 0.45)
    one, other = divide(values, errors), divide(sign * values + shift, errors)
    assert [level.first for level in one.levels] == [level.first for level in other.levels]
    assert other.levels[0].value == pytest.approx(sign * one.levels[0].value + shift)


def test_one_run_is_one_level():
    found = divide(np.array([0.3]), np.array([0.01]))
    assert [(level.first, level.end, level.value) for level in found.levels] == [(0, 1, pytest.approx(0.3))]
    assert found.changes == ()


@pytest.mark.parametrize(
    ("values", "errors"),
    [([], []), ([1.0], [1.0, 2.0]), ([np.nan], [1.0]), ([1.0], [-1.0]), ([[1.0]], [[1.0]])],
)
def test_what_makes_no_sense_is_refused(values, errors):
    with pytest.raises(ConfigError):
        divide(np.array(values), np.array(errors))


@pytest.mark.parametrize("numbers", [{"alpha": 0.0}, {"least_sd": 0.0}, {"confidence": 1.0}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(ConfigError, match="expected shares"):
        ChangePointConfig(**numbers)
