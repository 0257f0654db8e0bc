"""The one table of a network's tensors: what each is called in a model folder, its shape, and the variable it fills.

A dense weight is [out, in], as Hugging Face stores it; Keras multiplies from the left and has its transpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nqperf.model.config import BertConfig
from nqperf.nq.answers import ANSWER_TYPES

Shape = tuple[int, ...]

# What Hugging Face calls the parts of a block, each under the network's own name for it, in the order of computation.
_BLOCK = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output_dense": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output_dense": "output.dense",
    "output_norm": "output.LayerNorm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor; `variable` is the path of attributes from the network to its Keras variable.

    `initial` says how it begins: drawn from the truncated normal, or with zeros, or with ones.
    """

    name: str
    shape: Shape
    variable: str
    initial: Literal["normal", "zeros", "ones"]
    transposed: bool = False


def tensors_of(config: BertConfig) -> Iterator[Tensor]:
    """Yield every tensor of the network, in the order of computation."""
    rows = {
        "word": ("word", config.vocab_size),
        "position": ("position", config.max_position_embeddings),
        "segment": ("token_type", config.type_vocab_size),
    }
    for part, (stored, count) in rows.items():
        yield Tensor(
            name=f"bert.embeddings.{stored}_embeddings.weight",
            shape=(count, config.hidden_size),
            variable=f"embeddings.{part}.embeddings",
            initial="normal",
        )
    yield from _norm("bert.embeddings.LayerNorm", "embeddings.norm", config.hidden_size)
    for number in range(config.num_hidden_layers):
        for part, stored in _BLOCK.items():
            yield from _block_part(f"bert.encoder.layer.{number}.{stored}", f"blocks.{number}.{part}", config)
    yield from _dense("bert.pooler.dense", "pooler", config.hidden_size, config.hidden_size)
    yield from _dense("span", "span", 2, config.hidden_size)
    yield from _dense("answer_type", "answer_type", len(ANSWER_TYPES), config.hidden_size)


def _block_part(name: str, variable: str, config: BertConfig) -> Iterator[Tensor]:
    hidden, inner = config.hidden_size, config.intermediate_size
    if variable.endswith("norm"):
        return _norm(name, variable, hidden)
    in_block = variable.split(".", 2)[2]
    out, into = {"intermediate": (inner, hidden), "output_dense": (hidden, inner)}.get(in_block, (hidden, hidden))
    return _dense(name, variable, out, into)


def _dense(name: str, variable: str, out: int, into: int) -> Iterator[Tensor]:
    yield Tensor(
        name=f"{name}.weight", shape=(out, into), variable=f"{variable}.kernel", initial="normal", transposed=True
    )
    yield Tensor(name=f"{name}.bias", shape=(out,), variable=f"{variable}.bias", initial="zeros")


def _norm(name: str, variable: str, size: int) -> Iterator[Tensor]:
    yield Tensor(name=f"{name}.weight", shape=(size,), variable=f"{variable}.gamma", initial="ones")
    yield Tensor(name=f"{name}.bias", shape=(size,), variable=f"{variable}.beta", initial="zeros")
