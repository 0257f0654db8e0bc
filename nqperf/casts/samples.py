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

    Which integers an input takes is told by its name and type: a mask (or a boolean) is 1 with padding at the end, less
    in one row than in the next; segments are 0 and then 1; positions count. What is left are ids, from 0 to below the
    rows of the largest embedding of `model`, or to 1 where it has none. Dimensions without a size get `rows` and 8.
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
        name = "mask" if spec.dtype.is_bool else f"{path}/{spec.name or ''}".lower()
        return tf.cast(_integers(name, shape, top, generator), spec.dtype)

    return fill(specs, "")


def _integers(name: str, shape: list[int], top: int, generator: np.random.Generator) -> Any:
    length = shape[-1] if shape else 1
    positions = np.broadcast_to(np.arange(length), shape)
    if "mask" in name:
        rows = np.arange(shape[0] if len(shape) > 1 else 1).reshape(-1, *[1] * (len(shape) - 1))
        return (positions < np.maximum(1, length - length // 4 * (1 + rows % 2))).astype(np.int64)
    if any(word in name for word in ("type", "segment")):
        return (positions >= length // 2).astype(np.int64)
    if "position" in name:
        return positions
    return generator.integers(0, top, shape)


def _vocabulary(model: Any) -> int:
    """Return how many rows the model's largest table of embeddings has, 2 where it has none that is known."""
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else ()  # noqa: SLF001  # no public walk
    tables = [getattr(layer, name, None) for layer in layers for name in ("input_dim", "vocab_size", "token_num")]
    tables += [getattr(getattr(layer, "config", None), "vocab_size", None) for layer in layers]
    # A layer that keeps its table in a variable of its own.
    tables += [
        each.shape[0]
        for each in getattr(model, "weights", ())
        if "embed" in str(getattr(each, "path", each.name)).lower() and len(each.shape) == 2  # noqa: PLR2004
    ]
    return max([2, *(table for table in tables if isinstance(table, int))])
