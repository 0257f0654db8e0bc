"""A real run of a model in 16 bits beside float32, without the audit: the last word on whether edits work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nqperf.casts.statistics import DriftStatistics

# Relative L2 error of any output that a sound model of random weights stays below.
TOLERANCE = {"float16": 0.05, "bfloat16": 0.25}

_MOST_WEIGHTS = 30_000_000  # larger models are traced and not run


def error_in_half(build: Callable[[str], Any], precision: str, run: Callable[[Any], Any]) -> float | None:
    """Return the largest relative L2 error of the model in `precision` against itself in float32.

    `build` makes the model in a precision, `run` calls it and returns its float outputs by name. None where nothing can
    be said: the model is large, draws random numbers, or has other weights in 16 bits. Raises what the model raises.
    """
    import keras

    keras.utils.set_random_seed(0)
    reference = build("float32")
    expected, again = run(reference), run(reference)
    if _error(expected, again) > 0.0:
        return None  # it draws random numbers
    weights = getattr(reference, "weights", [])
    if sum(int(np.prod(each.shape)) for each in weights) > _MOST_WEIGHTS:
        return None
    twin = build(precision)
    run(twin)  # layers that are made when they are first called
    others = getattr(twin, "weights", [])
    if [tuple(each.shape) for each in weights] != [tuple(each.shape) for each in others]:
        return None
    for variable, value in zip(others, weights, strict=True):
        variable.assign(value.numpy() if hasattr(value, "numpy") else value)
    return _error(expected, run(twin))


def _error(expected: dict[str, Any], value: dict[str, Any]) -> float:
    worst = 0.0
    for name, reference in expected.items():
        statistics = DriftStatistics()
        statistics.add(reference, value[name])
        worst = max(worst, statistics.relative_l2)
    return worst
