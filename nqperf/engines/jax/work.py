"""The work of a lowered module of JAX, counted in its text: functions that are called several times count so."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from math import prod

from nqperf.records.work import CountedWork

_FUNCTION = re.compile(r"^\s*func\.func (?:public |private )?@([\w.$-]+|\"[^\"]+\")\(")
_CALL = re.compile(r"(?:func\.)?call @([\w.$-]+|\"[^\"]+\")\(")
_OPERATION = re.compile(r"= \"?(?:stablehlo|chlo)\.(\w+)")
_DOT = re.compile(r"contracting_dims = \[([\d, ]*)\] x .*: \(tensor<([^>]*)>, tensor<[^>]*>\) -> tensor<([^>]*)>")
_RESULT = re.compile(r"tensor<([^>]*)>(?: loc\(.*\))?$")
# What holds or looks at values and computes none.
_BOOKKEEPING = frozenset({"constant", "reshape", "transpose", "broadcast_in_dim", "slice", "get_tuple_element"})
_PER_TERM = 2
_BITS = re.compile(r"\d+$")


@dataclass(slots=True)
class _Function:
    """What stands in one function: operations by kind, the flops of products, bytes of results, and calls of others."""

    kinds: Counter[str] = field(default_factory=Counter)
    flops: list[int] = field(default_factory=list)
    size: int = 0
    calls: Counter[str] = field(default_factory=Counter)


def count_module(text: str, parameters: int) -> CountedWork:
    """Return the work of a module in StableHLO's `text`; `parameters` is the number of the weights' values."""
    functions = _functions(text)
    whole = _whole("main", functions)
    return CountedWork(
        operations={kind: count for kind, count in sorted(whole.kinds.items()) if kind not in _BOOKKEEPING},
        products=len(whole.flops),
        product_flops=sum(whole.flops),
        casts=whole.kinds["convert"],
        activation_bytes=whole.size,
        parameters=parameters,
    )


def _functions(text: str) -> dict[str, _Function]:
    functions: dict[str, _Function] = {}
    here = _Function()
    for line in text.splitlines():
        if found := _FUNCTION.match(line):
            here = functions.setdefault(found[1], _Function())
            continue
        if found := _CALL.search(line):
            here.calls[found[1]] += 1
        if found := _OPERATION.search(line):
            kind = found[1]
            here.kinds[kind] += 1
            here.size += 0 if kind in _BOOKKEEPING else _bytes(line)
            if kind == "dot_general" and (product := _DOT.search(line)):
                here.flops.append(_flops(product))
    return functions


def _whole(name: str, functions: dict[str, _Function]) -> _Function:
    """Return all that a function does, with what it calls."""
    own = functions.get(name, _Function())
    whole = _Function(kinds=Counter(own.kinds), flops=list(own.flops), size=own.size)
    for called, times in own.calls.items():
        inner = _whole(called, functions)
        whole.kinds.update({kind: count * times for kind, count in inner.kinds.items()})
        whole.flops += inner.flops * times
        whole.size += inner.size * times
    return whole


def _flops(product: re.Match[str]) -> int:
    contracted, left, out = product.groups()
    sizes = _sizes(left)
    return _PER_TERM * prod(_sizes(out)) * prod(sizes[int(axis)] for axis in contracted.split(",") if axis.strip())


def _bytes(line: str) -> int:
    """Return the size of an operation's result, by the last type in its line."""
    found = _RESULT.search(line.rstrip())
    if found is None:
        return 0
    bits = _BITS.search(found[1])
    return prod(_sizes(found[1])) * max(1, int(bits[0]) // 8 if bits else 1)


def _sizes(tensor: str) -> list[int]:
    """Return the sizes in a tensor's type, such as 4x512xf32."""
    return [int(size) for size in tensor.split("x")[:-1]]
