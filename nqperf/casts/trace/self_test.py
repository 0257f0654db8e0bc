"""Whether every seam still hears: tiny conflicts planted for each, so that a dead one is no clean audit."""

from __future__ import annotations

import contextlib
from typing import Any

from nqperf.casts.trace.seams import UnsupportedError, listening, unsupported


def self_test() -> None:
    """Plant one tiny conflict for every seam and hear each of them.

    Raises: UnsupportedError that names the silent seams and the versions.
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
    silent = [seam for seam in _Hearing.SEAMS if seam not in heard.seams]
    if silent:
        raise UnsupportedError(unsupported(f"these seams heard nothing of a planted conflict: {', '.join(silent)}"))


class _Hearing:
    """A listener that repairs nothing and remembers which seams spoke."""

    SEAMS = (
        "graph op (A)",
        "conversion (B)",
        "value conversion (B)",
        "keras promotion (C)",
        "op callback",
        "division (A)",
    )

    def __init__(self) -> None:
        self.seams: set[str] = set()

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> None:
        del arguments, error
        self.seams.add(self.SEAMS[5 if op_type == "RealDiv" else 0])

    def refused(self, value: Any, dtype: Any) -> None:
        del value, dtype
        self.seams.add(self.SEAMS[1])

    def converted(self, value: Any, tensor: Any) -> None:
        del value, tensor
        self.seams.add(self.SEAMS[2])

    def promotion(self, dtypes: tuple[Any, ...], result: str) -> None:
        del dtypes, result
        self.seams.add(self.SEAMS[3])

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        del inputs, outputs, graph
        if op_type == "Mul":
            self.seams.add(self.SEAMS[4])
