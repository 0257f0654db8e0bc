"""A real run of a model in 16 bits beside float32, without the audit: the last word on whether edits work."""

from __future__ import annotations

from typing import Any

import numpy as np

from nqperf.casts import building
from nqperf.casts.samples import sample
from nqperf.casts.statistics import DriftStatistics
from nqperf.casts.trace.records import FLOATS, HALVES
from nqperf.casts.trace.tracing import specs_of
from nqperf.errors import ConfigError

# Relative L2 error of any output that a sound model of random weights stays below.
TOLERANCE = {"float16": 0.05, "bfloat16": 0.25}

_MASK = 1e4 * (1 - 2.0**-8)  # numbers from here on are masks; bfloat16 rounds to this share
_SEED = 0
_MOST_WEIGHTS = 30_000_000  # larger models are traced and not run


def error_in_half(target: Any, inputs: Any, precision: str | None) -> float | None:
    """Return the largest relative L2 error of an output of `target` in `precision` against itself in float32.

    Both have the same random weights and inputs; `inputs` are tf.TensorSpecs, None where the model knows its own. It
    returns None where nothing can be said: the model is there already, is large, draws random numbers, is not finite in
    float32, or has other weights in 16 bits.
    Raises: ConfigError when it does not run.
    """
    try:
        if building.is_model(target):
            return None
        if inputs is not None and not building.is_builder(target):
            return _error_of_function(target, inputs)
        return _error_of_model(target, inputs, precision)
    except Exception as error:
        raise ConfigError(f"it does not run: {type(error).__name__}: {error}") from error


def _error_of_function(function: Any, specs: Any) -> float | None:
    import tensorflow as tf

    arguments = specs if isinstance(specs, tuple) else (specs,)
    wide = tf.nest.map_structure(_widened, arguments)
    values = sample(wide)
    narrow = tf.nest.map_structure(lambda value, spec: tf.cast(value, spec.dtype), values, arguments)
    call = tf.function(function)
    expected = call(*values)
    return _error(_floats(expected), _floats(call(*narrow)))


def _error_of_model(builder: Any, inputs: Any, precision: str | None) -> float | None:
    import keras

    keras.utils.set_random_seed(_SEED)
    reference, specs = building.model_of(building.with_precision(builder, "float32")(), inputs)
    arguments = _arguments(specs, reference)
    expected = _floats(reference(*arguments))
    weights = list(reference.weights)
    if sum(int(np.prod(each.shape)) for each in weights) > _MOST_WEIGHTS:
        return None
    if _error(expected, _floats(reference(*arguments))) != 0.0:
        return None
    keras.utils.set_random_seed(_SEED)  # what is made of weights while building comes to the same, too
    twin, _ = building.model_of(building.with_precision(builder, precision)(), inputs)
    twin(*arguments)  # layers are made when they are first called
    if [tuple(each.shape) for each in weights] != [tuple(each.shape) for each in twin.weights]:
        return None
    for variable, value in zip(twin.weights, weights, strict=True):
        variable.assign(np.asarray(value))
    return _error(expected, _floats(twin(*arguments)))


def _arguments(specs: Any, model: Any) -> tuple[Any, ...]:
    given = specs if specs is not None else specs_of(model, None)[0]
    values = sample(given, model)
    return values if isinstance(values, tuple) else (values,)


def _widened(spec: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(spec.shape, tf.float32, spec.name) if spec.dtype.name in HALVES else spec


def _floats(outputs: Any) -> list[Any]:
    import tensorflow as tf

    kept = [each for each in tf.nest.flatten(outputs) if getattr(getattr(each, "dtype", None), "name", "") in FLOATS]
    return [np.asarray(tf.cast(each, tf.float64)) for each in kept]


def _error(expected: list[Any], values: list[Any]) -> float:
    worst = 0.0
    for reference, value in zip(expected, values, strict=True):
        statistics = DriftStatistics()
        # A mask's number stands for "none of this": that it is large and of its sign is all it says.
        masked = (np.abs(reference) >= _MASK) & np.isfinite(value) & (value * np.sign(reference) >= _MASK)
        statistics.add(reference[~masked], value[~masked])
        worst = max(worst, statistics.relative_l2)
    return worst
