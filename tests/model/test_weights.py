import numpy as np
import pytest

from nqperf.errors import FormatError
from nqperf.model.config import BertConfig
from nqperf.model.weights import check_finite, check_shapes, expected_shapes, initial_weights

CONFIG = BertConfig(
    vocab_size=11,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=6,
    type_vocab_size=3,
)


def test_every_tensor_is_expected_once_and_dense_weights_are_out_by_in():
    shapes = expected_shapes(CONFIG)
    assert len(shapes) == 5 + 2 * 16 + 2 + 2 + 2
    assert shapes["bert.embeddings.word_embeddings.weight"] == (11, 8)
    assert shapes["bert.embeddings.position_embeddings.weight"] == (6, 8)
    assert shapes["bert.embeddings.token_type_embeddings.weight"] == (3, 8)
    assert shapes["bert.encoder.layer.1.intermediate.dense.weight"] == (12, 8)
    assert shapes["bert.encoder.layer.1.output.dense.weight"] == (8, 12)
    assert shapes["bert.encoder.layer.1.output.dense.bias"] == (8,)
    assert (shapes["span.weight"], shapes["answer_type.weight"]) == ((2, 8), (5, 8))


def test_all_faults_stand_in_one_message():
    shapes = expected_shapes(CONFIG)
    found = {**shapes, "span.weight": (8, 2), "extra": (3,), "bert.other": ()}
    del found["bert.pooler.dense.bias"], found["answer_type.bias"]
    with pytest.raises(FormatError) as caught:
        check_shapes(found, shapes, path="model.safetensors")
    message = str(caught.value)
    assert message.startswith("model.safetensors: tensors that do not fit the configuration: 5 (")
    for part in (
        "unknown: extra [3], bert.other []",
        "missing: bert.pooler.dense.bias [8], answer_type.bias [5]",
        "misshapen: span.weight [8, 2], expected [2, 8]",
    ):
        assert part in message
    assert "\n" not in message


def test_the_expected_shapes_pass():
    check_shapes(expected_shapes(CONFIG), expected_shapes(CONFIG), path="here")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_every_tensor_with_a_value_that_is_no_number_is_named(value):
    weights = {name: np.zeros(3, np.float32) for name in ("first", "second", "third")}
    weights["first"][2] = weights["third"][0] = value
    with pytest.raises(FormatError, match="first, third;"):
        check_finite(weights, path="here")


def test_initial_weights_are_a_truncated_normal_with_neutral_norms_and_biases():
    weights = initial_weights(CONFIG, seed=3)
    assert {name: values.shape for name, values in weights.items()} == expected_shapes(CONFIG)
    assert (weights["bert.embeddings.LayerNorm.weight"] == 1).all()
    assert not weights["bert.embeddings.LayerNorm.bias"].any()
    drawn = np.concatenate([v.ravel() for n, v in weights.items() if v.ndim == 2])
    assert np.abs(drawn).max() <= 2 * CONFIG.initializer_range
    # The deviation of a normal cut at two deviations is 0.88 of the whole one's.
    assert drawn.std() == pytest.approx(0.88 * CONFIG.initializer_range, rel=0.1)


def test_a_tensor_depends_on_the_seed_and_its_name_only():
    alone = initial_weights(CONFIG, seed=3, names=["span.weight"])
    np.testing.assert_array_equal(alone["span.weight"], initial_weights(CONFIG, seed=3)["span.weight"])
    assert not np.array_equal(alone["span.weight"], initial_weights(CONFIG, seed=4)["span.weight"])
