"""Drift and bisection, with null controls: float32 against float32 is exactly 0."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from keras import ops

from nqperf.casts import drift
from nqperf.casts.bisect import bisect, ddmin
from nqperf.casts.statistics import DriftStatistics, RangeStatistics
from nqperf.casts.targets import Target, of_config
from nqperf.casts.task_drift import task_drift
from nqperf.casts.twins import Twins, build_twins, random_batch
from nqperf.errors import ConfigError
from nqperf.model.config import BertConfig
from nqperf.nq.features import Features
from nqperf.nq.logits import Logits

TINY = BertConfig(
    vocab_size=32,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
)
FLOATS = st.floats(min_value=-1e6, max_value=1e6, allow_subnormal=False)


def bert_twins(precision):
    target = of_config(TINY, "tiny", seq_length=16)
    batch = random_batch(target, target.build()[1])
    return build_twins(target, precision, batch), batch


class Coarse(keras.layers.Layer):
    """Loses digits in a half type: a large number is added and taken away again."""

    def call(self, x):
        return (x + 1000.0) - 1000.0


class Masked(keras.layers.Layer):
    """Makes -inf in float16, which the softmax absorbs."""

    def call(self, x):
        return ops.softmax(ops.where(x > 0, x, ops.full_like(x, -1.0) * 60000.0 * 2.0))


def small(*layers, name="small"):
    def build(precision="float32"):
        policy = keras.DTypePolicy(precision)
        made = [make(dtype=policy, name=f"layer_{number}") for number, make in enumerate(layers)]
        return keras.Sequential([keras.Input((8,)), *made], name=name), tf.TensorSpec((None, 8), tf.float32)

    return Target(name=name, build=build)


def small_twins(*layers, precision="mixed_float16"):
    target = small(*layers)
    batch = random_batch(target, target.build()[1])
    return build_twins(target, precision, batch), batch


def test_float32_against_float32_drifts_exactly_nothing():
    twins, batch = bert_twins("float32")
    found = drift.measure(twins, [batch, batch], name="tiny", precision="float32")
    assert len(found.layers) > 10
    for layer in found.layers:
        assert layer.local.max_abs == layer.propagated.max_abs == 0.0
        assert layer.local.cosine == 1.0
        assert math.isinf(layer.local.sqnr)
    assert all(statistics.max_abs == 0.0 for statistics in found.outputs.values())
    assert found.findings == ()


@pytest.mark.bfloat16
@pytest.mark.slow
def test_half_types_drift_and_bfloat16_drifts_more():
    errors = {}
    for precision in ("mixed_float16", "mixed_bfloat16"):
        twins, batch = bert_twins(precision)
        found = drift.measure(twins, [batch], name="tiny", precision=precision)
        errors[precision] = found.outputs["start_logits"].relative_l2
        block = next(layer for layer in found.layers if layer.layer == "bert_joint/block_0")
        assert 0 < block.local.relative_l2 < 0.05
        assert block.range.headroom > 5
        assert found.note == drift.EMULATION or found.device == "GPU"
        assert found.to_dict()["complete"] is True
    assert errors["mixed_bfloat16"] > errors["mixed_float16"] > 0


def test_local_drift_is_the_layers_own_and_propagated_is_all_before_it():
    twins, batch = small_twins(Coarse, keras.layers.Identity)
    coarse, identity = drift.measure(twins, [batch], name="small", precision="mixed_float16").layers
    assert coarse.local.relative_l2 > 0.05
    assert identity.local.relative_l2 < 0.001
    assert identity.propagated.relative_l2 == pytest.approx(coarse.propagated.relative_l2, rel=0.01)


def test_infinity_that_a_softmax_takes_in_is_absorbed():
    twins, batch = small_twins(Masked)
    found = drift.measure(twins, [batch], name="small", precision="mixed_float16")
    assert (found.findings[0].rule, found.findings[0].layer.rpartition("/")[2]) == ("NUM202", "layer_0")
    assert found.findings[0].path.endswith("test_drift.py")


def test_infinity_that_comes_out_propagates():
    class Exploding(keras.layers.Layer):
        def call(self, x):
            return x * 60000.0 * 4.0

    twins, batch = small_twins(Exploding)
    found = drift.measure(twins, [batch], name="small", precision="mixed_float16")
    assert "NUM201" in {finding.rule for finding in found.findings}


def test_little_headroom_and_flushed_values_are_found():
    class Large(keras.layers.Layer):
        def call(self, x):
            return ops.tanh(x) * 40000.0

    class Small(keras.layers.Layer):
        def call(self, x):
            return ops.tanh(x) * 1e-4 * 1e-4

    twins, batch = small_twins(Large)
    rules = {finding.rule for finding in drift.measure(twins, [batch], name="a", precision="mixed_float16").findings}
    assert rules == {"NUM203"}
    twins, batch = small_twins(Small)
    rules = {finding.rule for finding in drift.measure(twins, [batch], name="b", precision="mixed_float16").findings}
    assert rules == {"NUM204"}


@given(st.lists(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=20), min_size=1, max_size=4))
@example([[(1.16e-149, 155659.0)]])
def test_streamed_drift_equals_the_textbook_formulas(batches):
    streamed = DriftStatistics()
    for batch in batches:
        pairs = np.array(batch, dtype=np.float64)
        streamed.add(pairs[:, 0], pairs[:, 1])
    whole = np.array([pair for batch in batches for pair in batch])
    error = whole[:, 1] - whole[:, 0]
    assert streamed.max_abs == np.abs(error).max()
    norm = np.linalg.norm(whole[:, 0])
    if norm > 0:
        assert streamed.relative_l2 == pytest.approx(np.linalg.norm(error) / norm)
        if np.linalg.norm(whole[:, 1]) > 0 and np.any(error):
            cosine = whole[:, 0] @ whole[:, 1] / (norm * np.linalg.norm(whole[:, 1]))
            assert streamed.cosine == pytest.approx(cosine, abs=1e-9)


def test_range_statistics_count_what_a_half_type_cannot_hold_well():
    statistics = RangeStatistics(dtype="float16")
    statistics.add(np.array([0.0, 1e-6, 1.0, 32752.0, np.inf, -np.inf, np.nan]))
    assert (statistics.infinite, statistics.nan, statistics.nonfinite) == (2, 1, 3)
    assert statistics.amax == 32752.0
    assert statistics.headroom == 1.0
    assert statistics.subnormal_share == 1 / 7


@given(st.sets(st.integers(0, 15)), st.integers(0, 2))
def test_ddmin_is_one_minimal(needed, spare):
    units = tuple(range(16 + spare))

    def enough(chosen):
        return needed <= set(chosen)

    found = ddmin(units, enough)
    assert set(found) == needed
    assert enough(found)


@given(st.lists(st.integers(1, 9), min_size=3, max_size=12), st.integers(1, 20))
def test_ddmin_is_one_minimal_where_many_sets_are_enough(weights, wanted):
    units = tuple(range(len(weights)))
    wanted = min(wanted, sum(weights))

    def enough(chosen):
        return sum(weights[unit] for unit in chosen) >= wanted

    found = ddmin(units, enough)
    assert enough(found)
    assert all(not enough(tuple(unit for unit in found if unit != left)) for left in found)


def test_bisect_finds_the_one_coarse_layer():
    twins, batch = small_twins(keras.layers.Identity, Coarse, keras.layers.Identity)
    found = bisect(twins, [batch], tolerance=0.01)
    assert found.layers == ("small/layer_1",)
    assert found.error <= 0.01 < found.error_without
    assert 2 < found.runs <= 12
    assert found.candidates == 3
    assert {layer.compute_dtype for _, _, layer in twins.layers} == {"float16"}


@pytest.mark.slow
@pytest.mark.bfloat16
def test_bisect_needs_nothing_where_nothing_is_coarse_and_says_when_all_is_not_enough():
    twins, batch = bert_twins("mixed_bfloat16")
    assert bisect(twins, [batch], tolerance=0.5).layers == ()
    with pytest.raises(ConfigError, match="with every layer in float32"):
        bisect(twins, [batch], tolerance=0.0)


def test_twins_need_a_builder_with_a_precision():
    with pytest.raises(ConfigError, match="a parameter named precision"):
        build_twins(Target(name="fixed", build=lambda: None), "mixed_float16", ())
    assert isinstance(small_twins(Coarse)[0], Twins)


def features_and_logits():
    token_map = np.array([[-1, -1, 0, 1, 2, -1]] * 2, dtype=np.int32)
    blank = np.zeros_like(token_map)
    ids = np.array([10, 11], dtype=np.int64)
    features = Features(unique_id=ids, input_ids=blank, input_mask=blank, segment_ids=blank, token_map=token_map)
    start = np.array([[0, 9, 1, 2, 3, 9]] * 2, dtype=np.float32)
    logits = Logits(
        unique_id=ids, start_logits=start, end_logits=start.copy(), answer_type_logits=np.zeros((2, 5), np.float32)
    )
    return features, logits


def test_task_drift_looks_at_legal_positions_alone():
    features, logits = features_and_logits()
    nothing = task_drift(features, (logits, logits))
    assert (nothing.start_kl_max, nothing.end_kl_max, nothing.start_flips, nothing.end_flips) == (0.0, 0.0, 0, 0)
    illegal = dataclasses.replace(logits, start_logits=logits.start_logits + np.array([0, 5, 0, 0, 0, -5], np.float32))
    assert task_drift(features, (logits, illegal)) == nothing
    moved = logits.start_logits.copy()
    moved[0, 3] = 5.0
    changed = task_drift(features, (logits, dataclasses.replace(logits, start_logits=moved)))
    assert changed.start_flips == 1
    p, q = (
        np.exp(each) / np.exp(each).sum() for each in (logits.start_logits[0, [0, 2, 3, 4]], moved[0, [0, 2, 3, 4]])
    )
    assert changed.start_kl_max == pytest.approx(float((p * np.log(p / q)).sum()), rel=1e-5)
