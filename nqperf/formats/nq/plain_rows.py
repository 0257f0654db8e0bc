"""Rows from Python as JSON has them, whatever library made their values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_DEEPEST = 32
# How arrays and scalars (NumPy, TensorFlow), ragged rows, pandas and Arrow say themselves in Python's own types.
_CONVERSIONS = ("tolist", "to_list", "to_dict", "as_py", "numpy")
_EMPTY_CELLS = ("NAType", "NaTType")


def plain_row(record: Any) -> Any:
    """Return the row `record` as `plain` does, a Series of pandas by its names, without the cells that are empty.

    A table of rows of several layouts has empty cells where a layout has no such field.
    """
    row = plain(record.to_dict() if callable(getattr(record, "to_dict", None)) else record)
    return {key: value for key, value in row.items() if value is not None} if isinstance(row, dict) else row


def plain(value: Any, *, levels: int = _DEEPEST) -> Any:
    """Return `value`, of NumPy's, pandas' or TFDS's kinds, as Python's: numbers, text, lists, dictionaries, None.

    Bytes are text in UTF-8, and NaN, NaT and NA are None, which is how pandas marks an empty cell.
    `levels` is how deep lists and dictionaries are followed; what is deeper is made text.
    """
    if levels and isinstance(value, Mapping):
        return {str(key): plain(inner, levels=levels - 1) for key, inner in value.items()}
    if levels and isinstance(value, list | tuple):
        return [plain(inner, levels=levels - 1) for inner in value]
    return _scalar(value, levels)


def _scalar(value: Any, levels: int) -> Any:
    if value is None or type(value) in (str, bool, int):
        return value
    if isinstance(value, float):
        # Of a column of integers in which a cell is empty pandas makes one of floats.
        return None if math.isnan(value) else int(value) if value.is_integer() else float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if type(value).__name__ in _EMPTY_CELLS:
        return None
    if type(value).__name__ == "DataFrame":
        return plain(value.to_dict("list"), levels=levels)
    converted = next((found for name in _CONVERSIONS if callable(found := getattr(value, name, None))), None)
    return str(value) if converted is None or not levels else plain(converted(), levels=levels - 1)
