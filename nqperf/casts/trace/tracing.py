"""One trace of a model under the hooks: build it, call it once on symbolic inputs, and keep what was heard."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nqperf.casts.trace import hooks
from nqperf.casts.trace.frames import audited
from nqperf.casts.trace.recorder import Recorder
from nqperf.casts.trace.records import OpRecord, SourceLocation, Trace
from nqperf.casts.trace.stops import said
from nqperf.errors import ConfigError, NqPerfError

_OPEN = 8  # the size that a dimension without one gets where a model cannot be traced without
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class Built:
    """A model ready to be traced: what to `call`, on which `specs`, and what its building already told.

    `by_name` says that it was built under the global policy: layers of float32 were asked for by name. `note` is what
    to say beside whatever stops its trace.
    """

    def __init__(self, call: Callable[..., Any], specs: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        self.call = call
        self.arguments, self.keywords = specs
        self.births: dict[int, SourceLocation] = {}
        self.alive: Any = None
        self.model_dtype = "float32"
        self.by_name = False
        self.note = ""


def run_builder(builder: Callable[[], Any], *, default_dtype: str = "float32") -> tuple[Any, Recorder]:
    """Run `builder`, which builds a model, with variables that have no values wherever that works.

    `default_dtype` is the compute dtype where no layer says one. A builder may need values (it runs the model eagerly,
    or adapts a layer to data), and one that runs into a mismatch eagerly needs a graph, in which mismatches are
    repaired.
    Raises: ConfigError when the builder raises in every way.
    """
    failed: Exception | None = None
    for abstract, context in ((True, contextlib.nullcontext), (False, contextlib.nullcontext), (True, _graph)):
        recorder = Recorder(default_dtype=default_dtype, building=True)
        try:
            with hooks.listening(recorder, abstract_variables=abstract) as failures, context():
                built = audited(builder)
        except NqPerfError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the user's code raises
            if failed is None or not abstract:
                failed = error  # with values it is the user's own; without, it may be for the want of them
            continue
        recorder.failures += failures
        return built, recorder
    assert failed is not None  # noqa: S101  # the loop has returned otherwise; this tells the type checker
    raise ConfigError(f"the builder raised {said(failed)}; expected a Keras model") from failed


def _graph() -> contextlib.AbstractContextManager[Any]:
    import tensorflow as tf

    context: contextlib.AbstractContextManager[Any] = tf.Graph().as_default()
    return context


def trace(built: Built, *, device: str | None = None) -> tuple[Trace, Any]:
    """Trace `built` once and return the trace with its concrete function (None when the trace stopped early).

    `device` is where the model is to run (cpu or gpu), by default what is here.
    """
    import tensorflow as tf

    here = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"

    if hasattr(built.call, "_flatten_layers"):
        hooks.skip_shape_inference(built.call)
    for call, arguments, keywords in _ways_to_call(built):
        recorder = Recorder(default_dtype=built.model_dtype, births=dict(built.births))
        concrete, stopped = None, None
        function = tf.function(_audited_call(call, recorder), autograph=False)
        with hooks.listening(recorder, abstract_variables=True) as failures, np.errstate(all="ignore"):
            try:
                concrete = function.get_concrete_function(*arguments, **keywords)
            except NqPerfError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever the user's model raises ends the trace
                stopped = said(error) + built.note
        recorder.failures += failures
        if concrete is not None:
            break
    finished = _finished(recorder, concrete, stopped, built)
    return dataclasses.replace(finished, device=(device or here).upper()), concrete


def specs_of(model: Any, recorder: Recorder | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments, as tf.TensorSpec, that `model` is called with: its inputs, or those of its first call.

    The first call is what `recorder` has seen of it, None where nothing was heard.

    Raises: ConfigError when neither is known.
    """
    import tensorflow as tf

    inputs = known_inputs(model)
    if inputs is not None:
        return (tf.nest.map_structure(_spec, inputs),), {}
    seen = recorder.where.model_arguments.get(id(model)) if recorder is not None else None
    if seen is not None:
        arguments, keywords = seen
        kept = {name: value for name, value in keywords.items() if value is not None and name != "training"}
        return tuple(tf.nest.map_structure(_spec, each) for each in arguments), {
            name: tf.nest.map_structure(_spec, value) for name, value in kept.items()
        }
    raise ConfigError(
        f"the model {getattr(model, 'name', model)!r} has no known inputs: build it by calling it once on keras.Input "
        "tensors, return (model, inputs) from the builder, or name them as its call does: --input 'ids=int32[?,128]' "
        "or --input 'images=float32[?,96,96,3]'"
    )


def known_inputs(model: Any) -> Any:
    """Return the structure of symbolic inputs that `model` was made of, None where it was made otherwise."""
    inputs = getattr(model, "_inputs_struct", None)
    if inputs is None and getattr(model, "inputs", None):
        return model.inputs if len(model.inputs) > 1 else model.inputs[0]
    return inputs


def _spec(value: Any) -> Any:
    import tensorflow as tf

    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return value
    dtype = getattr(value.dtype, "name", value.dtype)
    name = getattr(value, "name", None)
    return tf.TensorSpec(tuple(value.shape), dtype, name if str(name).isidentifier() and name is not None else None)


def _ways_to_call(built: Built) -> Iterator[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Yield the call as it is; with its open dimensions given sizes; and as autograph rewrites it.

    A function may branch on a tensor, and a layer on a dimension that only a call knows: each way is tried where the
    one before could not be traced to its end.
    """
    import tensorflow as tf

    yield built.call, built.arguments, built.keywords
    yield _autographed(built.call), built.arguments, built.keywords
    sized = tf.nest.map_structure(_sized, (built.arguments, built.keywords))
    if sized != (built.arguments, built.keywords):
        yield built.call, *sized


def _autographed(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` as autograph rewrites it: a function itself; of a model its layers, as tf_keras's predict does."""
    if not hasattr(call, "compute_dtype"):
        return hooks.autographed(call)

    def autographing(*args: Any, **kwargs: Any) -> Any:
        with hooks.autographing():
            return call(*args, **kwargs)

    return autographing


def _sized(spec: Any) -> Any:
    """Return the specification with a batch of two, and eight where another dimension is open."""
    import tensorflow as tf

    if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None or spec.shape.is_fully_defined():
        return spec
    sizes = [size or (_OPEN if axis else 2) for axis, size in enumerate(spec.shape)]
    return tf.TensorSpec(sizes, spec.dtype, spec.name)


def _audited_call(call: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    def audited_call(*args: Any, **kwargs: Any) -> Any:
        recorder.restart()  # TensorFlow traces again what has made variables
        return audited(call, *args, **kwargs)

    return audited_call


def _finished(recorder: Recorder, concrete: Any, stopped: str | None, built: Built) -> Trace:
    ops = recorder.log.finished()
    return Trace(
        ops=tuple(ops),
        events=tuple(dict.fromkeys(recorder.events)),
        model_dtype=built.model_dtype,
        by_name=built.by_name,
        layers=tuple(recorder.where.layers),
        stopped=stopped,
        unused=_unused(ops, recorder, concrete),
        functions=_sealed(recorder, concrete),
        failures=tuple(f"{type(error).__name__}: {error}" for error in recorder.failures),
    )


def _unused(ops: list[OpRecord], recorder: Recorder, concrete: Any) -> frozenset[int]:
    """Return the ops of the outermost graph that nobody reads and that are no result; none where it stopped early."""
    if concrete is None:
        return frozenset()
    read = {index for op in ops for index in op.producers}
    results = {recorder.log.producer(tensor) for tensor in concrete.graph.outputs}
    graph = f"{id(concrete.graph)}"
    return frozenset(op.index for op in ops if op.graph == graph and op.index not in read | results)


def _sealed(recorder: Recorder, concrete: Any) -> dict[str, tuple[str, ...]]:
    """Return the functions that are called in the trace and were not traced in it."""
    called = {op.function for op in recorder.log.ops if op.op_type in _CALLS}
    if not called or concrete is None:
        return {}
    names: dict[str, set[str]] = {}
    for op in recorder.log.ops:
        names.setdefault(op.graph, set()).add(op.name)
    sealed = {}
    for function in concrete.graph.as_graph_def().library.function:
        inside = {node.name for node in function.node_def if node.op != "Placeholder"}
        if function.signature.name in called and not any(inside <= seen for seen in names.values()):
            sealed[function.signature.name] = tuple(_typed(node) for node in function.node_def)
    return sealed


def _typed(node: Any) -> str:
    import tensorflow as tf

    kind = next((node.attr[name].type for name in ("DstT", "T", "dtype") if name in node.attr), 0)
    return f"{node.op} {tf.as_dtype(kind).name}" if kind else node.op
