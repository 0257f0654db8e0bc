"""What every family's network promises under each precision; tests/test_encoder.py has Hugging Face's outputs."""

import functools

import numpy as np
import pytest
from keras import ops

from nqperf.errors import ConfigError
from nqperf.model.bert import BertJoint
from nqperf.model.encoders.gpt2 import summary_first
from nqperf.model.families import FAMILIES, AlbertConfig, RobertaConfig, network_config
from nqperf.model.precision import PRECISIONS
from nqperf.model.tensors import tensors_of
from nqperf.model.variables import assign_weights, build, extract_weights, named_variables
from nqperf.model.weights import initial_weights
from tests.families import CONFIGS, SIZES

LENGTH = 24
each_family = pytest.mark.parametrize("family", FAMILIES)
each_precision = pytest.mark.parametrize("precision", PRECISIONS)


@functools.cache
def network(family, precision="float32"):
    """Build a family's tiny network with weights large enough that pieces differ."""
    config = CONFIGS[family]
    built = build(BertJoint(config, precision), LENGTH)
    generator = np.random.default_rng(5)
    assign_weights(
        built,
        {
            name: values + generator.normal(0, 0.2, values.shape).astype(np.float32)
            for name, values in initial_weights(config, seed=1).items()
        },
    )
    return built


def inputs_of(mask, seed=2):
    generator = np.random.default_rng(seed)
    mask = np.asarray(mask, dtype=np.int32)
    ids = np.where(mask == 1, generator.integers(5, 120, mask.shape), 1).astype(np.int32)
    segments = (np.arange(mask.shape[1]) > 6).astype(np.int32) * mask
    return {"input_ids": ids, "input_mask": mask, "segment_ids": segments}


def right_padded(*real):
    return np.arange(LENGTH) < np.array(real)[:, None]


def outputs(model, inputs):
    return {name: ops.convert_to_numpy(values) for name, values in model(inputs, training=False).items()}


@each_family
def test_every_variable_has_one_tensor_and_comes_back(family):
    model = network(family)
    named = list(named_variables(model))
    assert [name for name, _, _ in named] == [tensor.name for tensor in tensors_of(CONFIGS[family])]
    assert sorted(id(one) for _, one, _ in named) == sorted(id(one) for one in model.trainable_variables)
    shapes = {name: values.shape for name, values in extract_weights(model).items()}
    assert shapes == {tensor.name: tensor.shape for tensor in tensors_of(CONFIGS[family])}


@each_family
def test_one_step_moves_every_variable(family):
    import tensorflow as tf

    model, inputs = network(family), inputs_of(right_padded(24, 17, 9))
    with tf.GradientTape() as tape:
        found = model(inputs, training=False)
        loss = sum(tf.reduce_mean(tf.nn.log_softmax(values)[:, 2]) for values in found.values())
    variables = model.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, [one.value for one in variables]), strict=True):
        assert gradient is not None, variable.path
        largest = float(tf.reduce_max(tf.abs(tf.convert_to_tensor(gradient))))
        # A softmax does not see what is added to all of its scores, and that is all that a key's bias does.
        assert largest > (0 if not variable.path.endswith("key/bias") else -1), variable.path


@each_precision
@each_family
def test_every_padding_is_finite(family, precision):
    left = ~right_padded(0, 7, 23)
    holes = np.random.default_rng(3).random((3, LENGTH)) < 0.5
    found = outputs(network(family, precision), inputs_of(np.concatenate([right_padded(24, 1, 0), left, holes])))
    assert all(np.isfinite(values).all() and values.dtype == np.float32 for values in found.values())


@each_precision
@each_family
def test_padding_says_nothing(family, precision):
    model, real = network(family, precision), np.array([24, 17, 9])
    inputs = inputs_of(right_padded(*real))
    before = outputs(model, inputs)
    inputs["input_ids"] = np.where(inputs["input_mask"] == 1, inputs["input_ids"], 77).astype(np.int32)
    after = outputs(model, inputs)
    assert np.array_equal(before["answer_type_logits"], after["answer_type_logits"])
    for row, length in enumerate(real):
        assert np.array_equal(before["start_logits"][row, :length], after["start_logits"][row, :length])


@each_family
def test_the_null_answer_sees_the_whole_input(family):
    """Position 0, whose logits the heuristic subtracts, depends on the last real piece in every family."""
    model, inputs = network(family), inputs_of(right_padded(24, 17, 9))
    before = outputs(model, inputs)
    inputs["input_ids"][1, 15] = 111
    after = outputs(model, inputs)
    for name in ("start_logits", "end_logits"):
        assert before[name][1, 0] != after[name][1, 0]
    assert not np.array_equal(before["answer_type_logits"][1], after["answer_type_logits"][1])
    assert np.array_equal(before["answer_type_logits"][::2], after["answer_type_logits"][::2])


@pytest.mark.parametrize("family", ["distilbert", "roberta", "gpt2"])
def test_segments_are_not_read_where_there_are_no_token_types(family):
    inputs = inputs_of(right_padded(24, 17, 9))
    before = outputs(network(family), inputs)
    inputs["segment_ids"] = 1 - inputs["segment_ids"]
    after = outputs(network(family), inputs)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_causal_network_never_looks_ahead():
    model, inputs = network("gpt2"), inputs_of(right_padded(24, 24))
    before, _ = model.encode(inputs)
    inputs["input_ids"][:, 10] = 111
    after, _ = model.encode(inputs)
    changed = np.abs(ops.convert_to_numpy(before) - ops.convert_to_numpy(after)).max(axis=-1) > 0
    assert not changed[:, :10].any()
    assert changed[:, 10:].all()


def test_the_summary_is_the_state_of_the_last_real_position():
    sequence = np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.int32)
    found = ops.convert_to_numpy(summary_first(sequence, mask))
    np.testing.assert_array_equal(found[:, 1:], sequence[:, 1:])
    np.testing.assert_array_equal(found[:, 0], sequence[np.arange(4), [5, 2, 0, 0]])


def test_roberta_counts_real_pieces_from_behind_its_padding_id():
    embeddings = network("roberta").embeddings
    found = ops.convert_to_numpy(embeddings.position_ids(np.array([[7, 8, 9, 1, 1], [1, 1, 5, 6, 7]], np.int32)))
    assert found.tolist() == [[2, 3, 4, 1, 1], [1, 1, 2, 3, 4]]
    assert CONFIGS["roberta"].positions == 48


@pytest.mark.parametrize(
    ("layers", "groups", "inner", "order"),
    [(3, 1, 1, (0, 0, 0)), (3, 2, 1, (0, 0, 1)), (4, 2, 2, (0, 1, 0, 1, 2, 3, 2, 3)), (3, 3, 1, (0, 1, 2))],
)
def test_albert_layers_share_blocks_by_groups(layers, groups, inner, order):
    sizes = {**SIZES, "num_hidden_layers": layers}
    config = AlbertConfig(**sizes, num_hidden_groups=groups, inner_group_num=inner)
    assert config.block_order == order
    names = [tensor.name for tensor in tensors_of(config) if tensor.name.endswith(".ffn.bias")]
    place = "albert.encoder.albert_layer_groups.{}.albert_layers.{}.ffn.bias"
    assert names == [place.format(number // inner, number % inner) for number in range(groups * inner)]


@each_family
def test_a_configuration_goes_there_and_back_under_the_familys_names(family):
    config = CONFIGS[family]
    stored = config.to_dict()
    assert network_config(stored) == config
    assert next(iter(stored.items())) == ("model_type", family)
    assert ("type_vocab_size" in stored) == (family in {"bert", "albert", "roberta"})


def test_gpt2_leaves_its_inner_size_open():
    fields = {**CONFIGS["gpt2"].to_dict(), "n_inner": None}
    assert network_config(fields).intermediate_size == 4 * SIZES["hidden_size"]
    with pytest.raises(ConfigError, match="n_embd is None"):
        network_config({**fields, "n_embd": None})


@pytest.mark.parametrize(
    ("family", "change", "said"),
    [
        ("bert", {"model_type": "xlnet"}, "model_type is 'xlnet'; expected one of bert, albert, distilbert"),
        ("bert", {"model_type": 3}, "model_type is 3"),
        ("bert", {"model_type": ["bert"]}, "model_type is"),
        ("albert", {"embedding_size": 0}, "embedding_size is 0"),
        ("albert", {"num_hidden_groups": 4}, "num_hidden_groups is 4; expected at most the 2 layers"),
        ("distilbert", {"n_heads": 5}, "dim 24 is no multiple of n_heads 5"),
        ("distilbert", {"activation": "relu"}, "activation is 'relu'"),
        ("roberta", {"pad_token_id": -1}, "pad_token_id is -1"),
        ("roberta", {"pad_token_id": 49}, "pad_token_id is 49"),
        ("roberta", {"pad_token_id": True}, "pad_token_id is True; expected an integer"),
        ("roberta", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ("gpt2", {"n_layer": "2"}, "n_layer is '2'; expected an integer"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ("gpt2", {"resid_pdrop": 1}, "resid_pdrop is 1"),
    ],
)
def test_a_wrong_field_is_refused_by_the_familys_name(family, change, said):
    with pytest.raises(ConfigError, match=said):
        network_config({**CONFIGS[family].to_dict(), **change})


def test_a_missing_field_is_refused_by_the_familys_name():
    fields = {name: value for name, value in CONFIGS["gpt2"].to_dict().items() if name != "n_positions"}
    with pytest.raises(ConfigError, match="n_positions is missing; expected a configuration of gpt2"):
        network_config(fields)


def test_inputs_longer_than_the_positions_are_refused():
    RobertaConfig(**SIZES).require_positions(46)
    with pytest.raises(ConfigError, match="features of 47 positions, the model has 46"):
        RobertaConfig(**SIZES).require_positions(47)


def test_networks_are_named_by_their_family():
    assert network("bert").name == "bert_joint"
    assert network("gpt2").name == "gpt2_joint"
