"""What a file of weights must hold, and the first values of a network that has none."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping

import numpy as np

from nqperf.errors import FormatError
from nqperf.model.config import BertConfig
from nqperf.model.tensors import Shape, Tensor, tensors_of
from nqperf.nq.example import FloatArray

# The truncated normal of BERT's initialisation ends here. Units: standard deviations.
_CUT = 2.0


def expected_shapes(config: BertConfig) -> dict[str, Shape]:
    """Return the shape of every tensor of the network of `config`, in the order of computation."""
    return {tensor.name: tensor.shape for tensor in tensors_of(config)}


def some_of(names: Iterable[str], *, shown: int = 5) -> str:
    """Return the first `shown` of `names`, for a message, and how many there are beside them."""
    listed = list(names)
    more = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {more} more" if more > 0 else "")


def check_shapes(
    found: Mapping[str, Shape], expected: Mapping[str, Shape], *, path: object, next_step: str = ""
) -> None:
    """Raise unless the tensors `found` at `path` are exactly the `expected` ones.

    `next_step` ends the message, unless the weights and the configuration name two sizes of the network: then these
    are told, and that they must be one.

    Raises: FormatError that counts unknown, missing and misshapen tensors, and lists the first of each.
    """
    faults = {
        "unknown": [f"{name} {list(shape)}" for name, shape in found.items() if name not in expected],
        "missing": [f"{name} {list(shape)}" for name, shape in expected.items() if name not in found],
        "misshapen": [
            f"{name} {list(found[name])}, expected {list(shape)}"
            for name, shape in expected.items()
            if name in found and tuple(found[name]) != shape
        ],
    }
    count = sum(map(len, faults.values()))
    if not count:
        return
    apart = _sizes_apart(found, expected)
    shown = 1 if apart else 5  # the cause is told: one example of each kind is enough
    listed = "; ".join(f"{kind}: {some_of(names, shown=shown)}" for kind, names in faults.items() if names)
    step = apart or next_step or "check that the configuration belongs to these weights"
    raise FormatError(f"tensors that do not fit the configuration: {count} ({listed}): {step}", path=path)


# A block's number, and the tables of words and positions, in the names of every family and of TensorFlow's checkpoints.
_BLOCK = re.compile(r"(?:\.(?:layer|h|albert_layer_groups)\.|/(?:layer_|layers/|group_))(\d+)[./]")
_WORDS = re.compile(r"word_embeddings|\bwte\b|embedding_lookup/embeddings")
_POSITIONS = re.compile(r"position_embeddings|\bwpe\b")
_BLOCKS = ("num_hidden_layers", "num_hidden_groups")


def _sizes_apart(found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> str:
    """Return which sizes the configuration names and the weights do not have, and what to do; "" where all are one."""
    ours, theirs = _sizes(expected), _sizes(found)
    apart = [
        f"{field} {number}, and the weights have {theirs[field]}"
        for field, number in ours.items()
        if field in theirs and theirs[field] != number
    ]
    if not apart:
        return ""
    fewer = any(theirs[field] < ours[field] for field in _BLOCKS if field in theirs and field in ours)
    whole = ", or the weights with all of their layers" if fewer else ""
    return (
        f"the configuration says {'; it says '.join(apart)}: put the configuration there that these weights were made "
        f"with{whole}"
    )


def _sizes(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Return a network's sizes by the configuration's fields, as far as `shapes` tell them.

    Layers are no size where some are there in part, or one between others is absent: such weights are not whole.
    """
    blocks: dict[int, int] = {}
    for name in shapes:
        if block := _BLOCK.search(name):
            blocks[int(block[1])] = blocks.get(int(block[1]), 0) + 1
    sizes = {}
    if set(blocks) == set(range(len(blocks))) and len(set(blocks.values())) == 1:
        sizes[_BLOCKS[any("group" in name for name in shapes)]] = len(blocks)
    for name, shape in shapes.items():
        if _WORDS.search(name):
            narrow = any("embedding_hidden_mapping_in" in one for one in shapes)
            sizes |= {"vocab_size": shape[0], "embedding_size" if narrow else "hidden_size": shape[-1]}
        elif _POSITIONS.search(name):
            sizes["max_position_embeddings"] = shape[0]
    return sizes


def check_finite(weights: Mapping[str, FloatArray], *, path: object) -> None:
    """Raise unless every value of the `weights`, which were read from `path`, is a finite number.

    Raises: FormatError that lists the tensors with NaN or infinity in them.
    """
    broken = [name for name, values in weights.items() if not np.isfinite(values).all()]
    if broken:
        raise FormatError(
            f"NaN or infinity in {some_of(broken)}; expected finite numbers: make the file again", path=path
        )


def initial_weights(config: BertConfig, *, seed: int, names: Iterable[str] | None = None) -> dict[str, FloatArray]:
    """Return new values for `names` (all tensors when None) of the network of `config`.

    Weights are drawn from a truncated normal, biases are 0, LayerNorms 1.
    Each tensor has its own stream from `seed` and its name, so its values do not depend on which others are made.
    """
    table = {tensor.name: tensor for tensor in tensors_of(config)}
    return {name: _initial(table[name], config.initializer_range, seed) for name in (table if names is None else names)}


def _initial(tensor: Tensor, deviation: float, seed: int) -> FloatArray:
    if tensor.initial != "normal":
        return np.full(tensor.shape, tensor.initial == "ones", np.float32)
    generator = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
    values: FloatArray = generator.standard_normal(tensor.shape, np.float32)
    while (outside := np.abs(values) > _CUT).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside), np.float32)
    values *= np.float32(deviation)
    return values
