"""The tensors of one network: their names, shapes and first values.

A dense weight is [out, in], as Hugging Face stores it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import numpy as np

from nqperf.errors import FormatError
from nqperf.model.config import BertConfig
from nqperf.nq.answers import ANSWER_TYPES
from nqperf.nq.example import FloatArray

Shape = tuple[int, ...]

# The truncated normal of BERT's initialisation ends here. Units: standard deviations.
_CUT = 2.0


def expected_shapes(config: BertConfig) -> dict[str, Shape]:
    """Return the shape of every tensor of the network, in the order of computation."""
    hidden, inner = config.hidden_size, config.intermediate_size
    shapes: dict[str, Shape] = {
        "bert.embeddings.word_embeddings.weight": (config.vocab_size, hidden),
        "bert.embeddings.position_embeddings.weight": (config.max_position_embeddings, hidden),
        "bert.embeddings.token_type_embeddings.weight": (config.type_vocab_size, hidden),
        **_layer_norm("bert.embeddings.LayerNorm", hidden),
    }
    for index in range(config.num_hidden_layers):
        layer = f"bert.encoder.layer.{index}"
        for role in ("query", "key", "value"):
            shapes |= _dense(f"{layer}.attention.self.{role}", hidden, hidden)
        shapes |= _dense(f"{layer}.attention.output.dense", hidden, hidden)
        shapes |= _layer_norm(f"{layer}.attention.output.LayerNorm", hidden)
        shapes |= _dense(f"{layer}.intermediate.dense", inner, hidden)
        shapes |= _dense(f"{layer}.output.dense", hidden, inner)
        shapes |= _layer_norm(f"{layer}.output.LayerNorm", hidden)
    shapes |= _dense("bert.pooler.dense", hidden, hidden)
    return shapes | _dense("span", 2, hidden) | _dense("answer_type", len(ANSWER_TYPES), hidden)


def _dense(name: str, out: int, into: int) -> dict[str, Shape]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _layer_norm(name: str, size: int) -> dict[str, Shape]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def check_shapes(
    found: Mapping[str, Shape], expected: Mapping[str, Shape], *, path: object, next_step: str = ""
) -> None:
    """Do nothing when the tensors `found` at `path` are exactly the `expected` ones.

    Raises: FormatError that lists every unknown, missing and misshapen tensor.
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
    listed = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names)
    step = next_step or "check that the configuration belongs to these weights"
    raise FormatError(f"tensors that do not fit the configuration: {count} ({listed}): {step}", path=path)


def check_finite(weights: Mapping[str, FloatArray], *, path: object) -> None:
    """Do nothing when every value is a finite number.

    Raises: FormatError that lists every tensor with NaN or infinity in it.
    """
    broken = [name for name, values in weights.items() if not np.isfinite(values).all()]
    if broken:
        raise FormatError(
            f"NaN or infinity in {', '.join(broken)}; expected finite numbers: make the file again", path=path
        )


def initial_weights(config: BertConfig, *, seed: int, names: Iterable[str] | None = None) -> dict[str, FloatArray]:
    """Return new values for `names` (all tensors when None): weights from a truncated normal, biases 0, LayerNorms 1.

    Each tensor has its own stream from `seed` and its name, so its values do not depend on which others are made.
    """
    shapes = expected_shapes(config)
    return {
        name: _initial(name, shapes[name], config.initializer_range, seed)
        for name in (shapes if names is None else names)
    }


def _initial(name: str, shape: Shape, deviation: float, seed: int) -> FloatArray:
    if name.endswith("LayerNorm.weight"):
        return np.ones(shape, np.float32)
    if name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    values: FloatArray = generator.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > _CUT).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside), np.float32)
    values *= np.float32(deviation)
    return values
