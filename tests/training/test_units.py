"""Which units a student keeps: those that cost most to leave out, the others fitted so that little is missed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.model.bert import BertJoint
from nqperf.model.families import FAMILIES
from nqperf.model.variables import assign_weights, build
from nqperf.model.weights import expected_shapes
from nqperf.training.units import fewer_units, spare_units, unit_moments
from tests.families import CONFIGS
from tests.training.test_distillation import LENGTH, batch, teacher_of, weights_of

RIDGE = 1e-4


def moments_of(values):
    values = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    return values.T @ values / len(values)


def drawn(seed, units, size=3, rows=40):
    """Return what units give, each its own length, and the kernel and bias that make an output of it."""
    generator = np.random.default_rng(seed)
    values = generator.normal(0, 1, (rows, units)) * generator.uniform(0.1, 2, units)
    return values, generator.normal(0, 1, (units, size)).astype(np.float32), np.ones(size, np.float32)


def missed(values, kernel, bias, kept, ours, our_bias):
    """Return the mean square of what is missed of the output, and the ridge's part of it, as the search counts it."""
    moments = moments_of(values)
    whole = np.concatenate([kernel, bias[None]]).astype(np.float64)
    rest = np.zeros_like(whole)
    rest[list(kept)], rest[-1] = ours, our_bias
    ridge = RIDGE * moments.diagonal()[:-1].mean()
    gone = whole - rest
    return np.trace(gone.T @ (moments + ridge * np.eye(len(moments))) @ gone)


def best_fit(values, kernel, bias, kept):
    """Return the least that can be missed with these units, by least squares on the values themselves."""
    rows, units = values.shape
    ridge = np.sqrt(RIDGE * moments_of(values).diagonal()[:-1].mean())
    # The ridge is one more row for each unit, and for the bias.
    table = np.concatenate(
        [np.concatenate([values, np.ones((rows, 1))], axis=1) / np.sqrt(rows), ridge * np.eye(units + 1)]
    )
    whole = np.concatenate([kernel, bias[None]]).astype(np.float64)
    columns = [*kept, units]
    fitted = np.linalg.lstsq(table[:, columns], table @ whole, rcond=None)[0]
    return float(np.square(table @ whole - table[:, columns] @ fitted).sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_the_unit_that_is_left_out_is_the_one_that_costs_least(seed, units):
    values, kernel, bias = drawn(seed, units)
    kept, ours, our_bias = spare_units(moments_of(values), kernel, bias, units - 1)
    costs = {rest: best_fit(values, kernel, bias, rest) for rest in itertools.combinations(range(units), units - 1)}
    assert costs[tuple(kept)] <= min(costs.values()) * (1 + 1e-6)
    assert missed(values, kernel, bias, kept, ours, our_bias) == pytest.approx(costs[tuple(kept)], rel=1e-4, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.data())
def test_those_that_are_left_are_fitted_as_well_as_they_can_be(seed, units, data):
    count = data.draw(st.integers(1, units))
    values, kernel, bias = drawn(seed, units, rows=80)
    kept, ours, our_bias = spare_units(moments_of(values), kernel, bias, count)
    assert len(set(kept.tolist())) == count
    assert ours.shape == (count, 3)
    expected = best_fit(values, kernel, bias, kept)
    assert missed(values, kernel, bias, kept, ours, our_bias) == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_units_that_others_can_stand_in_for_go_first():
    values, kernel, bias = drawn(5, 6, rows=200)
    # Two that are sums of others, one that never does anything, one that is always the same.
    copies = np.stack([values[:, 0] + values[:, 1], values[:, 2] - values[:, 3], np.zeros(200), np.full(200, 3.0)], 1)
    more = np.random.default_rng(6).normal(0, 5, (4, 3)).astype(np.float32)  # though their weights are the largest
    kept, ours, our_bias = spare_units(
        moments_of(np.concatenate([values, copies], axis=1)), np.concatenate([kernel, more]), bias, 6
    )
    whole = values @ kernel + copies @ more + bias
    found = np.concatenate([values, copies], axis=1)[:, kept] @ ours + our_bias
    assert np.square(found - whole).mean() < 1e-4 * np.square(whole).mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_with_fewer_units_computes_nearly_the_same(family):
    config, weights = CONFIGS[family], weights_of(CONFIGS[family])
    network, batches = teacher_of(family).network, [batch(seed)[0] for seed in range(6)]
    moments = unit_moments(network, batches)
    assert {moment.shape for moment in moments.values()} == {(config.intermediate_size + 1,) * 2}
    count = config.intermediate_size * 3 // 4

    def distance(config, weights):
        other = build(BertJoint(config, "float32"), LENGTH)
        assign_weights(other, weights)
        found, expected = (np.asarray(one.encode(dict(batches[0]), training=False)[0]) for one in (other, network))
        real = batches[0]["input_mask"] == 1
        return np.square(found - expected)[real].mean() / np.square(expected)[real].mean()

    few, made = fewer_units(config, weights, moments, count)
    assert {name: values.shape for name, values in made.items()} == expected_shapes(few)
    same, whole = fewer_units(config, weights, moments, config.intermediate_size)
    assert same == config
    # Chosen by the weights alone, as if nothing were known of what the units give.
    blind = {number: np.eye(len(moment)) for number, moment in moments.items()}
    assert distance(same, whole) < 1e-5
    assert distance(few, made) < 0.5 * distance(*fewer_units(config, weights, blind, count))
