"""Whether every hook still hears: tiny conflicts planted for each, so that a dead one is no clean audit."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from nqperf.casts.trace.hooks import Listener, UnsupportedError, listening, unsupported


@functools.lru_cache(maxsize=1)
def self_test() -> None:
    """Plant one tiny conflict for every hook and hear each of them.

    Raises: UnsupportedError that names the silent hooks and the versions.
    """
    import keras
    import tensorflow as tf

    heard = _Hearing()
    half, single = tf.TensorSpec((2,), tf.float16), tf.TensorSpec((2,), tf.float32)

    def planted(narrow: Any, wide: Any) -> None:
        variable = keras.Variable("zeros", shape=(2,), dtype="float32")
        with contextlib.suppress(TypeError, ValueError):
            _ = narrow + wide
        with contextlib.suppress(TypeError, ValueError):
            tf.nn.bias_add(tf.reshape(narrow, (1, 2)), variable.value)
        with contextlib.suppress(TypeError, ValueError):
            _ = narrow / wide
        _ = narrow * 2.0
        keras.ops.add(narrow, wide)

    with listening(heard, abstract_variables=True):
        tf.function(planted, autograph=False).get_concrete_function(half, single)
    silent = [hook for hook in _Hearing.HOOKS if hook not in heard.hooks]
    if silent:
        raise UnsupportedError(unsupported(f"these hooks heard nothing of a planted conflict: {', '.join(silent)}"))


class _Hearing(Listener):
    """A listener that repairs nothing and remembers which hooks spoke."""

    HOOKS = (
        "graph op (A)",
        "conversion (B)",
        "value conversion (B)",
        "keras promotion (C)",
        "op callback",
        "division (A)",
    )

    def __init__(self) -> None:
        self.hooks: set[str] = set()

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> None:
        del arguments, error
        self.hooks.add(self.HOOKS[5 if op_type == "RealDiv" else 0])

    def refused(self, value: Any, dtype: Any) -> None:
        del value, dtype
        self.hooks.add(self.HOOKS[1])

    def converted(self, value: Any, tensor: Any) -> None:
        del value, tensor
        self.hooks.add(self.HOOKS[2])

    def promotion(self, dtypes: tuple[Any, ...], result: str) -> None:
        del dtypes, result
        self.hooks.add(self.HOOKS[3])

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        del inputs, outputs, graph
        if op_type == "Mul":
            self.hooks.add(self.HOOKS[4])
