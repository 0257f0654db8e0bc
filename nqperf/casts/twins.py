"""A float32 model and its 16-bit twin with the same weights, layer beside layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.casts.targets import Target
from nqperf.errors import ConfigError

_SEED = 20_260_601


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twins:
    """The `reference`, its `twin`, and the pairs of their `layers` (without the models themselves), outermost first."""

    reference: Any
    twin: Any
    layers: tuple[tuple[str, Any, Any], ...]


def build_twins(target: Target, precision: str, batch: Mapping[str, Any] | tuple[Any, ...]) -> Twins:
    """Build both models of `target`, call each once on `batch`, and give the twin the reference's weights.

    The reference is float32, the twin of this `precision`.

    Raises: ConfigError when the builder cannot build two precisions, or they differ in layers or weights.
    """
    if target.sealed is not None:
        raise ConfigError("a SavedModel is sealed: drift and bisect need a model that can be built in two precisions")
    reference, twin = _build(target, "float32"), _build(target, precision)
    call(reference, batch)
    call(twin, batch)
    if target.weights is not None:
        values = target.weights(reference)
        for variable in reference.variables:
            if variable.path in values:
                variable.assign(values[variable.path])
    shapes = [[tuple(variable.shape) for variable in model.variables] for model in (reference, twin)]
    if shapes[0] != shapes[1]:
        raise ConfigError(f"the model has other weights in {precision} than in float32: nothing can be compared")
    for source, destination in zip(reference.variables, twin.variables, strict=True):
        destination.assign(source)
    named, others = list(_inner(reference)), list(_inner(twin))
    if [type(layer) for _, layer in named] != [type(layer) for _, layer in others]:
        raise ConfigError(f"the model has other layers in {precision} than in float32: nothing can be compared")
    layers = tuple((name, one, other) for (name, one), (_, other) in zip(named, others, strict=True))
    return Twins(reference=reference, twin=twin, layers=layers)


def call(model: Any, batch: Mapping[str, Any] | tuple[Any, ...]) -> Any:
    """Call `model` on one `batch`: a dictionary is one argument, a tuple several."""
    return model(*batch) if isinstance(batch, tuple) else model(dict(batch))


def outputs_of(value: Any) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the float outputs in `value` by name (their position where they have none), in float64."""
    import tensorflow as tf

    found = {}
    for path, tensor in _named(value, ""):
        if hasattr(tensor, "dtype") and tf.as_dtype(tensor.dtype).is_floating:
            found[path or "output"] = np.asarray(tf.cast(tensor, tf.float64))
    return found


def random_batch(target: Target, model_arguments: Any, rows: int = 2) -> Mapping[str, Any] | tuple[Any, ...]:
    """Return a seeded batch for a model whose data nobody named: small integers, normal floats.

    `target` is the model's, named in messages; `model_arguments` are its tf.TensorSpecs, of which an open dimension
    gets the size `rows`.

    Raises: ConfigError when the inputs are not known.
    """
    import tensorflow as tf

    generator = np.random.default_rng(_SEED)
    if model_arguments is None:
        raise ConfigError(f"{target.name} has no known inputs: name them with --input")

    def fill(spec: Any) -> Any:
        shape = [rows if size is None else size for size in spec.shape]
        if spec.dtype.is_integer or spec.dtype.is_bool:
            return tf.constant(generator.integers(0, 2, shape), spec.dtype)
        return tf.cast(generator.standard_normal(shape), spec.dtype)

    filled = tf.nest.map_structure(fill, model_arguments)
    return filled if isinstance(filled, tuple | dict) else (filled,)


def _build(target: Target, precision: str) -> Any:
    import inspect

    import keras

    if isinstance(target.build, keras.layers.Layer) or "precision" not in inspect.signature(target.build).parameters:
        raise ConfigError(
            f"{target.name} is built in one precision only: drift and bisect need a builder with a parameter named "
            "precision"
        )
    built = target.build(precision=precision)
    model = built[0] if isinstance(built, tuple) else built
    if not isinstance(model, keras.layers.Layer):
        raise ConfigError(f"the builder of {target.name} returned {type(model).__name__}, expected a Keras model")
    return model


def _inner(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield every layer inside `model` that computes something under its path, outermost first and each once."""
    import keras

    seen: set[int] = set()

    def inside(layer: Any, path: str) -> Iterator[tuple[str, Any]]:
        for inner in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001  # no public walk
            # A Sequential keeps its layers, and a functional model over the same ones, which computes nothing itself.
            graph = isinstance(layer, keras.Sequential) and isinstance(inner, keras.Model) and inner not in layer.layers
            if id(inner) in seen or graph or isinstance(inner, keras.layers.InputLayer | keras.layers.Dropout):
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
