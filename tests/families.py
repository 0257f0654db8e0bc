"""Tiny networks of every family, and builders of them that `nqperf casts audit` can name."""

from nqperf.casts.targets import of_config
from nqperf.model.config import BertConfig
from nqperf.model.families import AlbertConfig, DistilBertConfig, Gpt2Config, RobertaConfig

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
