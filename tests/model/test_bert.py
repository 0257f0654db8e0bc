import dataclasses
import functools

import keras
import numpy as np
import pytest
from keras import ops

from nqperf.errors import ConfigError
from nqperf.model.bert import BertJoint
from nqperf.model.config import BertConfig
from nqperf.model.encoders.blocks import LayerNorm
from nqperf.model.precision import PRECISIONS, attention_probabilities, dtype_policy, residual
from nqperf.model.variables import assign_weights, build, extract_weights, named_variables
from nqperf.model.weights import expected_shapes, initial_weights
from tests.references import bert

CONFIG = BertConfig(
    vocab_size=30,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=20,
)
WEIGHTS = {
    name: values + np.random.default_rng(len(name)).normal(0, 0.1, values.shape).astype(np.float32)
    for name, values in initial_weights(dataclasses.replace(CONFIG, initializer_range=0.2), seed=4).items()
}
LENGTH, ROWS = 16, 3
REAL = np.array([16, 9, 4])


def some_inputs():
    generator = np.random.default_rng(8)
    mask = (np.arange(LENGTH) < REAL[:, None]).astype(np.int32)
    ids = generator.integers(1, CONFIG.vocab_size, (ROWS, LENGTH)).astype(np.int32) * mask
    return {"input_ids": ids, "input_mask": mask, "segment_ids": (np.arange(LENGTH) > 3).astype(np.int32) * mask}


@functools.cache
def model(precision="float32", config=CONFIG):
    built = build(BertJoint(config, precision), LENGTH)
    assign_weights(built, WEIGHTS)
    return built


def outputs(network, inputs=None):
    found = network(inputs or some_inputs(), training=False)
    return {name: ops.convert_to_numpy(values) for name, values in found.items()}


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_float32_is_the_reference(activation):
    config = dataclasses.replace(CONFIG, hidden_act=activation)
    found = outputs(model(config=config))
    expected = bert.logits(WEIGHTS, config, *some_inputs().values())
    for name, values in zip(("start_logits", "end_logits", "answer_type_logits"), expected, strict=True):
        assert np.allclose(found[name], values, rtol=0, atol=2e-5)


def test_the_two_gelus_differ():
    tanh = outputs(model(config=dataclasses.replace(CONFIG, hidden_act="gelu_new")))
    assert np.abs(tanh["start_logits"] - outputs(model())["start_logits"]).max() > 1e-5


@pytest.mark.parametrize("precision", PRECISIONS)
def test_padding_says_nothing(precision):
    network, inputs = model(precision), some_inputs()
    before = outputs(network, inputs)
    inputs["input_ids"] = np.where(inputs["input_mask"] == 1, inputs["input_ids"], 17)
    after = outputs(network, inputs)
    assert np.array_equal(before["answer_type_logits"], after["answer_type_logits"])
    for row, real in enumerate(REAL):
        assert np.array_equal(before["start_logits"][row, :real], after["start_logits"][row, :real])


@pytest.mark.parametrize(("precision", "limit"), [("mixed_float16", 0.02), ("mixed_bfloat16", 0.15)])
def test_16_bits_stay_near_float32_and_give_float32_logits(precision, limit):
    found, expected = outputs(model(precision)), outputs(model())
    for name, values in found.items():
        assert values.dtype == np.float32
        assert 0 < np.abs(values - expected[name]).max() < limit


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_of_padding_alone_is_finite(precision):
    empty = {name: np.zeros((1, LENGTH), np.int32) for name in some_inputs()}
    assert all(np.isfinite(values).all() for values in outputs(model(precision), empty).values())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_layer_has_the_policy_by_name_whatever_the_global_one(precision):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        network = model(precision)
    finally:
        keras.config.set_dtype_policy(before)
    layers = list(network._flatten_layers())
    norms = [layer for layer in layers if isinstance(layer, LayerNorm)]
    wide = [network.span, network.answer_type, *network.embeddings._flatten_layers(), *norms]
    assert len(norms) == 1 + 2 * CONFIG.num_hidden_layers
    assert {layer.dtype_policy.name for layer in layers if layer not in wide} == {precision}
    assert {layer.dtype_policy.name for layer in wide} == {"float32"}
    assert {variable.dtype for variable in network.variables if "seed" not in variable.path} == {"float32"}


@pytest.mark.parametrize(
    ("dtype", "softmax_dtype"),
    [("float32", "float32"), ("float16", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16")],
)
def test_masked_keys_get_no_probability(dtype, softmax_dtype):
    scores = ops.cast(np.random.default_rng(1).normal(0, 50, (ROWS, 2, LENGTH, LENGTH)), dtype)
    mask = some_inputs()["input_mask"]
    probabilities = ops.convert_to_numpy(ops.cast(attention_probabilities(scores, mask, softmax_dtype), "float32"))
    assert np.isfinite(probabilities).all()
    assert not probabilities[np.broadcast_to(mask[:, None, None, :] == 0, probabilities.shape)].any()
    assert np.allclose(probabilities.sum(axis=-1), 1, atol=0.02)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_residual_stream_is_never_rounded(precision):
    network, inputs = build(BertJoint(CONFIG, precision), LENGTH), some_inputs()
    stream = network.embeddings(inputs["input_ids"], inputs["segment_ids"])
    fine = np.float32(1e-6) * np.arange(stream.shape[-1], dtype=np.float32)  # lost in 16 bits beside numbers near 1
    norm = network.blocks[0].attention_norm
    norm.gamma.assign(np.ones_like(fine))
    norm.beta.assign(1 + fine)
    assert np.array_equal(ops.convert_to_numpy(norm(np.zeros_like(stream)))[0, 0], 1 + fine)
    large = np.float32(1e6) * (1 + np.arange(stream.shape[-1], dtype=np.float32))  # infinite in float16
    assert np.allclose(ops.convert_to_numpy(norm(large[None])).std(), 1, atol=1e-4)
    for block in network.blocks:
        stream = block(ops.reshape(stream, (-1, CONFIG.hidden_size)), inputs["input_mask"])
        assert stream.dtype == "float32"
    assert residual(np.float32([2048.5]), ops.cast([1.0], "float16")) == np.float32(2049.5)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="'float8' is unknown; expected one of float32, mixed_float16"):
        dtype_policy("float8")


def test_weights_come_back_and_every_variable_is_named_once():
    network = model()
    extracted = extract_weights(network)
    assert {name: values.shape for name, values in extracted.items()} == expected_shapes(CONFIG)
    assert all(np.array_equal(extracted[name], values) for name, values in WEIGHTS.items())
    named = [id(variable) for _, variable, _ in named_variables(network)]
    assert sorted(named) == sorted(id(variable) for variable in network.trainable_variables)


def test_dropout_works_in_training_alone():
    network = model(config=dataclasses.replace(CONFIG, hidden_dropout_prob=0.5))
    calm = outputs(network)["start_logits"]
    assert np.array_equal(calm, outputs(network)["start_logits"])
    assert not np.allclose(calm, ops.convert_to_numpy(network(some_inputs(), training=True)["start_logits"]))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_kernels_that_rest_in_16_bits_give_the_same_bits(precision):
    inputs = some_inputs()
    mixed, narrow = (
        build(BertJoint(CONFIG, precision, narrow_weights=narrow_weights), LENGTH) for narrow_weights in (False, True)
    )
    for model in (mixed, narrow):
        assign_weights(model, WEIGHTS)
    kernel = narrow.blocks[0].attention.query.kernel
    assert str(kernel.dtype) == precision.removeprefix("mixed_")
    assert str(mixed.blocks[0].attention.query.kernel.dtype) == "float32"
    for one in (narrow.embeddings, narrow.span, narrow.blocks[0].attention_norm):
        assert {str(variable.dtype) for variable in one.trainable_variables} == {"float32"}
    expected, found = mixed(inputs, training=False), narrow(inputs, training=False)
    for name, values in expected.items():
        np.testing.assert_array_equal(ops.convert_to_numpy(found[name]), ops.convert_to_numpy(values))


def test_narrow_weights_are_for_16_bits():
    with pytest.raises(ConfigError, match="narrow_weights is for a precision of 16 bits, not for float32"):
        BertJoint(CONFIG, "float32", narrow_weights=True)
