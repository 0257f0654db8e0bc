# ruff: noqa: SLF001  # private hooks are what this package is for; it is the only one that touches them
"""Hook on variables: a handle of the right shape and dtype, and no memory, for a trace needs no weights."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from math import prod
from typing import Any

from nqperf.casts.trace.hooks.listener import Guarded
from nqperf.casts.trace.hooks.replacing import replace
from nqperf.errors import FormatError

# Of one value, at most but for float64.
_BYTES = 4


def bound(stack: contextlib.ExitStack, limit: int, path: object) -> None:
    """Let Keras make variables of at most `limit` bytes in all until `stack` closes, for the model file at `path`.

    A configuration of a hundred bytes can name any size, and variables take memory before weights are looked at.

    Raises (when a variable is made): FormatError.
    """
    from keras.src.backend.tensorflow.core import Variable

    taken = 0

    def counted(genuine: Callable[..., Any]) -> Callable[..., Any]:
        def initialize(variable: Any, initializer: Any) -> None:
            nonlocal taken
            taken += prod(variable._shape) * _BYTES
            if taken > limit:
                raise FormatError(
                    f"asks for variables of more than {limit} bytes, and the file has no weights for them: save the "
                    "model again",
                    path=path,
                    field=str(variable.path),
                )
            genuine(variable, initializer)

        return initialize

    replace(stack, Variable, "_initialize_with_initializer", counted)


def install(stack: contextlib.ExitStack, guarded: Guarded) -> None:
    """Give the variables of Keras, and of the Keras of old where it is there, no value until `stack` closes.

    Only those that the thread of `guarded` makes.
    """
    from keras.src.backend.tensorflow.core import Variable
    from tensorflow.python.ops.resource_variable_ops import UninitializedVariable

    def of_keras(genuine: Callable[..., Any]) -> Callable[..., Any]:
        def initialize(variable: Any, initializer: Any) -> None:
            if not guarded.here():
                genuine(variable, initializer)
                return
            handle = _uninitialized(shape=variable._shape, dtype=variable._dtype, trainable=variable.trainable)
            # It becomes a tf.Variable that Keras accepts; anything else would mean that the hook has moved.
            variable._initialize(handle)

        return initialize

    def of_tf_keras(genuine: Callable[..., Any]) -> Callable[..., Any]:
        def make(*arguments: Any, **options: Any) -> Any:
            shape = options.get("shape")
            if not guarded.here() or arguments or shape is None or options.get("layout") is not None:
                return genuine(*arguments, **options)
            kept = {each: options[each] for each in ("trainable", "synchronization", "aggregation") if each in options}
            return _uninitialized(shape=shape, dtype=options.get("dtype"), name=options.get("name"), **kept)

        return make

    def _uninitialized(**options: Any) -> Any:
        import tensorflow as tf

        with tf.init_scope():
            return UninitializedVariable(**options)

    replace(stack, Variable, "_initialize_with_initializer", of_keras)
    if "tf_keras" in sys.modules:
        # Imported by name, the function is looked up where it is defined.
        replace(stack, importlib.import_module("tf_keras.src.engine.base_layer_utils"), "make_variable", of_tf_keras)
