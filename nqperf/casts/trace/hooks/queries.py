# ruff: noqa: SLF001  # private hooks are what this package is for; it is the only one that touches them
"""What TensorFlow and Keras know of ops, frames and layers, asked through their private doors; nothing is hooked."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any


def autographed(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` converted by autograph, with TensorFlow's map from its generated lines back to the user's."""
    from tensorflow.python.autograph.core.ag_ctx import ControlStatusCtx, Status
    from tensorflow.python.autograph.impl.api import tf_convert

    converted: Callable[..., Any] = tf_convert(call, ControlStatusCtx(status=Status.ENABLED))
    return converted


def autographing() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which the layers of tf_keras have their calls converted by autograph, as predict() has."""
    from tensorflow.python.autograph.core.ag_ctx import ControlStatusCtx, Status

    context: contextlib.AbstractContextManager[Any] = ControlStatusCtx(status=Status.ENABLED)
    return context


def mapped_stack() -> list[tuple[str, int]]:
    """Return this thread's stack, outermost first, as (file, line) with autograph's generated code mapped back."""
    from tensorflow.python.util import tf_stack

    return [(frame.filename, frame.lineno) for frame in tf_stack.extract_stack()]


def skip_shape_inference(model: Any) -> None:
    """Mark layers of `model` without a build of their own as built.

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
    """Return, for each type attribute of the op `op_type`, the names of the input arguments that must share it."""
    groups: dict[str, list[str]] = {}
    for argument in _inputs(op_type):
        if argument.type_attr:
            groups.setdefault(argument.type_attr, []).append(argument.name)
    # Functions of Python that compare the dtypes of their arguments before they come to an op.
    groups.update({"T": ["x", "rate"]} if op_type == "Dropout" else {})
    return {attribute: tuple(names) for attribute, names in groups.items()}


@functools.lru_cache(maxsize=512)
def allowed_types(op_type: str) -> dict[str, frozenset[str]]:
    """Return, for each type attribute of the op `op_type` that takes some types only, the names of these."""
    import tensorflow as tf

    definition = _definition(op_type)
    return {
        attribute.name: frozenset(tf.as_dtype(each).name for each in attribute.allowed_values.list.type)
        for attribute in (definition.attr if definition is not None else ())
        if attribute.type == "type" and attribute.allowed_values.list.type
    }


@functools.lru_cache(maxsize=2048)
def has_kernel(op_type: str, dtypes: tuple[str, ...], device: str) -> bool:
    """Whether `op_type` can run on `device` (CPU or GPU) with inputs of `dtypes`, as far as its float types go.

    An op that the GPU lacks is placed on the CPU. True of ops without kernels of their own, such as function calls.
    """
    import tensorflow as tf
    from tensorflow.python.framework import kernels

    registered = kernels.get_registered_kernels_for_op(op_type).kernel
    arguments = _inputs(op_type)
    if not registered or any(argument.number_attr or argument.type_list_attr for argument in arguments[:-1]):
        return True
    given = {
        argument.type_attr: dtype
        for argument, dtype in zip(arguments, dtypes, strict=False)
        if argument.type_attr and tf.as_dtype(dtype).is_floating
    }
    for kernel in registered:
        limits = {
            each.name: {tf.as_dtype(one).name for one in each.allowed_values.list.type} for each in kernel.constraint
        }
        takes = all(dtype in limits.get(attribute, {dtype}) for attribute, dtype in given.items())
        if takes and kernel.device_type in (device, "CPU", "DEFAULT"):
            return True
    return False


def _definition(op_type: str) -> Any:
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(op_type)


def _inputs(op_type: str) -> tuple[Any, ...]:
    definition = _definition(op_type)
    return tuple(definition.input_arg) if definition is not None else ()
