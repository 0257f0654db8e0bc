"""What a value, or the call that is making one, says of itself: float type, shape, operands, the number asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nqperf.casts.trace import frames
from nqperf.casts.trace.records import FLOATS, Constant

_LARGE = 1_000_000  # constants above this many values are not read


def flat(value: Any) -> list[Any]:
    """Return the values of an argument, `value`, that may be a list."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def dtype_name(dtype: Any) -> str:
    """Return the name of `dtype`; of a reference it is what that refers to."""
    return str(getattr(dtype, "base_dtype", dtype).name)


def float_of(value: Any) -> str | None:
    """Return the float dtype of `value`, a tensor or variable; None of all else (Python and NumPy numbers too)."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or isinstance(value, np.ndarray | np.generic | type):
        return None
    name = str(getattr(getattr(dtype, "base_dtype", dtype), "name", dtype))
    return name if name in FLOATS else None


def is_number(value: Any) -> bool:
    """Whether `value` is a Python or NumPy number, or a nested list of such; no tensor and no variable is in it."""
    if isinstance(value, list | tuple):
        return bool(value) and all(is_number(each) for each in value)
    return isinstance(value, int | float | np.ndarray | np.generic) and not isinstance(value, bool)


def number_dtype(value: Any) -> str | None:
    """Return float32 or float64 where TensorFlow would make such a tensor of the number `value`, else None."""
    if not is_number(value):
        return None
    kind = np.asarray(value).dtype
    if isinstance(value, np.ndarray | np.generic):
        return kind.name if kind.name in FLOATS else None
    return "float32" if kind.kind == "f" else None


def shape_of(tensor: Any) -> tuple[int | None, ...] | None:
    """Return the static shape of `tensor`, None where not even its rank is known."""
    return tuple(tensor.shape) if tensor.shape.rank is not None else None


def operands_of(frame: Any) -> list[tuple[str, Any]]:
    """Return the named float tensors that an operation of Keras holds in `frame`, in the order of its parameters."""
    held: list[tuple[str, Any]] = []
    for name, value in frame.f_locals.items():
        if name == "self":
            continue
        for each in flat(value)[:64]:
            if float_of(each) and all(each is not known for _, known in held):
                held.append((name, each))
    return held


def is_assignment() -> bool:
    """Whether the conversion under way is a value's way into a variable."""
    frame: Any = frames.caller(1)
    for _ in range(10):
        if frame is None:
            return False
        if frame.f_code.co_name in ("assign", "assign_add", "assign_sub") and "self" in frame.f_locals:
            return True
        frame = frame.f_back
    return False


def wanted_constant() -> Any | None:
    """Return what the caller of tf.constant asked for, before it was rounded."""
    frame: Any = frames.caller(1)
    for _ in range(14):
        if frame is None:
            return None
        code = frame.f_code
        if code.co_name == "constant" and code.co_filename.endswith("constant_op.py"):
            return frame.f_locals.get("value")
        frame = frame.f_back
    return None


def constant_of(tensor: Any) -> Constant | None:
    """Return the extremes of a constant `tensor`, None where it is large or no number."""
    import tensorflow as tf

    if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        return None
    values = tf.get_static_value(tensor)
    if values is None or values.size == 0 or values.size > _LARGE:
        return None
    wide = np.asarray(values).astype(np.float64)
    return Constant(
        low=float(np.min(wide)),
        high=float(np.max(wide)),
        size=int(wide.size),
        infinite=bool(np.isinf(wide).any()),
    )


def lost_numbers(value: Any, dtype: str) -> Iterator[tuple[str, float]]:
    """Yield what of `value` the type `dtype` makes infinite, zero or one.

    Each is a kind ("overflow", "underflow", "rounding") with the largest number that is lost so.
    """
    import tensorflow as tf

    try:
        wanted = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return
    if wanted.size == 0 or wanted.size > _LARGE:
        return
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        kept = wanted.astype(tf.as_dtype(dtype).as_numpy_dtype).astype(np.float64)
    over = np.isfinite(wanted) & ~np.isfinite(kept)
    under = (wanted != 0) & (kept == 0)
    one = (wanted != 1.0) & (kept == 1.0)
    for kind, lost in (("overflow", over), ("underflow", under), ("rounding", one)):
        if lost.any():
            yield kind, float(wanted[lost].flat[np.argmax(np.abs(wanted[lost]))])
