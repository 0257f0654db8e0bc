"""A real run of a model in 16 bits beside float32, without the audit: the last word on whether edits work."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
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


def is_large(model: Any) -> bool:
    """Whether `model`, which has been traced (None for a function), has too many weights to be run for real."""
    weights = model.weights if model is not None else ()
    return bool(sum(math.prod(each.shape) for each in weights) > _MOST_WEIGHTS)


class Yardstick:
    """What a model comes to in float32 as it stands, with random weights: made once, before any edit is in force.

    `target` and `inputs` are those of the audit.
    """

    def __init__(self, target: Any, inputs: Any) -> None:
        self._target, self._inputs = target, inputs
        self._function = inputs is not None and not building.is_builder(target) and not building.is_model(target)
        self._expected: list[Any] | None = None
        self._weights: list[Any] = []
        if building.is_model(target):
            return
        with contextlib.suppress(Exception):  # it does not run in float32 either: then there is nothing to compare with
            if self._function:
                self._expected = _floats(self._called(_widened))
            else:
                with building.keras_restored():
                    self._measure_model()

    def error(self, precision: str | None) -> float | None:
        """Return the largest relative L2 error of an output in `precision` against float32.

        Both have the same random weights and inputs. None where nothing can be said: the model is there already,
        draws random numbers, does not run in float32, or has other weights in 16 bits.
        Raises: ConfigError when it does not run.
        """
        if self._expected is None:
            return None
        try:
            if self._function:
                return _error(self._expected, _floats(self._called(None)))
            with building.keras_restored():
                return self._error_of_model(self._expected, precision)
        except Exception as error:
            raise ConfigError(f"it does not run: {type(error).__name__}: {error}") from error

    def _called(self, changed: Callable[[Any], Any] | None) -> Any:
        """Return what the function over tensors returns of sampled values, in the types that `changed` makes."""
        import tensorflow as tf

        arguments = self._inputs if isinstance(self._inputs, tuple) else (self._inputs,)
        values = sample(tf.nest.map_structure(_widened, arguments))
        if changed is None:
            values = tf.nest.map_structure(lambda value, spec: tf.cast(value, spec.dtype), values, arguments)
        return tf.function(self._target)(*values)

    def _measure_model(self) -> None:
        import keras

        keras.utils.set_random_seed(_SEED)
        model, specs = building.model_of(building.with_precision(self._target, "float32")(), self._inputs)
        arguments = _arguments(specs, model)
        expected = _floats(model(*arguments))
        if _error(expected, _floats(model(*arguments))) == 0.0:
            self._weights = [np.asarray(each) for each in model.weights]
            self._expected = expected

    def _error_of_model(self, expected: list[Any], precision: str | None) -> float | None:
        import keras

        keras.utils.set_random_seed(_SEED)  # what is made of weights while building comes to the same, too
        twin, specs = building.model_of(building.with_precision(self._target, precision)(), self._inputs)
        arguments = _arguments(specs, twin)
        twin(*arguments)  # layers are made when they are first called
        if [each.shape for each in self._weights] != [tuple(each.shape) for each in twin.weights]:
            return None
        for variable, value in zip(twin.weights, self._weights, strict=True):
            variable.assign(value)
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

    def is_float(each: Any) -> bool:
        # A branch that is a number of Python's comes back as one where nothing is traced.
        return isinstance(each, float) or getattr(getattr(each, "dtype", None), "name", "") in FLOATS

    kept = [each for each in tf.nest.flatten(outputs) if is_float(each)]
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
