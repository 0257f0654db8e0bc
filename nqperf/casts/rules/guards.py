"""What a small number or a bound guards, and whether the guard still stands when the number is rounded.

A guard is an epsilon that keeps a denominator, a logarithm or a root from zero, or a bound that keeps 1 - p from it.
What the rounded number leads to is followed through sums, products, moves and casts to the op that it guards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import MOVES
from nqperf.casts.trace.records import OpRecord

_STEPS = 12

# Ops that a value stays near zero, or near one, through.
_KEEPS = MOVES | {"Cast", "Sum", "Mean", "Abs", "Square", "Relu", "Sqrt"}
_SUMS = frozenset({"AddV2", "Add", "Sub", "BiasAdd"})
_BOUNDS = frozenset({"Maximum", "Minimum"})
_TWO = frozenset({"AddV2", "Add", "Sub", "Maximum", "Minimum", "Mul"})
# Ops that make infinity or NaN of a zero.
_FRAGILE = frozenset({"Log", "Rsqrt", "Reciprocal", "Inv"})
_DIVIDES = frozenset({"RealDiv", "Div", "DivNoNan", "Xdivy", "FloorDiv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """A guard that is gone: the op that the number is in, the op that it guarded, and why that matters.

    They are `start`, `end` and `why`.
    """

    start: OpRecord
    end: OpRecord
    why: str


def rounded(number: float, dtype: str, limits: object) -> str | None:
    """Return what `number` becomes in a half type where that is another thing: "zero", "one" or "infinity"; else None.

    `dtype` is the half type, `limits` its `Range`.
    """
    maximum, smallest = float(getattr(limits, "maximum")), float(getattr(limits, "smallest"))  # noqa: B009
    if not math.isfinite(number):
        return None
    if 0 < abs(number) <= smallest / 2:
        return "zero"
    if abs(number) > maximum:
        return "infinity"
    digits = 11 if dtype == "float16" else 8  # of the significand, the hidden one counted
    if number != 1.0 and abs(number - 1.0) <= 2.0 ** -(digits + 1):
        return "one"
    return None


def harm(flow: Flow, constant: OpRecord, becomes: str) -> Harm | None:
    """Return what the rounded `constant` no longer guards in `flow`, None where nothing hangs on it.

    `becomes` is what `rounded` says of it.
    """
    for reader in flow.readers(constant):
        if reader.op_type == "Mul" and becomes == "zero":
            return Harm(start=reader, end=reader, why="and so does the product")
        if becomes == "infinity":
            found = _lets_through(flow, reader)
        elif reader.op_type in _TWO or reader.op_type in MOVES:
            found = _broken(flow, reader, becomes, constant.index)
        else:
            found = None
        if found is not None:
            return Harm(start=reader, end=found, why=_why(found, becomes))
    return None


def only_added(flow: Flow, op: OpRecord) -> bool:
    """Whether all that `flow` does with `op` is to add it to what is no divisor, and goes into no root or logarithm."""
    readers = flow.readers(op)
    return bool(readers) and all(_adds(flow, each) for each in readers)


def _adds(flow: Flow, reader: OpRecord) -> bool:
    if reader.op_type in MOVES:
        return only_added(flow, reader)
    if reader.op_type not in _SUMS:
        return False
    waiting, seen = [reader], set()
    while waiting:
        op = waiting.pop()
        seen.add(op.index)
        for each in flow.readers(op):
            if each.op_type == "Sqrt" or _fragile(flow, each, "zero", op.index):
                return False
            if each.op_type in MOVES | _BOUNDS | {"Cast"} and each.index not in seen:
                waiting.append(each)
    return True


def _why(end: OpRecord, becomes: str) -> str:
    if becomes == "infinity":
        return f"and the bound lets infinity through to this {end.op_type}"
    return f"and no longer keeps the {end.op_type} from zero"


def _lets_through(flow: Flow, bound: OpRecord) -> OpRecord | None:
    """Return the op that makes NaN of an infinity which a bound no longer cuts, None where there is none."""
    if bound.op_type not in _BOUNDS:
        return None
    fragile = ("Sub", "RealDiv", "Mul")
    return next((each for each in _reached(flow, bound) if each.op_type in fragile), None)


def _reached(flow: Flow, op: OpRecord) -> list[OpRecord]:
    found: list[OpRecord] = []
    waiting = [op]
    while waiting and len(found) < _STEPS:
        for reader in flow.readers(waiting.pop(0)):
            found.append(reader)
            if reader.op_type in MOVES or reader.op_type in _BOUNDS:
                waiting.append(reader)
    return found


def _broken(flow: Flow, start: OpRecord, becomes: str, source: int) -> OpRecord | None:
    """Return the op that meets a zero because of the rounding; `becomes` is what the value is near."""
    waiting = [(start, becomes, source, 0)]
    seen: set[tuple[int, str]] = set()
    while waiting:
        op, near, before, depth = waiting.pop(0)
        if (op.index, near) in seen or depth > _STEPS:
            continue
        seen.add((op.index, near))
        if _fragile(flow, op, near, before):
            return op
        after = _after(flow, op, near, before)
        if after is not None:
            waiting += [(reader, after, op.index, depth + 1) for reader in flow.readers(op)]
    return None


def _fragile(flow: Flow, op: OpRecord, near: str, before: int) -> bool:
    if near == "minus one":
        return op.op_type == "Log1p"
    if near != "zero":
        return False
    if op.op_type in _FRAGILE:
        return True
    if op.op_type in _DIVIDES:
        return len(op.producers) > 1 and op.producers[1] == before
    if op.op_type == "Pow":
        exponent = flow.inputs(op)[-1].constant
        return exponent is not None and exponent.low < 0
    return False


def _after(flow: Flow, op: OpRecord, near: str, before: int) -> str | None:
    """Return what the result of `op` is near, None where the rounding no longer matters."""
    if op.op_type in _KEEPS:
        return near
    if op.op_type == "Neg":
        return {"one": "minus one", "zero": "zero"}.get(near)
    if op.op_type == "Sub" and len(op.producers) > 1 and op.producers[1] == before:
        other = flow.trace.ops[op.producers[0]].constant if op.producers[0] >= 0 else None
        if other is not None and other.low == other.high == 1.0:
            return {"one": "zero", "zero": "one"}.get(near)
    return near if op.op_type in _TWO else None
