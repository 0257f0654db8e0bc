import dataclasses

import pytest

from nqperf.errors import ConfigError
from nqperf.model.config import BertConfig

SIZES = {
    "vocab_size": 400,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}


def test_sizes_alone_give_the_usual_constants():
    config = BertConfig.from_dict(SIZES)
    assert (config.type_vocab_size, config.hidden_act, config.layer_norm_eps) == (2, "gelu", 1e-12)
    assert (config.initializer_range, config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (
        0.02,
        0.1,
        0.1,
    )


def test_to_dict_and_back():
    config = BertConfig(**SIZES, hidden_act="gelu_new", layer_norm_eps=1e-6, hidden_dropout_prob=0.0)
    assert BertConfig.from_dict(config.to_dict()) == config
    assert config.to_dict()["model_type"] == "bert"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("gelu", "gelu"), ("gelu_python", "gelu"), ("gelu_new", "gelu_new"), ("gelu_pytorch_tanh", "gelu_new")],
)
def test_both_gelus_by_all_their_names(name, meaning):
    assert BertConfig.from_dict({**SIZES, "hidden_act": name}).hidden_act == meaning


def test_fields_that_change_nothing_are_passed_over():
    assert BertConfig.from_dict({**SIZES, "transformers_version": "4.0", "use_cache": True}) == BertConfig(**SIZES)


def test_whole_numbers_are_rates_too():
    config = BertConfig.from_dict({**SIZES, "hidden_dropout_prob": 0})
    assert config.hidden_dropout_prob == 0
    assert isinstance(config.hidden_dropout_prob, float)


@pytest.mark.parametrize("name", SIZES)
def test_a_missing_size_is_named(name):
    fields = {key: value for key, value in SIZES.items() if key != name}
    with pytest.raises(ConfigError, match=f"{name} is missing"):
        BertConfig.from_dict(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocab_size", "400"),
        ("vocab_size", 400.0),
        ("hidden_size", True),
        ("num_hidden_layers", None),
        ("num_hidden_layers", 0),
        ("num_attention_heads", 5),
        ("head_dim", 0),
        ("head_dim", 6.0),
        ("head_dim", "6"),
        ("type_vocab_size", -1),
        ("hidden_act", "relu"),
        ("hidden_act", 3),
        ("layer_norm_eps", 0),
        ("layer_norm_eps", "1e-12"),
        ("layer_norm_eps", float("nan")),
        ("initializer_range", float("inf")),
        ("hidden_dropout_prob", 1.0),
        ("attention_probs_dropout_prob", -0.1),
        ("model_type", "roberta"),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        BertConfig.from_dict({**SIZES, name: value})


def test_heads_are_as_wide_as_the_stream_lets_them_be_unless_it_is_said():
    plain = BertConfig.from_dict({**SIZES, "head_dim": None})
    assert plain == BertConfig(**SIZES)
    assert "head_dim" not in plain.to_dict()
    assert plain.attention_size == plain.num_attention_heads * plain.head_size == plain.hidden_size
    few = BertConfig.from_dict({**SIZES, "num_attention_heads": 5, "head_dim": 6})
    assert (few.head_size, few.attention_size) == (6, 30)
    assert BertConfig.from_dict(few.to_dict()) == few


def test_the_constructor_checks_too():
    with pytest.raises(ConfigError, match="no multiple"):
        dataclasses.replace(BertConfig(**SIZES), hidden_size=50)
