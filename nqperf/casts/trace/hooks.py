# ruff: noqa: SLF001  # private hooks are what this module is for; it is the only one that touches them
"""Every private TensorFlow and Keras hook of the audit: one thread's, and removed whatever happens.

Hooks on TensorFlow 2.20-2.21 and Keras 3.10-3.15: (A) `op_def_library._apply_op_helper`, where graph ops find their
types mixed; (B) `tensor_conversion_registry.convert`, where values become tensors; (C) Keras's `result_type`, where
`keras.ops` promotes without a word; and op callbacks, which see each op. Variables get a handle and no value.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from nqperf.errors import ConfigError, NqPerfError

_one_audit = threading.Lock()


class UnsupportedError(NqPerfError):
    """A private hook that the audit needs is gone in the installed TensorFlow or Keras: no verdict is given."""


class Listener(Protocol):
    """What the audit hears from the hooks, in the thread that installed them."""

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> dict[str, Any] | None:
        """Return the arguments of a graph op repaired so that it can be built, or None when they cannot be."""

    def refused(self, value: Any, dtype: Any) -> Any | None:
        """Return a tensor that could not be converted to `dtype`, cast to it, or None when it is no float."""

    def converted(self, value: Any, tensor: Any) -> None:
        """Note a Python or NumPy value that became a tensor."""

    def promotion(self, dtypes: tuple[Any, ...], result: str) -> None:
        """Note the dtype that Keras computes in for operands of `dtypes`."""

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        """Note an op: `graph` is None for one that was executed eagerly."""


@contextlib.contextmanager
def listening(listener: Listener, *, abstract_variables: bool = False) -> Iterator[None]:
    """Let `listener` hear this thread's ops inside the block; other threads pass straight through.

    Raises: UnsupportedError when a hook is gone, ConfigError when an audit is already running in this process.
    """
    if not _one_audit.acquire(blocking=False):
        raise ConfigError("a cast audit is already running in this process: run one at a time")
    try:
        with contextlib.ExitStack() as stack:
            try:
                _install(stack, listener, abstract_variables=abstract_variables)
            except (ImportError, AttributeError) as error:
                raise UnsupportedError(unsupported(f"a hook is gone: {error}")) from error
            yield
    finally:
        _one_audit.release()


def autographed(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` converted by autograph, with TensorFlow's map from its generated lines back to the user's."""
    from tensorflow.python.autograph.core.ag_ctx import ControlStatusCtx, Status
    from tensorflow.python.autograph.impl.api import tf_convert

    converted: Callable[..., Any] = tf_convert(call, ControlStatusCtx(status=Status.ENABLED))
    return converted


def mapped_stack() -> list[tuple[str, int]]:
    """Return this thread's stack, outermost first, as (file, line) with autograph's generated code mapped back."""
    from tensorflow.python.util import tf_stack

    return [(frame.filename, frame.lineno) for frame in tf_stack.extract_stack()]


def skip_shape_inference(model: Any) -> None:
    """Mark layers without a build of their own as built.

    Keras would run the call of each such layer in a scratch graph, once for every layer around it, to find the shapes
    that its inner layers are built with; these find them in the trace itself.
    """
    for layer in model._flatten_layers():
        if not layer.built and getattr(layer.build, "_is_default", False):
            layer.built = True


def current_graph() -> Any:
    """Return the graph that ops are being added to."""
    from tensorflow.python.framework import ops

    return ops.get_default_graph()


@functools.lru_cache(maxsize=512)
def same_type_arguments(op_type: str) -> dict[str, tuple[str, ...]]:
    """Return, for each type attribute of an op, the names of the input arguments that must share it."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(op_type)
    groups: dict[str, list[str]] = {}
    for argument in definition.input_arg if definition is not None else ():
        if argument.type_attr:
            groups.setdefault(argument.type_attr, []).append(argument.name)
    return {attribute: tuple(names) for attribute, names in groups.items()}


def _install(stack: contextlib.ExitStack, listener: Listener, *, abstract_variables: bool) -> None:
    from keras.src.backend.common import dtypes as keras_dtypes
    from tensorflow.python.framework import op_callbacks, op_def_library, tensor_conversion_registry
    from tensorflow.python.ops import math_ops

    wrapped = _Wrapped(listener)
    _replace(stack, op_def_library, "_apply_op_helper", wrapped.apply_op(op_def_library._apply_op_helper))
    _replace(stack, tensor_conversion_registry, "convert", wrapped.convert(tensor_conversion_registry.convert))
    # Division compares dtypes in Python before it comes to an op.
    _replace(stack, math_ops, "_truediv_python3", wrapped.divide(math_ops._truediv_python3))
    genuine = keras_dtypes.result_type
    promoting = wrapped.result_type(genuine)
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "keras"]:
        if vars(module).get("result_type") is genuine:
            _replace(stack, module, "result_type", promoting)
    if abstract_variables:
        _abstract_variables(stack, wrapped)

    def callback(op_type: str, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None) -> None:
        del attrs, op_name
        listener.operation(op_type, inputs, outputs, graph)

    op_callbacks.add_op_callback(callback)
    stack.callback(op_callbacks.remove_op_callback, callback)


def _abstract_variables(stack: contextlib.ExitStack, wrapped: _Wrapped) -> None:
    """Give Keras variables a handle of the right shape and dtype, and no memory: a trace needs no weights."""
    from keras.src.backend.tensorflow.core import Variable
    from tensorflow.python.framework import ops
    from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

    genuine = Variable._initialize_with_initializer

    def initialize(variable: Any, initializer: Any) -> None:
        if not wrapped.here():
            genuine(variable, initializer)
            return
        with ops.init_scope():
            variable._initialize(
                UninitializedVariable(shape=variable._shape, dtype=variable._dtype, trainable=variable.trainable)
            )

    # The variable becomes a tf.Variable that Keras accepts; anything else would mean that the hook has moved.
    _replace(stack, Variable, "_initialize_with_initializer", initialize)


class _Wrapped:
    """The hooks' replacements, deaf to every thread but the one that made them."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.thread = threading.get_ident()
        self.building = 0  # depth of hook A, in which failing conversions are its own business

    def here(self) -> bool:
        return threading.get_ident() == self.thread

    def apply_op(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def apply_op(op_type: str, name: str | None = None, **arguments: Any) -> Any:
            if not self.here():
                return genuine(op_type, name=name, **arguments)
            try:
                return self._building(genuine, op_type, name, arguments)
            except (TypeError, ValueError) as error:
                repaired = self.listener.mismatch(op_type, arguments, error)
                if repaired is None:
                    raise
            return self._building(genuine, op_type, name, repaired)

        return apply_op

    def _building(self, genuine: Callable[..., Any], op_type: str, name: str | None, arguments: dict[str, Any]) -> Any:
        self.building += 1
        try:
            return genuine(op_type, name=name, **arguments)
        finally:
            self.building -= 1

    def divide(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def divide(x: Any, y: Any, name: str | None = None) -> Any:
            if not self.here():
                return genuine(x, y, name)
            try:
                return genuine(x, y, name)
            except TypeError as error:
                repaired = self.listener.mismatch("RealDiv", {"x": x, "y": y}, error)
                if repaired is None:
                    raise
            return genuine(repaired["x"], repaired["y"], name)

        return divide

    def convert(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def convert(value: Any, dtype: Any = None, *rest: Any, **options: Any) -> Any:
            if not self.here():
                return genuine(value, dtype, *rest, **options)
            try:
                tensor = genuine(value, dtype, *rest, **options)
            except (TypeError, ValueError):
                repaired = None if self.building else self.listener.refused(value, dtype)
                if repaired is None:
                    raise
                return repaired
            if not hasattr(value, "op") and tensor is not value:
                self.listener.converted(value, tensor)
            return tensor

        return convert

    def result_type(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def result_type(*dtypes: Any) -> Any:
            result = genuine(*dtypes)
            if self.here():
                self.listener.promotion(dtypes, result)
            return result

        return result_type


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, replacement: Any) -> None:
    genuine = getattr(owner, name)
    setattr(owner, name, replacement)
    stack.callback(setattr, owner, name, genuine)


def unsupported(reason: str) -> str:
    """Return what to say when the installed versions give no verdict."""
    import keras
    import tensorflow as tf

    return (
        f"UNSUPPORTED: {reason} (TensorFlow {tf.__version__}, Keras {keras.__version__}); "
        "no verdict is given: install a version that nqperf names in its dependencies"
    )
