# ruff: noqa: SLF001  # private hooks are what this package is for; it is the only one that touches them
"""Hooks on ops: (A) built in a graph, (B) a value that becomes a tensor, (C) promotion by Keras, (D) Keras's wiring.

(A) is `op_def_library._apply_op_helper`, with the few functions of TensorFlow that compare dtypes in Python before they
come to an op; (B) `tensor_conversion_registry.convert`; (C) Keras's `result_type`; (D) `symbolic_call`, since a layer
that knows its output's shape makes no op when it is wired. Op callbacks see each op.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

from nqperf.casts.trace.hooks.listener import Guarded, Repair
from nqperf.casts.trace.hooks.replacing import replace, replace_code


def install(stack: contextlib.ExitStack, guarded: Guarded) -> None:
    """Install the hooks on ops, conversions, promotions and op callbacks until `stack` closes.

    `guarded` is told what they hear.
    """
    from keras.src.backend.common import dtypes as keras_dtypes
    from keras.src.layers.layer import Layer
    from keras.src.ops.operation import Operation
    from tensorflow.python.framework import op_callbacks, op_def_library, tensor_conversion_registry
    from tensorflow.python.ops import array_ops, math_ops, nn_ops, tensor_array_ops
    from tensorflow.python.util import tf_decorator

    hooks = Hooks(guarded)
    replace(stack, op_def_library, "_apply_op_helper", hooks.apply_op)
    replace(stack, tensor_conversion_registry, "convert", hooks.convert)
    replace(stack, math_ops, "_truediv_python3", hooks.comparing("RealDiv", ("x", "y")))
    replace(stack, nn_ops, "_dropout", hooks.comparing("Dropout", ("x", "rate")))
    array = tensor_array_ops._GraphTensorArrayV2
    replace(stack, array, "write", hooks.write)
    for function, op_type, names in (
        (math_ops.div_no_nan, "DivNoNan", ("x", "y")),
        (math_ops.multiply_no_nan, "MulNoNan", ("x", "y")),
        (array_ops.one_hot, "OneHot", ("indices", "depth", "on_value", "off_value")),
    ):
        replace_code(stack, tf_decorator.unwrap(function)[1], hooks.comparing(op_type, names))
    genuine = keras_dtypes.result_type
    for module in [module for name, module in sys.modules.items() if name == "keras" or name.startswith("keras.")]:
        if vars(module).get("result_type") is genuine:
            replace(stack, module, "result_type", hooks.result_type)

    for kind in (Layer, Operation):
        replace(stack, kind, "symbolic_call", hooks.symbolic_call)

    # Eager ops that Python's fast path does not know, such as Reshape, come with their name in bytes.
    def callback(
        op_type: str | bytes, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        del attrs, op_name
        name = op_type.decode() if isinstance(op_type, bytes) else op_type
        guarded.tell("operation", name, inputs, outputs, graph)

    op_callbacks.add_op_callback(callback)
    stack.callback(op_callbacks.remove_op_callback, callback)


class Hooks:
    """The replacements: each takes what is `genuine` and returns what stands in its place.

    `guarded` is told what they hear.
    """

    def __init__(self, guarded: Guarded) -> None:
        self.guarded = guarded

    def symbolic_call(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """(D) Return what tells that a Keras operation is called on symbolic tensors, and then calls `genuine`."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.guarded.here():
                self.guarded.tell("wired")
            return genuine(*args, **kwargs)

        return call

    def apply_op(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """Return hook A in place of `genuine`: it tells of an op that TensorFlow refuses, and builds it as repaired."""

        def apply_op(op_type: str, name: str | None = None, **arguments: Any) -> Any:
            if not self.guarded.here():
                return genuine(op_type, name=name, **arguments)
            try:
                with self.guarded.inside_op():
                    return genuine(op_type, name=name, **arguments)
            except (TypeError, ValueError) as error:
                repair: Repair | None = self.guarded.tell("mismatch", op_type, arguments, error)
                if repair is None:
                    raise
            with self.guarded.inside_op():
                built = genuine(op_type, name=name, **repair.arguments)
            return built if repair.narrow is None else self._narrowed(built, repair.narrow)

        return apply_op

    def _narrowed(self, built: Any, dtype: str) -> Any:
        """Return the result of `_apply_op_helper` with its float32 outputs cast to `dtype`."""
        kind, attributes, op, outputs = built
        wide = [getattr(tensor.dtype, "name", "") == "float32" for tensor in outputs]
        fitted = [
            self.guarded.tell("fitted", tensor, dtype) if is_wide else tensor
            for tensor, is_wide in zip(outputs, wide, strict=True)
        ]
        return kind, attributes, op, fitted

    def comparing(self, op_type: str, names: tuple[str, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return hook A for a function that compares the dtypes of its arguments itself.

        `op_type` is what its op is called, `names` are its first arguments.
        """

        def hook(genuine: Callable[..., Any]) -> Callable[..., Any]:
            def compare(*values: Any, **options: Any) -> Any:
                if not self.guarded.here():
                    return genuine(*values, **options)
                try:
                    return genuine(*values, **options)
                except (TypeError, ValueError) as error:
                    compared = {name: options.get(name) for name in names} | dict(zip(names, values, strict=False))
                    repair = self.guarded.tell("mismatch", op_type, compared, error)
                    if repair is None:
                        raise
                rest = {name: value for name, value in options.items() if name not in names}
                return genuine(*(repair.arguments[name] for name in names), *values[len(names) :], **rest)

            return compare

        return hook

    def write(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """Return hook A in place of `genuine` for TensorArrays: building the op goes well, running it does not."""

        def write(array: Any, index: Any, value: Any, name: str | None = None) -> Any:
            dtype, asked = getattr(value, "dtype", None), array._dtype
            if self.guarded.here() and dtype is not None and dtype != asked:
                value = self.guarded.tell("refused", value, asked)
            return genuine(array, index, value, name=name)

        return write

    def convert(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """Return hook B in place of `genuine`: it tells of tensors that cannot be converted outside of an op.

        It tells of values that become tensors, too.
        """

        def convert(value: Any, dtype: Any = None, *rest: Any, **options: Any) -> Any:
            if not self.guarded.here():
                return genuine(value, dtype, *rest, **options)
            try:
                tensor = genuine(value, dtype, *rest, **options)
            except (TypeError, ValueError):
                repaired = None if self.guarded.building else self.guarded.tell("refused", value, dtype)
                if repaired is None:
                    raise
                return repaired
            if tensor is not value:
                self.guarded.tell("converted", value, tensor)
            return tensor

        return convert

    def result_type(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        """Return hook C in place of `genuine`: it tells in which dtype Keras computes."""

        def result_type(*dtypes: Any) -> Any:
            result = genuine(*dtypes)
            if self.guarded.here():
                self.guarded.tell("promotion", dtypes, result)
            return result

        return result_type
