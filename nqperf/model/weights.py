"""What a file of weights must hold, and the first values of a network that has none."""

from __future__ import annotations

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
    """Raise unless the tensors `found` at `path` are exactly the `expected` ones; `next_step` ends the message.

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
    listed = "; ".join(f"{kind}: {some_of(names)}" for kind, names in faults.items() if names)
    step = next_step or "check that the configuration belongs to these weights"
    raise FormatError(f"tensors that do not fit the configuration: {count} ({listed}): {step}", path=path)


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
