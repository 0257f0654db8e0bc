"""From what a user names to a model under a policy: builders, models that are there, functions over tensors."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from nqperf.casts.trace import tracing
from nqperf.casts.trace.records import FLOATS, HALVES
from nqperf.casts.trace.stops import said
from nqperf.errors import ConfigError


def compute_dtype(precision: str | None) -> str | None:
    """Return the dtype that a policy of this `precision` computes in: float16 of mixed_float16; None of None."""
    return precision.removeprefix("mixed_") if precision is not None else None


def built(target: Any, inputs: Any, precision: str | None) -> tuple[tracing.Built, Any]:
    """Return what to trace, and the Keras model behind it (None for a function over tensors).

    `inputs` are tf.TensorSpecs, None where the model knows its own; `precision` is what the policy should be, None for
    the model's own.

    Raises: ConfigError when `target` is neither a model nor a function that builds one, or it cannot be built.
    """
    if is_model(target):
        return _of_model(target, inputs, None, precision), target
    if not callable(target):
        raise ConfigError(f"{target!r} is neither a Keras model nor a function")
    if not is_builder(target):
        if inputs is None:
            raise ConfigError(needs_arguments(target))
        return _of_function(target, inputs, precision), None
    model, recorder = tracing.run_builder(
        with_precision(target, precision), default_dtype=compute_dtype(precision) or "float32"
    )
    model, inputs = model_of(model, inputs)
    found = _of_model(model, inputs, recorder, precision)
    found.by_name = precision in _global_policies() and not _takes_precision(target)
    return found, model


def model_of(value: Any, inputs: Any = None) -> tuple[Any, Any]:
    """Return the model and its input specs from `value`, what a builder has returned.

    `inputs` are specs that go before those that the builder returned.

    Raises: ConfigError when that is no model.
    """
    if isinstance(value, tuple) and len(value) == 2:  # noqa: PLR2004  # (model, inputs)
        value, inputs = value[0], inputs if inputs is not None else value[1]
    if not is_model(value):
        raise ConfigError(f"the builder returned {type(value).__name__}, expected a Keras model or (model, inputs)")
    return value, _by_parameters(value, inputs)


def _by_parameters(model: Any, inputs: Any) -> Any:
    """Return `inputs`, specs of a `model`; what is named as the parameters of its call is given to them by place.

    A subclassed model says `call(self, images)` and takes no dictionary; one that knows its inputs is left alone.
    """
    named = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else None
    if not isinstance(named, dict) or tracing.known_inputs(model) is not None:
        return inputs
    first = [name for name in inspect.signature(model.call).parameters if name != "training"][: len(named)]
    return tuple(named[name] for name in first) if set(first) == set(named) else inputs


def _of_other_names(model: Any, inputs: Any) -> str:
    """Return what to say of named `inputs` that stayed one dictionary, for the call of `model` has no such names."""
    named = inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else None
    if not isinstance(named, dict) or tracing.known_inputs(model) is not None:
        return ""
    return (
        f"; it was called with one dictionary of {', '.join(named)}, for its call takes "
        f"{', '.join(name for name in inspect.signature(model.call).parameters if name != 'training')}"
    )


def with_precision(builder: Callable[..., Any], precision: str | None) -> Callable[[], Any]:
    """Return `builder` as a function of nothing that builds in `precision`, None for as it likes.

    A builder without a precision parameter gets the global policy. The policy stays in force after the builder has
    returned: layers may be made when the model is first called. A builder that ends the program raises ConfigError.
    """

    def audited() -> Any:
        try:
            return _built_in(builder, precision)
        except SystemExit as left:
            raise ConfigError(f"the builder ends the program: {said(left)}; expected a Keras model") from left

    return audited


def _built_in(builder: Callable[..., Any], precision: str | None) -> Any:
    if precision is None:
        return builder()
    if _takes_precision(builder):
        return builder(precision=precision)
    known, counts = _kerases(), _all_counts()
    set_policy(precision)
    model = builder()
    if len(_kerases()) > len(known):  # the builder has just brought the Keras of old
        set_policy(precision)
        _count_on_from(counts)
        model = builder()
    return model


def _global_policies() -> set[str]:
    """Return the names of the policies in force: a builder may have set another one than it was to have."""
    return {str(keras.mixed_precision.global_policy().name) for keras in _kerases()}


def _takes_precision(builder: Callable[..., Any]) -> bool:
    try:
        return "precision" in inspect.signature(builder).parameters
    except (TypeError, ValueError):
        return False


@contextlib.contextmanager
def keras_restored() -> Iterator[None]:
    """Put the global policies and the counts of names back after the block, in which a user's model is built and run.

    So the model has the same names whenever it is built: Keras numbers them a process. NumPy warns of no number there
    that a half type does not hold: that is a finding, told with its line.
    """
    policies = {keras.__name__: keras.mixed_precision.global_policy() for keras in _kerases()}
    counts = _all_counts()
    try:
        with np.errstate(over="ignore"):
            yield
    finally:
        for keras in _kerases():
            keras.mixed_precision.set_global_policy(policies.get(keras.__name__, "float32"))
        _count_on_from(counts)


def _all_counts() -> dict[str, dict[str, int]]:
    """Return a copy of the counts of names of each Keras, by its own name."""
    return {keras.__name__: dict(_name_counts(keras)) for keras in _kerases()}


def _count_on_from(counts: dict[str, dict[str, int]]) -> None:
    """Put `counts`, of `_all_counts`, back; a Keras that was not there then begins anew."""
    for keras in _kerases():
        _name_counts(keras).clear()
        _name_counts(keras).update(counts.get(keras.__name__, {}))


def _name_counts(keras: Any) -> dict[str, int]:
    """Return how many layers and models of each kind `keras` has named: the next one gets that number.

    Keras says it in no public place. One that keeps it elsewhere numbers on, and nothing else is lost.
    """
    try:
        if keras.__name__ == "tf_keras":
            return cast("dict[str, int]", importlib.import_module("tf_keras.src.backend").get_default_graph_uid_map())
        state = importlib.import_module("keras.src.backend.common.global_state")
        counts = state.get_global_attribute("object_name_uids", default=defaultdict(int), set_to_default=True)
    except (ImportError, AttributeError, TypeError):
        return {}
    return cast("dict[str, int]", counts)


def set_policy(precision: str) -> None:
    """Make `precision` the global policy of Keras, and of the Keras of old where it is there."""
    for keras in _kerases():
        keras.mixed_precision.set_global_policy(precision)


def is_builder(function: Callable[..., Any]) -> bool:
    """Whether `function` can be called with nothing, or with a precision alone."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [each for each in parameters if each.default is each.empty and each.kind in (0, 1, 3)]
    return (all(each.name == "precision" for each in needed) and (bool(needed) or not list(parameters))) or not needed


def needs_arguments(function: Callable[..., Any]) -> str:
    """Return what to say of a `function` that was named as a builder and cannot be called with nothing."""
    name = getattr(function, "__name__", repr(function))
    try:
        wanted = str(inspect.signature(function))
    except (TypeError, ValueError):
        wanted = "(...)"
    return (
        f"{name}{wanted} needs arguments; expected a function of none, or of precision alone: "
        f"write one that calls it, such as def build(): return {name}(...)"
    )


def is_model(value: Any) -> bool:
    """Whether `value` is a layer or model of Keras, or of the Keras of old."""
    return any(isinstance(value, keras.layers.Layer) for keras in _kerases())


def flat(structure: Any) -> list[Any]:
    """Return the leaves of `structure`, nested specs or tensors."""
    import tensorflow as tf

    return list(tf.nest.flatten(structure))


def _of_function(target: Any, inputs: Any, precision: str | None) -> tracing.Built:
    found = tracing.Built(target, (inputs if isinstance(inputs, tuple) else (inputs,), {}))
    floats = [dtype for spec in flat(found.arguments) if (dtype := spec.dtype.name) in FLOATS]
    found.model_dtype = compute_dtype(precision) or next((each for each in floats if each in HALVES), "float32")
    return found


def _of_model(model: Any, inputs: Any, recorder: Any, precision: str | None) -> tracing.Built:
    specs: Any = ((inputs if isinstance(inputs, tuple) else (inputs,)), {}) if inputs is not None else None
    found = tracing.Built(model, specs or tracing.specs_of(model, recorder))
    found.note = _of_other_names(model, inputs)
    if recorder is not None:
        found.births, found.alive = recorder.where.births, recorder
    held = {layer.compute_dtype for layer in model._flatten_layers()} & set(HALVES)  # noqa: SLF001  # no public walk
    own = str(model.compute_dtype)
    found.model_dtype = compute_dtype(precision) or (own if own in HALVES else next(iter(sorted(held)), own))
    return found


def _kerases() -> list[Any]:
    """Return Keras, and the Keras of old where the user's model has brought it."""
    import keras

    return [keras, *([sys.modules["tf_keras"]] if "tf_keras" in sys.modules else [])]
