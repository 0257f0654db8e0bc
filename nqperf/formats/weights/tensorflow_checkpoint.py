"""TensorFlow checkpoints: BERT Joint's, of Google and of the thesis, and Google's pre-trained ALBERT.

All compute the tanh approximation of GELU, whatever the configuration beside them calls it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nqperf.errors import FormatError
from nqperf.model.config import BertConfig
from nqperf.model.tensors import Shape, Tensor, tensors_of
from nqperf.model.weights import check_shapes, initial_weights
from nqperf.nq.example import FloatArray

INDEX_SUFFIX = ".index"

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_ALBERT_GROUPS = "bert/encoder/transformer/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointNames:
    """One way of naming a network's variables.

    `name_of` gives the checkpoint's name of one of our tensors; `bookkeeping` matches what training leaves behind,
    `pretraining` the heads of the pre-training, which answer nothing. `headless` checkpoints may lack the joint heads.
    """

    source: str
    name_of: Callable[[str], str]
    bookkeeping: re.Pattern[str]
    pretraining: re.Pattern[str]
    headless: bool = False

    def shapes(self, config: BertConfig) -> dict[str, Shape]:
        """Return the shape of every variable that the network needs, under the checkpoint's name."""
        return {
            self.name_of(tensor.name): tensor.shape[::-1] if _is_kernel(tensor) else tensor.shape
            for tensor in tensors_of(config)
        }


def google_name(tensor: str) -> str:
    """Return what Google's TF1 code calls our `tensor`."""
    if tensor in _GOOGLE_HEADS:
        return _GOOGLE_HEADS[tensor]
    name = re.sub(r"(_embeddings)\.weight$", r"\1", tensor)
    name = re.sub(r"(LayerNorm(?:_1)?)\.weight$", r"\1.gamma", name)
    name = re.sub(r"(LayerNorm(?:_1)?)\.bias$", r"\1.beta", name)
    name = re.sub(r"\.weight$", ".kernel", name)
    return re.sub(r"layer\.(\d+)", r"layer_\1", name).replace(".", "/")


_GOOGLE_HEADS = {
    "span.weight": "cls/nq/output_weights",
    "span.bias": "cls/nq/output_bias",
    "answer_type.weight": "answer_type_output_weights",
    "answer_type.bias": "answer_type_output_bias",
}
# Our module names in an inner group of Google's ALBERT. TensorFlow numbered the scopes that were opened twice.
_ALBERT_MODULES = {
    "attention.query": "attention_1.self.query",
    "attention.key": "attention_1.self.key",
    "attention.value": "attention_1.self.value",
    "attention.dense": "attention_1.output.dense",
    "attention.LayerNorm": "LayerNorm",
    "ffn": "ffn_1.intermediate.dense",
    "ffn_output": "ffn_1.intermediate.output.dense",
    "full_layer_layer_norm": "LayerNorm_1",
}


def albert_name(tensor: str) -> str:
    """Return what Google's TF1 code calls our `tensor` of ALBERT."""
    name = re.sub(r"^albert\.", "bert.", tensor)
    name = re.sub(r"^bert\.pooler\.", "bert.pooler.dense.", name)
    inner = re.match(r"bert\.encoder\.albert_layer_groups\.(\d+)\.albert_layers\.(\d+)\.(.+)\.(\w+)$", name)
    if inner:
        group, number, module, role = inner.groups()
        place = f"bert.encoder.transformer.group_{group}.inner_group_{number}"
        name = f"{place}.{_ALBERT_MODULES[module]}.{role}"
    return google_name(name)


# Our module names in the thesis's model, an early form of TensorFlow's official BERT.
_THESIS_MODULES = {
    "bert.embeddings.word_embeddings.weight": "layer_with_weights-0/embedding_lookup/embeddings",
    "bert.embeddings.position_embeddings.weight": "layer_with_weights-0/embedding_postprocessor/position_embeddings",
    "bert.embeddings.token_type_embeddings.weight": "layer_with_weights-0/embedding_postprocessor/type_embeddings",
    "bert.embeddings.LayerNorm": "layer_with_weights-0/embedding_postprocessor/output_layer_norm",
    "attention.self.query": "attention_layer/query_dense",
    "attention.self.key": "attention_layer/key_dense",
    "attention.self.value": "attention_layer/value_dense",
    "attention.output.dense": "attention_output_dense",
    "attention.output.LayerNorm": "attention_layer_norm",
    "intermediate.dense": "intermediate_dense",
    "output.dense": "output_dense",
    "output.LayerNorm": "output_layer_norm",
    "bert.pooler.dense": "layer_with_weights-0/pooler_transform",
    "span": "layer_with_weights-1",
    "answer_type": "layer_with_weights-2",
}


def thesis_name(tensor: str) -> str:
    """Return what the thesis's object checkpoint calls our `tensor`."""
    if tensor in _THESIS_MODULES:
        return f"model/{_THESIS_MODULES[tensor]}{_VALUE}"
    module, _, role = tensor.rpartition(".")
    layer = re.match(r"bert\.encoder\.layer\.(\d+)\.", module)
    place = f"layer_with_weights-0/encoder/layers/{layer[1]}/" if layer else ""
    name = place + _THESIS_MODULES[module[layer.end() :] if layer else module]
    roles = (
        {"weight": "gamma", "bias": "beta"} if module.endswith("LayerNorm") else {"weight": "kernel", "bias": "bias"}
    )
    return f"model/{name}/{roles[role]}{_VALUE}"


GOOGLE = CheckpointNames(
    source="Google's TF1 checkpoint",
    name_of=google_name,
    bookkeeping=re.compile(r"global_step$|beta[12]_power$|.*/adam_[mv]$|.*/Adam(_1)?$"),
    pretraining=re.compile(r"cls/(predictions|seq_relationship)/"),
)
# What was pre-trained has no joint heads; a BERT Joint of ALBERT's would be named as Google's is.
ALBERT = CheckpointNames(
    source="Google's ALBERT checkpoint (TF1)",
    name_of=albert_name,
    bookkeeping=GOOGLE.bookkeeping,
    pretraining=GOOGLE.pretraining,
    headless=True,
)
THESIS = CheckpointNames(
    source="the thesis's TF2 object checkpoint",
    name_of=thesis_name,
    bookkeeping=re.compile(
        rf"{_OBJECT_GRAPH}$|save_counter/|step/|(model/)?(optimizer|keras_api)/|.*/\.OPTIMIZER_SLOT/"
    ),
    pretraining=re.compile(r"(?!)"),  # it has none
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorFlowCheckpoint:
    """What a checkpoint holds: tensors under our names, `new` ones among them; `unused` are the pre-training heads."""

    source: str
    weights: dict[str, FloatArray]
    unused: tuple[str, ...]
    new: tuple[str, ...]


def read_tensorflow_checkpoint(prefix: Path, config: BertConfig, *, seed: int) -> TensorFlowCheckpoint:
    """Return the network's tensors; heads that a pre-trained network lacks are made from `seed`, each whole.

    Raises: FormatError when it is no kind that is known for the family, when files are missing or damaged, and with
    every unknown, missing or misshapen variable.
    """
    reader = _Reader(prefix)
    names = _kind(prefix, reader, config)
    found = {
        name: _folded(name, shape, config)
        for name, shape in sorted(reader.shapes.items())
        if not names.bookkeeping.match(name)
    }
    unused = tuple(name for name in found if names.pretraining.match(name))
    used = {name: shape for name, shape in found.items() if name not in unused}
    new = _absent_heads(used, names) if names.headless else ()
    expected = {name: shape for name, shape in names.shapes(config).items() if name not in map(names.name_of, new)}
    check_shapes(used, expected, path=prefix)
    weights = initial_weights(config, seed=seed, names=new)
    for tensor in tensors_of(config):
        if tensor.name not in new:
            name = names.name_of(tensor.name)
            values = reader.read(name).reshape(found[name])
            weights[tensor.name] = values.T if _is_kernel(tensor) else values
    return TensorFlowCheckpoint(source=names.source, weights=weights, unused=unused, new=new)


def _is_kernel(tensor: Tensor) -> bool:
    """Tell whether TensorFlow keeps `tensor` as [in, out]; the two heads are [out, in] there too."""
    return tensor.transposed and tensor.name not in _GOOGLE_HEADS


def _absent_heads(used: Collection[str], names: CheckpointNames) -> tuple[str, ...]:
    """Return the tensors of the heads of which nothing is there."""
    heads = {head: [name for name in _GOOGLE_HEADS if name.startswith(f"{head}.")] for head in ("span", "answer_type")}
    return tuple(
        name for tensors in heads.values() if not any(names.name_of(one) in used for one in tensors) for name in tensors
    )


def _folded(name: str, shape: Shape, config: BertConfig) -> Shape:
    """Return `shape` with (heads, head size) as one axis: some versions of the official layers keep them apart."""
    apart = (config.num_attention_heads, config.head_size)
    if "/attention_" in name:
        for axis in range(len(shape) - 1):
            if shape[axis : axis + 2] == apart:
                return (*shape[:axis], config.attention_size, *shape[axis + 2 :])
    return shape


def _kind(prefix: Path, reader: _Reader, config: BertConfig) -> CheckpointNames:
    shared = any(name.startswith(_ALBERT_GROUPS) for name in reader.shapes)
    if (shared and config.model_type == "bert") or (not shared and config.model_type == "albert"):
        raise FormatError(
            f"is {'' if shared else 'not '}ALBERT's (variables under {_ALBERT_GROUPS}), and the configuration beside "
            f"it is of {config.model_type}: put the configuration and the weights of one model there",
            path=prefix,
        )
    if shared:
        return ALBERT
    if _OBJECT_GRAPH in reader.shapes:
        return THESIS
    if any(name.startswith("bert/") for name in reader.shapes):
        return GOOGLE
    first = ", ".join(sorted(reader.shapes)[:5])
    raise FormatError(
        f"is no BERT checkpoint; expected variables under bert/ ({GOOGLE.source}) or {_OBJECT_GRAPH} "
        f"({THESIS.source}), got {first or 'none'}",
        path=prefix,
    )


class _Reader:
    """The variables of one checkpoint, with TensorFlow's errors turned into ours."""

    def __init__(self, prefix: Path) -> None:
        import tensorflow as tf

        # Beside its own errors the reader raises those that pybind makes of a status, IndexError for a short file.
        self._failures = (tf.errors.OpError, IndexError, RuntimeError, ValueError)
        self._prefix = prefix
        try:
            self._reader: Any = tf.train.load_checkpoint(str(prefix))
            self.shapes = {name: tuple(shape) for name, shape in self._reader.get_variable_to_shape_map().items()}
        except self._failures as error:
            raise self._damaged(error) from error

    def read(self, name: str) -> FloatArray:
        """Return the values of the variable `name`."""
        try:
            values = np.asarray(self._reader.get_tensor(name))
        except self._failures as error:
            raise self._damaged(error, name) from error
        if values.dtype.kind != "f":
            raise FormatError(
                f"has type {values.dtype}; expected floating-point numbers", path=self._prefix, field=name
            )
        return values.astype(np.float32, copy=False)

    def _damaged(self, error: Exception, name: str | None = None) -> FormatError:
        reason = " ".join(str(error).split())
        return FormatError(
            f"cannot be read as a TensorFlow checkpoint ({reason}): copy its .index and .data files again",
            path=self._prefix,
            field=name,
        )
