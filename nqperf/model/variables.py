"""The variables of a `BertJoint` under the tensor names of a model folder, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from nqperf.model.bert import BertJoint
from nqperf.nq.example import FloatArray

# A model folder stores dense kernels as [out, in]; Keras multiplies from the left and has [in, out].
_Named = Iterator[tuple[str, keras.Variable, bool]]


def build(model: BertJoint, seq_length: int) -> BertJoint:
    """Create the variables of `model` by one symbolic call at `seq_length`, and return it."""
    shape = (None, seq_length)
    model({name: keras.KerasTensor(shape, dtype="int32") for name in ("input_ids", "input_mask", "segment_ids")})
    return model


def assign_weights(model: BertJoint, tensors: Mapping[str, FloatArray]) -> None:
    """Set every variable of a built model from the tensors of a model folder."""
    for name, variable, transposed in named_variables(model):
        variable.assign(tensors[name].T if transposed else tensors[name])


def extract_weights(model: BertJoint) -> dict[str, FloatArray]:
    """Return the variables of a built model as the tensors of a model folder."""
    extracted: dict[str, FloatArray] = {}
    for name, variable, transposed in named_variables(model):
        array = np.asarray(keras.ops.convert_to_numpy(variable), dtype=np.float32)
        extracted[name] = np.ascontiguousarray(array.T if transposed else array)
    return extracted


def named_variables(model: BertJoint) -> _Named:
    """Yield each variable of a built model with its tensor name, and whether the tensor is its transpose."""
    embeddings = model.embeddings
    for part in ("word", "position", "segment"):
        stored = "token_type" if part == "segment" else part
        yield f"bert.embeddings.{stored}_embeddings.weight", getattr(embeddings, part).embeddings, False
    yield from _norm("bert.embeddings", embeddings.norm)
    for number, block in enumerate(model.blocks):
        prefix = f"bert.encoder.layer.{number}"
        for part in ("query", "key", "value"):
            yield from _dense(f"{prefix}.attention.self.{part}", getattr(block.attention, part))
        yield from _dense(f"{prefix}.attention.output.dense", block.attention.output_dense)
        yield from _norm(f"{prefix}.attention.output", block.attention_norm)
        yield from _dense(f"{prefix}.intermediate.dense", block.intermediate)
        yield from _dense(f"{prefix}.output.dense", block.output_dense)
        yield from _norm(f"{prefix}.output", block.output_norm)
    yield from _dense("bert.pooler.dense", model.pooler)
    yield from _dense("span", model.span)
    yield from _dense("answer_type", model.answer_type)


def _dense(name: str, layer: Any) -> _Named:
    yield f"{name}.weight", layer.kernel, True
    yield f"{name}.bias", layer.bias, False


def _norm(name: str, layer: Any) -> _Named:
    yield f"{name}.LayerNorm.weight", layer.gamma, False
    yield f"{name}.LayerNorm.bias", layer.beta, False
