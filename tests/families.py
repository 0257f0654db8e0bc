"""Tiny networks of every family, builders of them that `nqperf casts audit` can name, and folders of them."""

import dataclasses
import json

from safetensors.numpy import save_file

from nqperf.casts.targets import of_config
from nqperf.model.config import BertConfig
from nqperf.model.families import AlbertConfig, DistilBertConfig, Gpt2Config, RobertaConfig
from nqperf.model.tensors import LAYOUTS
from nqperf.model.weights import initial_weights

SIZES = {
    "vocab_size": 120,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 48,
}
CONFIGS = {
    "bert": BertConfig(**SIZES),
    "albert": AlbertConfig(**SIZES, embedding_size=16, num_hidden_groups=1, inner_group_num=2),
    "distilbert": DistilBertConfig(**SIZES),
    "roberta": RobertaConfig(**{**SIZES, "max_position_embeddings": 50}),
    "gpt2": Gpt2Config(**SIZES),
}


def albert(precision="float32"):
    return of_config(CONFIGS["albert"], "albert").build(precision)


def distilbert(precision="float32"):
    return of_config(CONFIGS["distilbert"], "distilbert").build(precision)


def roberta(precision="float32"):
    return of_config(CONFIGS["roberta"], "roberta").build(precision)


def gpt2(precision="float32"):
    return of_config(CONFIGS["gpt2"], "gpt2").build(precision)


def write_hugging_face(folder, family, vocabulary, *, positions=96, prefix=False, heads=False):
    """Write a family's network as Hugging Face keeps it, with a vocabulary's files; return its weights."""
    for name, content in vocabulary.contents().items():
        (folder / ("spiece.model" if family == "albert" else name)).write_bytes(content)
    config = dataclasses.replace(
        CONFIGS[family],
        vocab_size=vocabulary.vocabulary_size(),
        max_position_embeddings=positions + (2 if family == "roberta" else 0),
        initializer_range=0.2,
    )
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    weights = initial_weights(config, seed=6)
    layout = LAYOUTS[family]
    stored = {
        name if prefix else name.removeprefix(layout.prefix): values
        for name, values in weights.items()
        if heads or name.startswith(layout.prefix)
    }
    save_file(stored, folder / "model.safetensors")
    return weights
