"""The one table of a network's tensors: what each is called in a model folder, its shape, and the variable it fills.

A folder holds Hugging Face's names of the family under its usual prefix, then those of the two heads. A dense weight is
[out, in] there; Keras multiplies from the left and has its transpose, and so has GPT-2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from nqperf.model.config import BertConfig
from nqperf.nq.answers import ANSWER_TYPES
from nqperf.nq.example import FloatArray

Shape = tuple[int, ...]

# The modules of the network by their path of attributes; a layout below gives them a family's names.
_BERT_EMBEDDINGS = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
}
_BERT_BLOCK = {
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
class Layout:
    """A family's names of its modules, in the order of computation.

    `before`, `block` and `after` are the names of what comes before the blocks, in one, and after them, by ours.
    `prefix` stands before all of them in a model with heads; `block_prefix` has the block's {number} in it, or its
    {group} and its {inner} number. Kernels are `transposed` where they are stored with their outputs first.
    """

    prefix: str
    before: Mapping[str, str]
    block_prefix: str
    block: Mapping[str, str]
    after: Mapping[str, str]
    transposed: bool = True


LAYOUTS = {
    "bert": Layout(
        prefix="bert.",
        before=_BERT_EMBEDDINGS,
        block_prefix="encoder.layer.{number}.",
        block=_BERT_BLOCK,
        after={"pooler": "pooler.dense"},
    ),
    "albert": Layout(
        prefix="albert.",
        before={**_BERT_EMBEDDINGS, "embeddings.widen": "encoder.embedding_hidden_mapping_in"},
        block_prefix="encoder.albert_layer_groups.{group}.albert_layers.{inner}.",
        block={
            "attention.query": "attention.query",
            "attention.key": "attention.key",
            "attention.value": "attention.value",
            "attention.output_dense": "attention.dense",
            "attention_norm": "attention.LayerNorm",
            "intermediate": "ffn",
            "output_dense": "ffn_output",
            "output_norm": "full_layer_layer_norm",
        },
        after={"pooler": "pooler"},
    ),
    "distilbert": Layout(
        prefix="distilbert.",
        before={part: name for part, name in _BERT_EMBEDDINGS.items() if part != "embeddings.segment"},
        block_prefix="transformer.layer.{number}.",
        block={
            "attention.query": "attention.q_lin",
            "attention.key": "attention.k_lin",
            "attention.value": "attention.v_lin",
            "attention.output_dense": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "intermediate": "ffn.lin1",
            "output_dense": "ffn.lin2",
            "output_norm": "output_layer_norm",
        },
        after={},
    ),
    "roberta": Layout(
        prefix="roberta.",
        before=_BERT_EMBEDDINGS,
        block_prefix="encoder.layer.{number}.",
        block=_BERT_BLOCK,
        after={"pooler": "pooler.dense"},
    ),
    "gpt2": Layout(
        prefix="transformer.",
        before={"embeddings.word": "wte", "embeddings.position": "wpe"},
        block_prefix="h.{number}.",
        block={
            "attention_norm": "ln_1",
            "attention.query_key_value": "attn.c_attn",
            "attention.output_dense": "attn.c_proj",
            "output_norm": "ln_2",
            "intermediate": "mlp.c_fc",
            "output_dense": "mlp.c_proj",
        },
        after={"final_norm": "ln_f"},
        transposed=False,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor: its `name` in the weights' file, and its `shape` there.

    `variable` is the path of attributes from the network to its Keras variable; a `transposed` one is stored with its
    outputs first. `initial` says how it begins: drawn from the truncated normal, or with zeros, or with ones.
    """

    name: str
    shape: Shape
    variable: str
    initial: Literal["normal", "zeros", "ones"]
    transposed: bool = False


def tensors_of(config: BertConfig) -> Iterator[Tensor]:
    """Yield every tensor of the network of `config`, in the order of computation."""
    layout = LAYOUTS[config.model_type]
    for part, module, name in _modules(config, layout):
        shape = _shape(part, config)
        if part.endswith("norm"):
            yield Tensor(name=f"{name}.weight", shape=shape, variable=f"{module}.gamma", initial="ones")
            yield Tensor(name=f"{name}.bias", shape=shape, variable=f"{module}.beta", initial="zeros")
        elif part in _ROWS:
            yield Tensor(name=f"{name}.weight", shape=shape, variable=f"{module}.embeddings", initial="normal")
        else:
            transposed = layout.transposed or part in _HEADS
            yield Tensor(
                name=f"{name}.weight",
                shape=shape if transposed else shape[::-1],
                variable=f"{module}.kernel",
                initial="normal",
                transposed=transposed,
            )
            yield Tensor(name=f"{name}.bias", shape=shape[:1], variable=f"{module}.bias", initial="zeros")


_ROWS = {
    "embeddings.word": "vocab_size",
    "embeddings.position": "max_position_embeddings",
    "embeddings.segment": "type_vocab_size",
}
_HEADS = {"span": 2, "answer_type": len(ANSWER_TYPES)}


def _modules(config: BertConfig, layout: Layout) -> Iterator[tuple[str, str, str]]:
    """Yield each module's part (its path, within the block if it is in one), its whole path, and its stored name."""
    for part, name in layout.before.items():
        yield part, part, layout.prefix + name
    inners = len(config.block_order) // config.num_hidden_layers
    for number in range(max(config.block_order) + 1):
        place = layout.block_prefix.format(number=number, group=number // inners, inner=number % inners)
        for part, name in layout.block.items():
            yield part, f"blocks.{number}.{part}", layout.prefix + place + name
    for part, name in layout.after.items():
        yield part, part, layout.prefix + name
    for head in _HEADS:
        yield head, head, head


def _shape(part: str, config: BertConfig) -> Shape:
    """Return the shape of a part's weight: one number for a norm, rows and width, or outputs and inputs."""
    hidden, inner, width = config.hidden_size, config.intermediate_size, config.embedding_width
    heads = config.attention_size
    if part in _ROWS:
        return getattr(config, _ROWS[part]), width
    if part in _HEADS:
        return _HEADS[part], hidden
    shapes: dict[str, Shape] = {
        "embeddings.norm": (width,),
        "embeddings.widen": (hidden, width),
        "attention.query": (heads, hidden),
        "attention.key": (heads, hidden),
        "attention.value": (heads, hidden),
        "attention.query_key_value": (3 * heads, hidden),
        "attention.output_dense": (hidden, heads),
        "intermediate": (inner, hidden),
        "output_dense": (hidden, inner),
    }
    return shapes.get(part, (hidden,) if part.endswith("norm") else (hidden, hidden))


def outputs_first(tensor: Tensor, values: FloatArray) -> FloatArray:
    """Return the `values` of `tensor`: a kernel that is stored with its inputs first the other way round."""
    return values if tensor.transposed or values.ndim == 1 or tensor.variable.endswith(".embeddings") else values.T
