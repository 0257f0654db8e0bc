"""TensorFlow checkpoints of BERT Joint: Google's `bert_joint.ckpt` and the thesis's object checkpoint.

Both compute the tanh approximation of GELU, whatever their `bert_config.json` calls it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nqperf.errors import FormatError
from nqperf.model.config import BertConfig
from nqperf.model.tensors import Shape
from nqperf.model.weights import check_shapes, expected_shapes
from nqperf.nq.example import FloatArray

INDEX_SUFFIX = ".index"

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointNames:
    """One way of naming BERT Joint's variables.

    `name_of` gives the checkpoint's name of one of our tensors; `bookkeeping` matches what training leaves behind,
    `pretraining` the heads of the pre-training, which BERT Joint does not use.
    """

    source: str
    name_of: Callable[[str], str]
    bookkeeping: re.Pattern[str]
    pretraining: re.Pattern[str]

    def shapes(self, config: BertConfig) -> dict[str, Shape]:
        """Return the shape of every variable that the network needs, under the checkpoint's name."""
        return {
            self.name_of(tensor): shape[::-1] if _is_kernel(tensor) else shape
            for tensor, shape in expected_shapes(config).items()
        }


def google_name(tensor: str) -> str:
    """Return what Google's TF1 code calls our `tensor`."""
    heads = {
        "span.weight": "cls/nq/output_weights",
        "span.bias": "cls/nq/output_bias",
        "answer_type.weight": "answer_type_output_weights",
        "answer_type.bias": "answer_type_output_bias",
    }
    if tensor in heads:
        return heads[tensor]
    name = re.sub(r"(_embeddings)\.weight$", r"\1", tensor)
    name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    name = re.sub(r"\.weight$", ".kernel", name)
    return re.sub(r"layer\.(\d+)", r"layer_\1", name).replace(".", "/")


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
THESIS = CheckpointNames(
    source="the thesis's TF2 object checkpoint",
    name_of=thesis_name,
    bookkeeping=re.compile(
        rf"{_OBJECT_GRAPH}$|save_counter/|step/|(model/)?(optimizer|keras_api)/|.*/\.OPTIMIZER_SLOT/"
    ),
    pretraining=re.compile(r"(?!)"),  # it has none
)


def read_tensorflow_checkpoint(
    prefix: Path, config: BertConfig
) -> tuple[CheckpointNames, dict[str, FloatArray], tuple[str, ...]]:
    """Return which checkpoint `prefix` is, the network's tensors under our names, and the names of unused heads.

    Raises: FormatError when it is neither kind, when files are missing or damaged, and with every unknown, missing or
    misshapen variable.
    """
    reader = _Reader(prefix)
    names = _kind(prefix, reader)
    found = {
        name: _folded(name, shape, config)
        for name, shape in sorted(reader.shapes.items())
        if not names.bookkeeping.match(name)
    }
    unused = tuple(name for name in found if names.pretraining.match(name))
    used = {name: shape for name, shape in found.items() if name not in unused}
    check_shapes(used, names.shapes(config), path=prefix)
    weights = {}
    for tensor in expected_shapes(config):
        name = names.name_of(tensor)
        values = reader.read(name).reshape(found[name])
        weights[tensor] = values.T if _is_kernel(tensor) else values
    return names, weights, unused


def _is_kernel(tensor: str) -> bool:
    """Tell whether TensorFlow keeps `tensor` as [in, out]; the two heads are [out, in] there too."""
    return tensor.startswith("bert.") and tensor.endswith(
        (".query.weight", ".key.weight", ".value.weight", ".dense.weight")
    )


def _folded(name: str, shape: Shape, config: BertConfig) -> Shape:
    """Return `shape` with (heads, head size) as one axis: some versions of the official layers keep them apart."""
    apart = (config.num_attention_heads, config.hidden_size // config.num_attention_heads)
    if "/attention_" in name:
        for axis in range(len(shape) - 1):
            if shape[axis : axis + 2] == apart:
                return (*shape[:axis], config.hidden_size, *shape[axis + 2 :])
    return shape


def _kind(prefix: Path, reader: _Reader) -> CheckpointNames:
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
