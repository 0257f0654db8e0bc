"""Whether a result was computed, or is one that was handed out before: results are overwritten to see it.

A candidate that returns the baseline's own buffer without any work is right, and endlessly fast. So what was handed out
is spoiled while the candidate runs once more; afterwards all is as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import is_dataclass
from typing import Any

import numpy as np

from nqperf.perf.measuring.outputs import field_values

_NUMBERS = "biufc"
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)


@contextmanager
def spoiled(*outputs: Any) -> Iterator[None]:
    """Let every array, list and dictionary in `outputs` that can be written to hold other values in the block."""
    with ExitStack() as stack:
        for output in outputs:
            _spoil(output, stack, set())
        yield


def same_object(output: Any, before: Any) -> bool:
    """Return whether an array or tensor in `output` is the very object that one in `before` is.

    One that cannot be written to cannot be spoiled: that it is the same object says that it was not computed anew.
    """
    earlier = {id(leaf) for leaf in _leaves(before) if not isinstance(leaf, _PLAIN)}
    return any(id(leaf) in earlier for leaf in _leaves(output) if not isinstance(leaf, _PLAIN) and not _writable(leaf))


def _leaves(output: Any) -> Iterator[Any]:
    if is_dataclass(type(output)):
        output = field_values(output)
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        for value in output:
            yield from _leaves(value)
        return
    yield output


def _writable(leaf: Any) -> bool:
    return (isinstance(leaf, np.ndarray) and leaf.flags.writeable) or _torch_tensor(leaf) or isinstance(leaf, bytearray)


def _torch_tensor(leaf: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(leaf, torch.Tensor)


def _spoil(output: Any, stack: ExitStack, seen: set[int]) -> None:
    """Spoil what can be written to, and let the stack bring back what was there."""
    if id(output) in seen:
        return
    seen.add(id(output))
    if isinstance(output, np.ndarray):
        if output.flags.writeable and output.dtype.kind in _NUMBERS:
            stack.callback(np.copyto, output, output.copy())
            output[...] = _other(output)
    elif _torch_tensor(output):
        stack.callback(output.data.copy_, output.detach().clone())
        output.data.copy_(output.detach() * -2 + 1)
    elif isinstance(output, bytearray):
        stack.callback(_copier(output, bytes(output)))
        output[:] = bytes(len(output))
    else:
        _spoil_container(output, stack, seen)


def _spoil_container(output: Any, stack: ExitStack, seen: set[int]) -> None:
    """Spoil what a list, a dictionary, a tuple or a dataclass holds; plain values in it are replaced."""
    if is_dataclass(type(output)):
        # Its fields stand in its dictionary; one with slots is looked into, as a tuple is.
        output = getattr(output, "__dict__", field_values(output))
    if isinstance(output, tuple):
        for value in output:
            _spoil(value, stack, seen)
        return
    if isinstance(output, list):
        entries: dict[Any, Any] = dict(enumerate(output))
    elif isinstance(output, dict):
        entries = dict(output)
    else:
        return
    for key, value in entries.items():
        if isinstance(value, _PLAIN):
            stack.callback(output.__setitem__, key, value)
            output[key] = None
        else:
            _spoil(value, stack, seen)


def _copier(buffer: Any, before: Any) -> Callable[[], None]:
    def back() -> None:
        buffer[:] = before

    return back


def _other(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return values of the array's type, none of which is the one at its place."""
    kind = array.dtype.kind
    if kind in "biu":
        return np.asarray(np.invert(array))
    # -2 x + 1 is x at a third alone, where it is moved on; numbers that are none become one.
    other = -2 * np.nan_to_num(array) + 1
    return np.asarray(np.where(other == array, array + 1, other).astype(array.dtype))


def corrupted(output: Any) -> Any:
    """Return a copy of a result, `output`, in which every value is another one; None where nothing could be changed."""
    if isinstance(output, Mapping | list | tuple):
        return _corrupted_container(output)
    if isinstance(output, str):
        return f"{output}?"
    if not isinstance(output, bool | int | float | complex | np.generic | np.ndarray):
        return None
    array = np.asarray(output)
    if not array.size or array.dtype.kind not in _NUMBERS:
        return None
    return _other(array) if isinstance(output, np.ndarray) else _other(array).item()


def _corrupted_container(output: Any) -> Any:
    keys = list(output) if isinstance(output, Mapping) else range(len(output))
    changed = {key: corrupted(output[key]) for key in keys}
    if all(value is None for value in changed.values()):
        return None
    if isinstance(output, Mapping):
        return changed
    return list(changed.values()) if isinstance(output, list) else tuple(changed.values())
