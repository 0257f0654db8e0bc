"""Which units and heads a student keeps: those that cost most to leave out, fitted so that little is missed."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.model.bert import BertJoint
from nqperf.model.families import FAMILIES
from nqperf.model.tensors import outputs_first, tensors_of
from nqperf.model.variables import assign_weights, build
from nqperf.model.weights import expected_shapes
from nqperf.training.pruning import inner_moments, pruned, spare
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


def inputs_of(groups, together):
    """Return the places of a kernel's inputs that groups of so many stand for."""
    return [group * together + place for group in groups for place in range(together)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(1, 3))
def test_what_is_left_out_is_what_costs_least(seed, groups, together):
    values, kernel, bias = drawn(seed, groups * together)
    kept, ours, our_bias = spare(moments_of(values), kernel, bias, groups - 1, together)
    costs = {
        rest: best_fit(values, kernel, bias, inputs_of(rest, together))
        for rest in itertools.combinations(range(groups), groups - 1)
    }
    assert costs[tuple(kept)] <= min(costs.values()) * (1 + 1e-6)
    found = missed(values, kernel, bias, inputs_of(kept, together), ours, our_bias)
    assert found == pytest.approx(costs[tuple(kept)], rel=1e-4, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20), st.integers(1, 3), st.data())
def test_those_that_are_left_are_fitted_as_well_as_they_can_be(seed, groups, together, data):
    count = data.draw(st.integers(1, groups))
    values, kernel, bias = drawn(seed, groups * together, rows=120)
    kept, ours, our_bias = spare(moments_of(values), kernel, bias, count, together)
    assert len(set(kept.tolist())) == count
    assert ours.shape == (count * together, 3)
    places = inputs_of(kept, together)
    expected = best_fit(values, kernel, bias, places)
    assert missed(values, kernel, bias, places, ours, our_bias) == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_units_that_others_can_stand_in_for_go_first():
    values, kernel, bias = drawn(5, 6, rows=200)
    # Two that are sums of others, one that never does anything, one that is always the same.
    copies = np.stack([values[:, 0] + values[:, 1], values[:, 2] - values[:, 3], np.zeros(200), np.full(200, 3.0)], 1)
    more = np.random.default_rng(6).normal(0, 5, (4, 3)).astype(np.float32)  # though their weights are the largest
    kept, ours, our_bias = spare(
        moments_of(np.concatenate([values, copies], axis=1)), np.concatenate([kernel, more]), bias, 6
    )
    whole = values @ kernel + copies @ more + bias
    found = np.concatenate([values, copies], axis=1)[:, kept] @ ours + our_bias
    assert np.square(found - whole).mean() < 1e-4 * np.square(whole).mean()


@functools.cache
def looked_at(family):
    """Return some batches, and the moments of all blocks of a family's network on them."""
    batches = [batch(seed)[0] for seed in range(6)]
    return batches, inner_moments(teacher_of(family).network, batches, set(CONFIGS[family].block_order))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", ["heads", "units"])
def test_a_network_with_fewer_of_them_computes_nearly_the_same(family, part):
    config, weights = CONFIGS[family], weights_of(CONFIGS[family])
    network, blocks = teacher_of(family).network, set(config.block_order)
    batches, moments = looked_at(family)
    assert {place: len(moment) for place, moment in moments.items()} == {
        **{f"blocks.{number}.output_dense": config.intermediate_size + 1 for number in blocks},
        **{f"blocks.{number}.attention.output_dense": config.attention_size + 1 for number in blocks},
    }
    whole = {"heads": config.num_attention_heads, "units": config.intermediate_size}
    fewer = {**whole, part: whole[part] * 3 // 4}

    def distance(weights):
        assign_weights(other, weights)
        found, expected = (np.asarray(one.encode(dict(batches[0]), training=False)[0]) for one in (other, network))
        real = batches[0]["input_mask"] == 1
        return np.square(found - expected)[real].mean() / np.square(expected)[real].mean()

    few, made, heads = pruned(config, weights, moments, **fewer)
    assert (few.num_attention_heads, few.head_size) == (fewer["heads"], config.head_size)
    assert {number: len(kept) for number, kept in heads.items()} == dict.fromkeys(blocks, fewer["heads"])
    assert {name: values.shape for name, values in made.items()} == expected_shapes(few)
    same, unchanged, _ = pruned(config, weights, moments, **whole)
    assert same == config
    assert all(np.array_equal(unchanged[name], values) for name, values in weights.items())
    # Chosen by the weights alone, as if nothing were known of what heads and units give.
    blind = {place: np.eye(len(moment)) for place, moment in moments.items()}
    other = build(BertJoint(few, "float32"), LENGTH)
    # Drawn at random, a few heads can hardly stand in for another one.
    most = {"heads": 0.7, "units": 0.5}[part]
    assert distance(made) < most * distance(pruned(config, weights, blind, **fewer)[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_that_add_nothing_go_and_nothing_is_missed(family):
    config, weights = CONFIGS[family], weights_of(CONFIGS[family])
    outputs = {tensor.variable: tensor for tensor in tensors_of(config)}
    moments = {}
    for number in set(config.block_order):
        place = f"blocks.{number}.attention.output_dense"
        tensor = outputs[f"{place}.kernel"]
        weights[tensor.name] = weights[tensor.name].copy()
        silent = slice(config.head_size, 2 * config.head_size)
        outputs_first(tensor, weights[tensor.name])[:, silent] = 0
        moments[place] = np.eye(config.attention_size + 1)
        moments[f"blocks.{number}.output_dense"] = np.eye(config.intermediate_size + 1)
    few, made, heads = pruned(config, weights, moments, heads=3, units=config.intermediate_size)
    assert all(kept.tolist() == [0, 2, 3] for kept in heads.values())
    whole, part = build(BertJoint(config, "float32"), LENGTH), build(BertJoint(few, "float32"), LENGTH)
    assign_weights(whole, weights)
    assign_weights(part, made)
    inputs = batch()[0]
    for name, expected in whole(dict(inputs), training=False).items():
        np.testing.assert_allclose(part(dict(inputs), training=False)[name], expected, rtol=0, atol=1e-5)


def test_only_the_blocks_that_are_asked_for_are_looked_at():
    moments = inner_moments(teacher_of("bert").network, [batch(0)[0]], {1})
    assert set(moments) == {"blocks.1.output_dense", "blocks.1.attention.output_dense"}
