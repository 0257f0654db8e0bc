"""A float32 model and its 16-bit twin with the same weights, layer beside layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.casts import building
from nqperf.casts.targets import Target
from nqperf.casts.telling import tell
from nqperf.casts.trace.stops import said
from nqperf.errors import ConfigError, NqPerfError

# What a model is called with: one dictionary, or a tuple of arguments.
Batch = Mapping[str, Any] | tuple[Any, ...]
_ONLY = "output"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twins:
    """The `reference`, its `twin` of this `precision`, and the pairs of their `layers`, outermost first."""

    reference: Any
    twin: Any
    layers: tuple[tuple[str, Any, Any], ...]
    precision: str

    def run_reference(self, batch: Batch) -> Any:
        """Call the reference on `batch`: in float32 throughout, TF32 forbidden."""
        with _without_tf32(), _told("float32"):
            return _called(self.reference, batch, "float32")

    def run_twin(self, batch: Batch) -> Any:
        """Call the twin on `batch`, with its policy in force for layers that are made in a call."""
        with _told(self.precision):
            return _called(self.twin, batch, self.precision)


def build_twins(target: Target, precision: str, batch: Batch) -> Twins:
    """Build both models of `target`, call each once on `batch`, and give the twin the reference's weights.

    The reference is float32, the twin of this `precision`.

    A builder without a parameter named precision is run under the global policy.
    Raises: ConfigError when the builder cannot build two precisions, a model does not run, or they differ in layers or
    weights.
    """
    require_builder(target)
    reference = _build(target, "float32", batch)
    twin = _build(target, precision, batch)
    if target.weights is not None:
        values = target.weights(reference)
        for variable in reference.variables:
            if _path(variable) in values:
                variable.assign(values[_path(variable)])
    shapes = [[tuple(variable.shape) for variable in model.variables] for model in (reference, twin)]
    if shapes[0] != shapes[1]:
        raise ConfigError(f"the model has other weights in {precision} than in float32: nothing can be compared")
    for source, destination in zip(reference.variables, twin.variables, strict=True):
        destination.assign(source)
    named, others = list(_inner(reference)), list(_inner(twin))
    if [type(layer) for _, layer in named] != [type(layer) for _, layer in others]:
        raise ConfigError(f"the model has other layers in {precision} than in float32: nothing can be compared")
    layers = tuple((name, one, other) for (name, one), (_, other) in zip(named, others, strict=True))
    return Twins(reference=reference, twin=twin, layers=layers, precision=precision)


def require_builder(target: Target) -> None:
    """Refuse a `target` that cannot be built in two precisions.

    Raises: ConfigError for a SavedModel, a model that is there already, and a function over tensors.
    """
    if target.sealed is not None:
        raise ConfigError("a SavedModel is sealed: drift and bisect need a model that can be built in two precisions")
    if building.is_model(target.build):
        raise ConfigError(
            f"{target.name} is built in one precision only: drift and bisect need a function that builds it"
        )
    if not target.builds:
        raise ConfigError(f"{target.name} is a function over tensors: drift and bisect need one that builds a model")


def _build(target: Target, precision: str, batch: Batch) -> Any:
    tell("building", f"the model in {precision}")
    with building.keras_restored(), _told(precision):
        built = building.with_precision(target.build, precision)()
        model, _ = building.model_of(built, target.inputs)
        _called(model, batch, precision)
    return model


@contextlib.contextmanager
def _told(precision: str) -> Iterator[None]:
    """Say of what the user's code raises in the block that the model does not run in this `precision`, in one line.

    Raises: ConfigError.
    """
    try:
        yield
    except NqPerfError:
        raise
    except Exception as error:
        advice = (
            "" if precision == "float32" else ": `nqperf casts audit` lists what stops it, `nqperf casts fix` mends it"
        )
        raise ConfigError(f"the model does not run in {precision}: {said(error)}{advice}") from error


def _called(model: Any, batch: Batch, precision: str) -> Any:
    with building.keras_restored():
        building.set_policy(precision)
        return call(model, batch)


@contextlib.contextmanager
def _without_tf32() -> Iterator[None]:
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def call(model: Any, batch: Batch) -> Any:
    """Call `model` on one `batch`: a dictionary is one argument, a tuple several."""
    return model(*batch) if isinstance(batch, tuple) else model(dict(batch))


def rows_of(batch: Batch) -> int:
    """Return how many rows `batch` has, by its first tensor; 0 where there is none."""
    import tensorflow as tf

    first = next(iter(tf.nest.flatten(batch)), None)
    return int(first.shape[0]) if first is not None and len(first.shape) else 0


def outputs_of(value: Any) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the float outputs in `value` by name (their position where they have none), in float64."""
    import tensorflow as tf

    found = {}
    for path, tensor in _named(value, ""):
        if hasattr(tensor, "dtype") and tf.as_dtype(tensor.dtype).is_floating:
            found[path or _ONLY] = np.asarray(tf.cast(tensor, tf.float64))
    return found


def called(name: str) -> str:
    """Return what the output `name` of `outputs_of` is called in a sentence: a model's only one has no name."""
    return "the output" if name == _ONLY else f"output {name}"


_IDLE = ("InputLayer", "Dropout")


def _inner(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every layer inside `model` that computes something under its path, outermost first and each once."""
    import keras

    seen: set[int] = set()

    def inside(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
        for inner in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001  # no public walk
            # A Sequential keeps its layers, and a functional model over the same ones, which computes nothing itself.
            graph = isinstance(layer, keras.Sequential) and isinstance(inner, keras.Model) and inner not in layer.layers
            if id(inner) in seen or graph or type(inner).__name__ in _IDLE:  # of either Keras
                continue
            seen.add(id(inner))
            name = f"{path}/{inner.name}"
            yield name, inner
            yield from inside(inner, name)

    yield from inside(model, model.name)


def _named(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [found for name, each in value.items() for found in _named(each, f"{path}/{name}" if path else name)]
    if isinstance(value, list | tuple):
        return [found for number, each in enumerate(value) for found in _named(each, f"{path}/{number}".lstrip("/"))]
    return [(path, value)]


def _path(variable: Any) -> str:
    return str(getattr(variable, "path", variable.name))


Observer = Callable[[str, Any, tuple[Any, ...], dict[str, Any], Any], Any]


class Observed:
    """A context in which an observer sees (and may replace) the output of every layer of one side of the twins.

    `layers` are that side's, with their names; `observer` is called with each one's name, the layer, what it is called
    with, and its output, and what it returns other than None stands in the output's place.
    """

    def __init__(self, layers: list[tuple[str, Any]], observer: Observer) -> None:
        self._layers, self._observer = layers, observer

    def __enter__(self) -> None:
        for name, layer in self._layers:
            vars(layer)["call"] = self._watching(name, layer, layer.call)

    def __exit__(self, *raised: object) -> None:
        del raised
        for _, layer in self._layers:
            vars(layer).pop("call", None)

    def _watching(self, name: str, layer: Any, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            output = genuine(*args, **kwargs)
            replaced = self._observer(name, layer, args, kwargs, output)
            return output if replaced is None else replaced

        return call
