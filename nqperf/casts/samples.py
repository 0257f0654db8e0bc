"""Seeded inputs for a model whose data nobody named, as its own data might look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_SEED = 20_260_601
_BATCH = 2
# The attributes of layers that say how many rows their table of embeddings has.
_TABLE_ROWS = ("input_dim", "vocab_size", "token_num")
_OPEN = 8  # the size of a dimension that has none


def sample(
    specs: Any, model: Any = None, rows: int = _BATCH, *, size: int = _OPEN, vocabulary: int | None = None
) -> Any:
    """Return one batch of `specs` (tf.TensorSpec, nested): normal floats, masks, segments and ids of the vocabulary.

    Which integers an input takes is told by its name and type: a mask (or a boolean) is 1 with padding at the end, less
    in one row than in the next; segments are 0 and then 1; positions count. What is left are ids, from 0 to below
    `vocabulary`, by default the rows of the embedding that `model` looks them up in, else of its largest, or to 1 where
    it has none. An input of floats that is looked up so holds ids, too. An open dimension gets `rows` or `size`, of an
    input of integers at most as many as the model has positions.
    """
    import tensorflow as tf

    generator = np.random.default_rng(_SEED)
    largest = vocabulary or _vocabulary(model)
    looked_up = embedding_rows(specs, model)
    most = _positions(model)

    def fill(spec: Any, path: str) -> Any:
        if isinstance(spec, Mapping):
            return {name: fill(each, f"{path}/{name}") for name, each in spec.items()}
        if isinstance(spec, list | tuple):
            return type(spec)(fill(each, path) for each in spec)
        if not isinstance(spec, tf.TensorSpec):
            return spec
        open_size = min(size, most or size) if spec.dtype.is_integer or spec.dtype.is_bool else size
        shape = [(open_size if axis else rows) if known is None else known for axis, known in enumerate(spec.shape)]
        if not (spec.dtype.is_integer or spec.dtype.is_bool or id(spec) in looked_up):
            return tf.cast(generator.standard_normal(shape), spec.dtype)
        name = "mask" if spec.dtype.is_bool else f"{path}/{spec.name or ''}".lower()
        top = vocabulary or looked_up.get(id(spec), largest)
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


def embedding_rows(specs: Any, model: Any) -> dict[int, int]:
    """Return how many rows the embedding has that each input of a functional `model` goes into, by the id of its spec.

    `specs` are its inputs (tf.TensorSpec, nested); those that go into no embedding are left out.
    """
    import tensorflow as tf

    leaves = tf.nest.flatten(specs)
    struct = getattr(model, "_inputs_struct", None)
    tensors = tf.nest.flatten(struct if struct is not None else getattr(model, "inputs", None))
    if len(leaves) != len(tensors):
        return {}
    rows = dict(_lookups(model))
    return {id(leaf): rows[id(each)] for leaf, each in zip(leaves, tensors, strict=True) if id(each) in rows}


def _lookups(model: Any) -> Iterator[tuple[int, int]]:
    """Yield the id of each tensor that an embedding of a functional `model` takes, with the embedding's rows."""
    import tensorflow as tf

    for layer in getattr(model, "layers", ()):
        if any(kind.__name__ == "Embedding" for kind in type(layer).__mro__):
            for node in layer._inbound_nodes:  # noqa: SLF001  # no public way to a functional model's edges
                for tensor in tf.nest.flatten(node.input_tensors):
                    yield id(tensor), layer.input_dim


def _weights(model: Any) -> list[Any]:
    """Return the weights of `model`, none where there is no model, or one of the old Keras that was not called yet."""
    try:
        return list(getattr(model, "weights", ()))
    except ValueError:
        return []


def _vocabulary(model: Any) -> int:
    """Return how many rows the model's largest table of embeddings has, 2 where it has none that is known.

    A table of positions may have more rows than the vocabulary has pieces, so it counts where there is no other.
    """
    layers = _layers(model)
    tables = [(_name(layer), getattr(layer, name, None)) for layer in layers for name in _TABLE_ROWS]
    tables += [("", getattr(getattr(layer, "config", None), "vocab_size", None)) for layer in layers]
    # A layer that keeps its table in a variable of its own.
    tables += [
        (_name(each), each.shape[0])
        for each in _weights(model)
        if "embed" in _name(each) and len(each.shape) == 2  # noqa: PLR2004
    ]
    known: list[tuple[str, int]] = [(name, rows) for name, rows in tables if isinstance(rows, int)]
    pieces = [rows for name, rows in known if "position" not in name]
    return max([2, *(pieces or [rows for _, rows in known])])


def _positions(model: Any) -> int | None:
    """Return how many positions the smallest of the model's tables of positions has, None where it has none."""
    tables = [
        getattr(layer, name, None)
        for layer in _layers(model)
        if "position" in f"{_name(layer)} {type(layer).__name__}".lower()
        for name in (*_TABLE_ROWS, "sequence_length")
    ]
    return min((rows for rows in tables if isinstance(rows, int) and rows > 0), default=None)


def _layers(model: Any) -> list[Any]:
    return list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else []  # noqa: SLF001  # no public walk


def _name(part: Any) -> str:
    """Return what a layer or a weight is called, with what it is part of once that is known."""
    return str(getattr(part, "path", None) or part.name).lower()
