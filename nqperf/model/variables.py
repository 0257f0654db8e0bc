"""The variables of a `BertJoint` under the tensor names of a model folder, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from nqperf.model.bert import BertJoint
from nqperf.model.tensors import tensors_of
from nqperf.nq.example import FloatArray
from nqperf.nq.features import MODEL_INPUTS

_Named = Iterator[tuple[str, keras.Variable, bool]]


def build(model: BertJoint, seq_length: int) -> BertJoint:
    """Create the variables of `model` by one symbolic call at `seq_length`, and return it."""
    shape = (None, seq_length)
    model({name: keras.KerasTensor(shape, dtype="int32") for name in MODEL_INPUTS})
    return model


def assign_weights(model: BertJoint, tensors: Mapping[str, FloatArray]) -> None:
    """Set every variable of the built `model` from the `tensors` of a model folder."""
    for name, variable, transposed in named_variables(model):
        variable.assign(tensors[name].T if transposed else tensors[name])


def extract_weights(model: BertJoint) -> dict[str, FloatArray]:
    """Return the variables of the built `model` as the tensors of a model folder."""
    extracted: dict[str, FloatArray] = {}
    for name, variable, transposed in named_variables(model):
        array = np.asarray(keras.ops.convert_to_numpy(variable), dtype=np.float32)
        extracted[name] = np.ascontiguousarray(array.T if transposed else array)
    return extracted


def named_variables(model: BertJoint) -> _Named:
    """Yield each variable of the built `model` with its tensor name, and whether the tensor is its transpose."""
    for tensor in tensors_of(model.config):
        yield tensor.name, _variable(model, tensor.variable), tensor.transposed


def _variable(model: BertJoint, path: str) -> keras.Variable:
    found: Any = model
    for part in path.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    return found
