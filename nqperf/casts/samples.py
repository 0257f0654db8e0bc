"""Seeded inputs for a model whose data nobody named, as its own data might look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_SEED = 20_260_601
_BATCH = 2
_OPEN = 8  # the size of a dimension that has none


def sample(specs: Any, model: Any = None, rows: int = _BATCH) -> Any:
    """Return one batch of `specs` (tf.TensorSpec, nested): normal floats, masks, segments and ids of the vocabulary.

    Which integers an input takes is told by its name: a mask is 1 with some padding at the end, segments are 0 and then
    1. What is left are ids, from 0 to below the rows of the largest embedding of `model`, or to 1 where it has none. A
    first dimension without a size gets `rows`, any other 8.
    """
    import tensorflow as tf

    generator = np.random.default_rng(_SEED)
    top = _vocabulary(model)

    def fill(spec: Any, path: str) -> Any:
        if isinstance(spec, Mapping):
            return {name: fill(each, f"{path}/{name}") for name, each in spec.items()}
        if isinstance(spec, list | tuple):
            return type(spec)(fill(each, path) for each in spec)
        if not isinstance(spec, tf.TensorSpec):
            return spec
        shape = [(rows if axis == 0 else _OPEN) if size is None else size for axis, size in enumerate(spec.shape)]
        if not (spec.dtype.is_integer or spec.dtype.is_bool):
            return tf.cast(generator.standard_normal(shape), spec.dtype)
        return tf.cast(_integers(f"{path}/{spec.name or ''}".lower(), shape, top, generator), spec.dtype)

    return fill(specs, "")


def _integers(name: str, shape: list[int], top: int, generator: np.random.Generator) -> Any:
    length = shape[-1] if shape else 1
    positions = np.broadcast_to(np.arange(length), shape)
    if "mask" in name:
        return (positions < max(1, length - length // 4)).astype(np.int64)
    if any(word in name for word in ("type", "segment")):
        return (positions >= length // 2).astype(np.int64)
    if "position" in name:
        return positions
    return generator.integers(0, top, shape)


def _vocabulary(model: Any) -> int:
    """Return how many rows the model's largest table of embeddings has, 2 where it has none."""
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else ()  # noqa: SLF001  # no public walk
    tables = [getattr(layer, "input_dim", None) or getattr(layer, "vocab_size", None) for layer in layers]
    return max([2, *(int(table) for table in tables if isinstance(table, int))])
