"""What work returns: when the devices are done with it, and a copy of it on the host."""

from __future__ import annotations

import copy
import functools
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

import numpy as np

_JAX = frozenset({"jax", "jaxlib"})
# The packages whose values a device may still be computing; PyTorch's devices are waited for as a whole.
_LAZY = frozenset({*_JAX, "tensorflow"})
# What these hold is there; another container may compute it when it is asked.
_PLAIN = frozenset({dict, list, tuple, defaultdict, OrderedDict, Counter})
# So many values of a container, and of each container in it, are looked at to see that an output is of the same kinds
# as the one before.
_LOOKED_AT = 8


class Waiter:
    """Waits until the devices have computed an output, whatever library it is from; none is imported for it.

    TensorFlow's tensors are copied to the host, JAX's arrays are blocked on, PyTorch's device is waited for whether or
    not the output shows that it was used. Dictionaries, lists, tuples and dataclasses are looked into; all else is
    done.

    To look at each of 90,000 numbers took longer than a work of 40 ms that returned them, and that time was taken for
    the work's. So an output is looked through when it is the first of its kinds, and others of these kinds are not,
    where nothing in it was to be waited for.
    """

    def __init__(self) -> None:
        self._done: tuple[Any, ...] | None = None  # the kinds of an output in which nothing was to be waited for

    def __call__(self, output: Any) -> None:
        """Wait until the devices have computed `output`."""
        _wait_for_torch()
        kinds = _kinds(output)
        if kinds != self._done:
            self._done = None if _settle(output) else kinds


def to_host(output: Any) -> Any:
    """Return a copy of `output`, with every tensor of TensorFlow, JAX or PyTorch in it as a NumPy array.

    It shares no memory with `output`, whose buffers the next run may write to; tuples are plain in it.
    """
    if isinstance(output, Mapping):
        return {key: to_host(value) for key, value in output.items()}
    if isinstance(output, list | tuple):
        return type(output)(map(to_host, output)) if type(output) in {list, tuple} else tuple(map(to_host, output))
    kind: Any = type(output)
    libraries = _libraries(kind)
    if "torch" in libraries and hasattr(output, "detach"):
        tensor = output.detach().cpu()
        return np.array((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())
    if "tensorflow" in libraries and hasattr(output, "numpy"):
        return _copied(output.numpy())
    if isinstance(output, np.ndarray) or libraries & _JAX:
        return np.array(output)
    return _copied(output)


def _copied(value: Any) -> Any:
    """Return a copy of a value; what cannot be copied is taken as it is."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  # a type's own way to copy itself may raise anything
        return value


def _wait_for_torch() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _settle(output: Any) -> bool:
    """Wait for each value in `output`; return whether there was one, or what may compute its values when asked."""
    kind: Any = type(output)
    if not _is_container(kind):
        return bool(_libraries(kind) & _LAZY) and _wait(output)
    values = list(_values(output))
    own = kind not in _PLAIN and not is_dataclass(kind)
    # Of a long list of numbers the kinds alone are looked at.
    kinds: set[Any] = set(map(type, values))
    if any(_is_container(one) or _libraries(one) & _LAZY for one in kinds):
        return any([own, *map(_settle, values)])
    return own


def _wait(value: Any) -> bool:
    kind: Any = type(value)
    if _libraries(kind) & _JAX and hasattr(value, "block_until_ready"):
        value.block_until_ready()
    elif hasattr(value, "numpy"):
        value.numpy()
    return True


def _kinds(output: Any, levels: int = 2) -> tuple[Any, ...]:
    """Return the types of an output and of the first values in it, and those of the first values in these."""
    kind = type(output)
    if not levels or not (kind in _PLAIN or is_dataclass(kind)):
        return (kind,)
    return (kind, *(_kinds(value, levels - 1) for value in islice(_values(output), _LOOKED_AT)))


def _values(output: Any) -> Iterable[Any]:
    """Return the values that a container holds, or the fields of a dataclass."""
    if isinstance(output, Mapping):
        return output.values()
    return field_values(output) if is_dataclass(type(output)) else output


def field_values(output: Any) -> tuple[Any, ...]:
    """Return the values of the fields of a dataclass's instance, `output`, in their order."""
    return tuple(getattr(output, one.name) for one in fields(output))


@functools.lru_cache
def _is_container(kind: type) -> bool:
    return issubclass(kind, Mapping | list | tuple) or is_dataclass(kind)


@functools.lru_cache
def _libraries(kind: type) -> frozenset[str]:
    """Return the packages that the type `kind` and its bases are from."""
    return frozenset(base.__module__.partition(".")[0] for base in kind.__mro__)
