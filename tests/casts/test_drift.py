"""Drift and bisection, with null controls: float32 against float32 is exactly 0."""

import dataclasses
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st
from keras import ops

from nqperf.casts import drift
from nqperf.casts.audit import audit_target
from nqperf.casts.bisect import bisect, ddmin
from nqperf.casts.drift_verdict import verdict
from nqperf.casts.inputs import inputs_for
from nqperf.casts.samples import sample
from nqperf.casts.statistics import DriftStatistics, RangeStatistics
from nqperf.casts.targets import Target, of_config
from nqperf.casts.task_drift import task_drift
from nqperf.casts.telling import told
from nqperf.casts.twins import Twins, build_twins
from nqperf.errors import ConfigError, FormatError
from nqperf.model.config import BertConfig
from nqperf.nq.features import Features
from nqperf.nq.logits import Logits
from nqperf.report.casts_text import drift_text

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
    batch = (sample(target.build()[1]),)
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
    batch = (sample(target.build()[1]),)
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
    with pytest.raises(ConfigError, match="expected a Keras model"):
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


class Outside(keras.Model):
    """Computes in its own call what float16 loses."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = keras.layers.Dense(8, dtype=self.dtype_policy)

    def call(self, x):
        return (self.inner(x) + 3000.0) - 3000.0


def outside(precision="float32"):
    return Outside(dtype=precision, name="outside"), tf.TensorSpec((2, 8), tf.float32)


def test_an_error_outside_of_the_layers_is_explained_with_its_lines():
    target = Target(name="outside", build=outside)
    batches = inputs_for(target, data=None, arrays=None, limit=None, max_seq_length=8, batch_size=2).batches
    twins = build_twins(target, "mixed_float16", batches[0])
    found = drift.measure(twins, batches, name="outside", precision="mixed_float16")
    judged = verdict(found, tolerance=0.01)
    assert not judged.holds
    assert "the error is outside of the layers" in judged.reason
    assert re.search(r"AddV2 \S*test_drift.py:\d+", judged.reason)
    with pytest.raises(ConfigError, match=r"outside of the layers, in the model's own call.*test_drift.py:\d+"):
        bisect(twins, batches, tolerance=0.01)


def test_a_verdict_names_the_layer_to_blame_and_what_is_not_finite():
    twins, batch = small_twins(keras.layers.Identity, Coarse)
    judged = verdict(drift.measure(twins, [batch], name="small", precision="mixed_float16"), tolerance=0.01)
    assert not judged.holds
    assert "small/layer_1 makes most of it" in judged.line
    twins, batch = small_twins(keras.layers.Identity, keras.layers.Identity)
    assert verdict(drift.measure(twins, [batch], name="small", precision="mixed_float16")).holds

    class Exploding(keras.layers.Layer):
        def call(self, x):
            return x * 60000.0 * 4.0

    twins, batch = small_twins(Exploding)
    judged = verdict(drift.measure(twins, [batch], name="small", precision="mixed_float16"))
    assert "makes infinity, which reaches the outputs" in judged.reason


def test_of_what_is_not_finite_the_first_places_are_listed_and_the_rest_counted():
    """37 lines told of one constant: all but the first were behind it."""

    class Exploding(keras.layers.Layer):
        def call(self, x):
            return x * 60000.0 * 4.0

    twins, batch = small_twins(Exploding, *[keras.layers.Identity] * 3, *[Coarse] * 6)
    found = drift.measure(twins, [batch], name="small", precision="mixed_float16")
    count = sum(finding.rule == "NUM201" for finding in found.findings)
    assert count > 6
    text = drift_text(found, None)
    assert "relative L2 error (inf: NaN or infinite in 16 bits, or off from zeros), of the layer alone" in text
    lines = [line for line in text.splitlines() if line.startswith("NUM201")]
    assert len(lines) == 6
    assert "layer_0" in lines[0]
    assert lines[-1] == f"NUM201: {count - 5} more, behind the first ones (--json has all)"


def test_values_that_become_zero_count_only_where_their_layers_result_suffers():
    """The tails of a softmax made a model of the best answers one that does not hold, which bisect and bench denied."""

    class Sharp(keras.layers.Layer):
        def call(self, x):
            return ops.softmax(x * 40.0, axis=-1)

    class Small(keras.layers.Layer):
        def call(self, x):
            return ops.tanh(x) * 1e-4 * 1e-4

    twins, batch = small_twins(Sharp)
    found = drift.measure(twins, [batch], name="small", precision="mixed_float16")
    assert {finding.rule for finding in found.findings} == {"NUM204"}
    judged = verdict(found)
    assert judged.holds
    assert "(NUM204) are too small to matter: " in judged.reason

    twins, batch = small_twins(Small, Sharp)
    found = drift.measure(twins, [batch], name="small", precision="mixed_float16")
    judged = verdict(found)
    assert not judged.holds
    assert judged.reason.startswith("NUM204 found, first in small/layer_0: ")
    assert judged.reason.endswith('dtype="float32" keeps that layer in float32')


def test_a_reference_that_is_no_number_is_refused_and_not_blamed_on_16_bits():
    twins, _ = small_twins(keras.layers.Identity)
    foul = (tf.fill((2, 4), float("nan")),)
    with pytest.raises(ConfigError, match="the output is NaN in float32 already; the inputs hold NaN or infinity"):
        drift.measure(twins, [foul], name="small", precision="mixed_float16")

    class Undefined(keras.layers.Layer):
        def call(self, x):
            return ops.log(-ops.abs(x) - 1.0)

    twins, batch = small_twins(Undefined)
    with pytest.raises(ConfigError, match="in float32 already: give others"):
        drift.measure(twins, [batch], name="small", precision="mixed_float16")


def test_a_model_of_text_is_refused_in_one_line():
    def build():
        words = keras.Input((), dtype="string", name="words")
        return keras.Model(words, keras.layers.Embedding(4, 2)(keras.layers.Hashing(4)(words)))

    target = Target(name="text", build=build)
    with pytest.raises(ConfigError, match="input words is text, and drift runs numbers"):
        inputs_for(target, data=None, arrays=None, limit=None, max_seq_length=8, batch_size=2)


def test_a_model_that_does_not_run_in_16_bits_is_one_line_that_names_the_audit():
    class Refused(keras.layers.Layer):
        def call(self, x):
            return tf.subtract(x, tf.constant(1.0))

    line = r"does not run in mixed_float16: \w+Error: .* \(at \S*test_drift.py:\d+\): `nqperf casts audit` lists"
    with pytest.raises(ConfigError, match=line) as refused:
        build_twins(small(Refused), "mixed_float16", (tf.ones((2, 8)),))
    assert "\n" not in str(refused.value)


def test_a_drift_says_what_was_run(tmp_path):
    target, path = Target(name="looked", build=looked), tmp_path / "batch.npz"
    np.savez(path, ids=np.zeros((3, 8), int), mask=np.ones((3, 8), bool))

    def origin(arrays, limit=None):
        return inputs_for(target, data=None, arrays=arrays, limit=limit, max_seq_length=8, batch_size=2).origin

    assert origin(path) == origin(path, 3) == origin(path, 9) == "the rows of batch.npz"
    assert origin(path, 2) == "the first 2 of 3 rows of batch.npz (--limit 3 takes all)"
    assert origin(None).startswith("drawn inputs (--inputs")
    twins, batch = small_twins(keras.layers.Identity)
    found = drift.measure(twins, [batch], name="small", precision="mixed_float16", inputs=origin(path))
    text = drift_text(found, None)
    assert "1 batch of the rows of batch.npz on " in text
    assert "\nthe output: max abs" in text
    assert "relative L2 error, of the layer alone" in text
    assert verdict(found).reason.startswith("the output is 0")


def test_a_layer_that_does_more_than_round_is_told_from_one_that_rounds():
    class WrongKernel(keras.layers.Layer):
        def call(self, x):
            return ops.roll(x, 1, axis=-1) if self.compute_dtype == "float16" else x

    judged = {
        make: verdict(drift.measure(*_one_batch(make), name="small", precision="mixed_float16"), tolerance=1e-6).reason
        for make in (WrongKernel, Coarse)
    }
    assert "or a kernel of this machine is wrong; see whether TF_ENABLE_ONEDNN_OPTS=0" in judged[WrongKernel]
    assert "more than rounding" not in judged[Coarse]


def _one_batch(layer):
    twins, batch = small_twins(layer)
    return twins, [batch]


class Looked(keras.layers.Layer):
    """An embedding whose table is a variable of its own, masked."""

    def build(self, _shape):
        self.table = self.add_weight(name="embedding", shape=(50, 4))
        self.built = True

    def call(self, inputs):
        rows = tf.gather(self.table, inputs["ids"])
        return rows * tf.cast(inputs["mask"], rows.dtype)[..., None]


def looked(precision="float32"):
    inputs = {name: keras.Input((8,), dtype="int32", batch_size=4, name=name) for name in ("ids", "mask")}
    return keras.Model(inputs, Looked(dtype=precision, name="looked")(inputs))


def test_seeded_inputs_are_of_the_vocabulary_with_masks_of_different_lengths():
    ((batch,),) = inputs_for(
        Target(name="looked", build=looked), data=None, arrays=None, limit=None, max_seq_length=8, batch_size=2
    ).batches
    ids, mask = np.asarray(batch["ids"]), np.asarray(batch["mask"])
    assert 10 < ids.max() < 50
    assert set(mask.ravel()) == {0, 1}
    assert len(set(mask.sum(axis=1))) > 1
    assert (np.diff(mask, axis=1) <= 0).all()


def test_an_input_is_of_the_rows_of_the_embedding_that_looks_it_up_even_where_it_takes_floats():
    """keras.Input is of floats unless told otherwise, and old code did not tell."""
    tokens, types = keras.Input((64,)), keras.Input((64,), dtype="int32")
    rows = keras.layers.Embedding(40, 4)(tokens) + keras.layers.Embedding(3, 4)(types)
    model = keras.Model([tokens, types, floats := keras.Input((4,))], rows + floats[:, None])
    specs = [tf.TensorSpec((2, *each.shape[1:]), each.dtype) for each in model.inputs]
    seen, kinds, numbers = (np.asarray(each) for each in sample(specs, model))
    assert set(seen.ravel()) <= set(range(40))
    assert seen.max() > 20
    assert set(kinds.ravel()) == {0, 1, 2}
    assert (numbers < 0).any()
    alone = keras.Model(tokens, keras.layers.Embedding(40, 4)(tokens))
    assert np.asarray(sample(specs[0], alone)).max() > 20


class Places(keras.Model):
    """A subclassed model, not called yet, of more positions than pieces."""

    def __init__(self, pieces=24, positions=512):
        super().__init__()
        self.word = keras.layers.Embedding(pieces, 4, name="word")
        self.position_table = keras.layers.Embedding(positions, 4, name="position")

    def call(self, ids):
        return self.word(ids) + self.position_table(keras.ops.arange(ids.shape[1]))


def test_ids_are_of_the_vocabulary_where_there_are_more_positions_than_pieces():
    """A model folder with 408 pieces and 512 positions was given the id 493."""
    ids = np.asarray(sample(tf.TensorSpec((2, 64), tf.int32, name="ids"), model := Places()))
    assert 12 < ids.max() < 24
    model(ids)  # and once it is built, as the paths of its layers are known then
    assert np.asarray(sample(tf.TensorSpec((2, 64), tf.int32, name="ids"), model)).max() < 24


def test_an_open_size_is_no_larger_than_the_model_has_positions():
    """A model with a table of 12 positions ended in an error of TensorFlow's where 128 were drawn."""

    class PositionEmbedding(keras.layers.Layer):
        sequence_length = 12

        def call(self, vectors):
            return vectors

    ids = keras.Input((None,), dtype="int32", name="ids")
    model = keras.Model(ids, PositionEmbedding(name="places")(keras.layers.Embedding(30, 4, name="pieces")(ids)))
    specs = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, None, 3), tf.float32))
    whole, image = sample(specs, model, 2, size=128)
    assert (whole.shape, image.shape) == ((2, 12), (2, 128, 3))
    assert sample(specs[0], model, size=9).shape == (2, 9)


def test_arrays_of_a_file_are_run_by_name_or_place_and_refused_where_they_do_not_fit(tmp_path):
    target, path = Target(name="looked", build=looked), tmp_path / "inputs.npz"
    ids, mask = np.arange(24).reshape(3, 8), np.ones((3, 8), bool)

    def batches(**arrays):
        np.savez(path, **arrays)
        return inputs_for(target, data=None, arrays=path, limit=None, max_seq_length=8, batch_size=2).batches

    (first,), (second,) = batches(ids=ids, mask=mask)
    assert np.asarray(first["ids"]).tolist() == ids[:2].tolist()
    assert second["mask"].shape == (1, 8)
    assert second["mask"].dtype == tf.int32
    np.savez(path, ids, mask)
    numbered = inputs_for(target, data=None, arrays=path, limit=None, max_seq_length=8, batch_size=8).batches
    assert np.asarray(numbered[0][0]["ids"]).tolist() == ids.tolist()
    with pytest.raises(ConfigError, match=r"holds ids; expected an array for each input: ids int32\[\?,8\]"):
        batches(ids=ids)
    with pytest.raises(ConfigError, match=r"mask has the shape \(3, 7\)"):
        batches(ids=ids, mask=mask[:, :7])
    with pytest.raises(FormatError, match="'ids': 3, 'mask': 2"):
        batches(ids=ids, mask=mask[:2])
    with pytest.raises(FormatError, match="expected booleans"):
        batches(ids=ids.astype(str), mask=mask)
    np.savez(path, other=ids)
    alone = Target(name="alone", build=lambda: keras.Sequential([keras.Input((8,), name="ids"), keras.layers.Dense(2)]))
    taken = inputs_for(alone, data=None, arrays=path, limit=None, max_seq_length=8, batch_size=8)
    assert taken.origin == "the rows of inputs.npz (its only array, other, as the input ids)"
    path.write_bytes(b"PK no archive")
    with pytest.raises(FormatError, match=r"an \.npz"):
        inputs_for(target, data=None, arrays=path, limit=None, max_seq_length=8, batch_size=2)
    with pytest.raises(ConfigError, match="choose one"):
        inputs_for(target, data="dev.jsonl", arrays=path, limit=None, max_seq_length=8, batch_size=2)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.ones((3, 8), "float32"), r"inputs\.npz: ids is float32\[3, 8\]; expected int32\[\?,8\]: save it as whole"),
        (np.full((3, 8), 2**40), r"inputs\.npz: ids has values that int32 does not hold; expected int32\[\?,8\]"),
        (np.arange(24).reshape(3, 8) + 7, r"inputs\.npz: ids has the id 30 at \[2, 7\]; its embedding has 0 to 29"),
        (np.arange(24).reshape(3, 8) - 1, r"inputs\.npz: ids has the id -1 at \[0, 0\]"),
    ],
    ids=["floats", "too large for the type", "beyond the embedding", "below the embedding"],
)
def test_ids_that_the_model_has_no_use_for_are_refused_with_their_place(tmp_path, ids, said):
    """Floats were cut to whole numbers without a word, and ids without a row ended in TensorFlow's own error."""

    def build():
        given = keras.Input((8,), dtype="int32", name="ids")
        return keras.Model(given, keras.layers.Embedding(30, 4)(given))

    path = tmp_path / "inputs.npz"
    np.savez(path, ids=ids)
    with pytest.raises(ConfigError, match=said):
        inputs_for(
            Target(name="words", build=build), data=None, arrays=path, limit=None, max_seq_length=8, batch_size=2
        )


@pytest.mark.parametrize(("limit", "sizes"), [(None, [2, 2, 1]), (3, [2, 1]), (1, [1]), (4, [2, 2])])
def test_a_limit_takes_the_first_rows_of_a_file(tmp_path, limit, sizes):
    target, path = Target(name="looked", build=looked), tmp_path / "inputs.npz"
    ids = np.arange(40).reshape(5, 8)
    np.savez(path, ids=ids, mask=np.ones((5, 8), bool))
    taken = inputs_for(target, data=None, arrays=path, limit=limit, max_seq_length=8, batch_size=2)
    assert [len(batch["ids"]) for (batch,) in taken.batches] == sizes
    assert np.concatenate([batch["ids"] for (batch,) in taken.batches]).tolist() == ids[: sum(sizes)].tolist()


def test_a_limit_and_a_batch_size_below_one_are_refused(tmp_path):
    target, path = Target(name="looked", build=looked), tmp_path / "inputs.npz"
    for limit, size, said in ((0, 2, "--limit 0, --batch-size 2"), (None, 0, "^--batch-size 0")):
        with pytest.raises(ConfigError, match=f"{said}; expected at least 1"):
            inputs_for(target, data=None, arrays=path, limit=limit, max_seq_length=8, batch_size=size)


def test_what_a_drift_does_is_told_with_the_share_of_its_rows_that_is_done():
    twins, batch = small_twins(keras.layers.Identity)
    heard = []
    with told(lambda *what: heard.append(what)):
        drift.measure(twins, [batch, batch], name="small", precision="mixed_float16")
        build_twins(small(keras.layers.Identity), "mixed_bfloat16", batch)
    drift.measure(twins, [batch], name="small", precision="mixed_float16")  # nobody listens any more
    rows = len(batch[0])
    assert heard == [
        ("running", f"rows 1 to {rows} of {2 * rows}", 0.0),
        ("running", f"rows {rows + 1} to {2 * rows} of {2 * rows}", 0.5),
        ("building", "the model in float32", None),
        ("building", "the model in mixed_bfloat16", None),
    ]


def test_the_reference_runs_without_tf32_and_the_twin_as_it_is_set():
    seen = []

    class Asking(keras.layers.Layer):
        def call(self, x):
            seen.append((self.compute_dtype, tf.config.experimental.tensor_float_32_execution_enabled()))
            return x

    twins, batch = small_twins(Asking)
    seen.clear()
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    drift.measure(twins, [batch], name="small", precision="mixed_float16")
    assert ("float32", False) in seen
    assert ("float16", before) in seen
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before


def test_layers_made_in_a_call_and_builders_without_a_precision_are_run_under_the_policy():
    class Late(keras.layers.Layer):
        def call(self, x):
            return keras.layers.Rescaling(2.0)(x)

    def build():
        inputs = keras.Input((8,), batch_size=2)
        return keras.Model(inputs, Late(name="late")(keras.layers.Dense(4, name="dense")(inputs)), name="users")

    target = Target(name="users", build=build)
    batches = inputs_for(target, data=None, arrays=None, limit=None, max_seq_length=8, batch_size=2).batches
    twins = build_twins(target, "mixed_float16", batches[0])
    assert {layer.compute_dtype for _, _, layer in twins.layers} == {"float16"}
    assert twins.run_twin(batches[0]).dtype == tf.float16
    assert twins.run_reference(batches[0]).dtype == tf.float32
    assert keras.config.dtype_policy().name == "float32"


def unnamed():
    inputs = keras.Input((8,))
    x = keras.layers.Dense(8)(keras.layers.Dense(8)(inputs))
    return keras.Model(inputs, keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(4)])(x))


def unnamed_of_old():
    tf_keras = pytest.importorskip("tf_keras", reason="tf-keras is not installed")
    inputs = tf_keras.Input((8,))
    return tf_keras.Model(inputs, tf_keras.layers.Dense(4)(tf_keras.layers.Dense(8)(inputs)))


@pytest.mark.parametrize("build", [unnamed, unnamed_of_old])
def test_a_layer_has_one_name_in_audit_and_drift_whatever_was_built_before(build):
    target = Target(name="unnamed", build=build)
    audited = [audit_target(target, each)[1].layers for each in ("mixed_float16", "mixed_bfloat16")]
    batch = inputs_for(target, data=None, arrays=None, limit=None, max_seq_length=8, batch_size=2).batches[0]
    twins = build_twins(target, "mixed_float16", batch)
    assert audited[0] == audited[1]
    pairs = [(one.name, other.name) for _, one, other in twins.layers]
    assert all(one == other for one, other in pairs)
    names = [name for name, _, _ in twins.layers]
    inner = [layer for layer in audited[0] if "dense" in layer]
    assert inner
    for layer in inner:
        assert any(name.endswith(layer) for name in names), (layer, names)
