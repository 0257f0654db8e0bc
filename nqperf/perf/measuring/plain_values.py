"""Outputs as plain values, which two revisions can be compared by: numbers, texts, arrays, lists and dictionaries.

An object of a project's own class cannot be read where its module is not, or is another revision's. So it is opened in
the process that made it, and compared field by field.
"""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from types import FunctionType
from typing import Any

import numpy as np

from nqperf.errors import ConfigError
from nqperf.perf.measuring.outputs import to_host

# The keys that an opened object has its class's name under, and the state that has no names; no field is called so.
_TYPE, _STATE = "(type)", "(state)"
_LEAVES = frozenset({bool, int, float, complex, str, bytes, bytearray, type(None), np.ndarray})
# The packages whose values come to the host whole.
_TENSORS = frozenset({"tensorflow", "torch", "jax", "jaxlib"})
# How a value of a class that derives from one of these becomes one itself.
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex.__pos__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
)


def plain_values(output: Any) -> Any:
    """Return `output` with every object in it as a dictionary of its class's name and its fields.

    Of a dataclass these are the fields that its `==` compares, of another object its state as `pickle` takes it, of a
    table its columns. Sets are sorted, and a key that is an object is the text of what it becomes. Tensors become NumPy
    arrays. What is plain already comes back equal, and what has no state that can be told (a lock) as it is.

    Raises: ConfigError for an output that is nested too deeply, and for an iterator, which computes nothing before it
    is read.

    >>> from fractions import Fraction
    >>> plain_values({"half": Fraction(1, 2), "ids": {3, 1}})
    {'half': Fraction(1, 2), 'ids': {'(type)': 'set', 'values': [1, 3]}}
    """
    try:
        return _plain(output, frozenset())
    except RecursionError:
        raise ConfigError(
            f"the output, {type(output).__name__}, is nested too deeply to be compared; return numbers, texts or arrays"
        ) from None


def _plain(value: Any, above: frozenset[int]) -> Any:
    """Return a value as `plain_values` does; `above` has the identities of the objects that it is in."""
    if type(value) in _LEAVES and not _holds_objects(value):
        return value
    if isinstance(value, Iterator):
        raise ConfigError(
            f"the output holds an iterator, {type(value).__name__}, which computes nothing before it is read; "
            "return a list of its values"
        )
    if id(value) in above:
        return "(what it is in)"
    return _opened(value, above | {id(value)})


def _opened(value: Any, above: frozenset[int]) -> Any:
    """Return what a value holds, plain, or the value where it is one alone; `above` has it, too."""
    opened: Any
    if isinstance(value, Mapping):
        opened = {_key(key, above): _plain(each, above) for key, each in value.items()}
    elif isinstance(value, AbstractSet):
        # Sorted when they are plain: the text of an object may have its address.
        values = sorted((_plain(each, above) for each in value), key=lambda one: (type(one).__name__, repr(one)))
        opened = {_TYPE: _name_of(value), "values": values}
    elif isinstance(value, tuple):
        opened = tuple([_plain(each, above) for each in value])
    elif isinstance(value, list | deque):
        opened = [_plain(each, above) for each in value]
    elif _holds_objects(value):
        opened = _plain(value.tolist(), above)
    elif (fields := _fields(value)) is not None:
        opened = {_TYPE: _name_of(value), **{name: _plain(each, above) for name, each in fields.items()}}
    else:
        opened = _one_value(value)
    return opened


def _key(key: Any, above: frozenset[int]) -> Any:
    """Return the key of a dictionary as a plain value, as its text where that cannot be a key."""
    plain = _plain(key, above)
    try:
        hash(plain)
    except TypeError:
        return repr(plain)
    return plain


def _holds_objects(value: Any) -> bool:
    """Return whether an array holds objects that are to be opened."""
    return (
        isinstance(value, np.ndarray) and value.dtype.hasobject and any(type(one) not in _LEAVES for one in value.flat)
    )


def _one_value(value: Any) -> Any:
    """Return a number or text of a class of its own as what it derives from, a column of a table as an array."""
    kind: Any = type(value)
    for base, plain in _PLAIN:
        if isinstance(value, base) and not isinstance(value, np.generic):
            return plain(value)
    columnar = hasattr(kind, "__array__") and _package(kind) not in _TENSORS
    return np.array(value) if columnar and not isinstance(value, np.generic) else to_host(value)


def _fields(value: Any) -> dict[str, Any] | None:
    """Return what an object consists of, by name; None for what is one value."""
    kind = type(value)
    fields: dict[str, Any] | None
    if isinstance(value, Enum):
        fields = {"value": value.value}
    elif isinstance(value, type | FunctionType):
        fields = {"name": value.__qualname__}
    elif dataclasses.is_dataclass(kind):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(kind) if one.compare}
    elif (columns := getattr(value, "columns", None)) is not None and hasattr(kind, "__array__"):
        fields = {str(name): np.asarray(value[name]) for name in columns}
    else:
        fields = None if _is_one_value(value) else _state(value)
    return fields


def _is_one_value(value: Any) -> bool:
    """Return whether a value is a number, a text, an array, a tensor, or of a class of Python's own that has `==`."""
    kind: Any = type(value)
    if isinstance(value, int | float | complex | str | bytes | np.generic) or hasattr(kind, "__array__"):
        return True
    package = _package(kind)
    return package in _TENSORS or (package in sys.stdlib_module_names and kind.__eq__ is not object.__eq__)


def _package(kind: Any) -> str:
    return str(kind.__module__).partition(".")[0]


def _name_of(value: Any) -> str:
    """Return the name of an object's class, without its module: it may have moved to another one."""
    return type(value).__qualname__


def _state(value: Any) -> dict[str, Any] | None:
    """Return the state of an object, as `pickle` takes it; None where it has none that can be told."""
    try:
        reduced = value.__reduce_ex__(2)
    except Exception:  # noqa: BLE001  # an object's own way to be pickled may raise anything
        return None
    if isinstance(reduced, str):
        return {"name": reduced}
    _, arguments, state, values, items = (*reduced, None, None, None)[:5]
    found: dict[str, Any] = {}
    if given := [one for one in arguments if not isinstance(one, type)]:
        found["(arguments)"] = given
    for part in state if isinstance(state, tuple) else (state,):
        if isinstance(part, Mapping):
            found.update({str(name): each for name, each in part.items()})
        elif part is not None:
            found[_STATE] = [*found.get(_STATE, []), part]
    found.update({name: list(each) for name, each in (("(values)", values), ("(items)", items)) if each is not None})
    return found
