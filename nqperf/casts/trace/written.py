"""Which part of the source each operand of a conflict is, and by what name a dtype can be had there.

An operand is found by who made it: the name or attribute that holds it, the number that is written, or the piece of
source whose op it is. Its place among the arguments says nothing, for functions rearrange these.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence
from types import FrameType
from typing import Any

from nqperf.casts.trace import source
from nqperf.casts.trace.op_log import OpLog
from nqperf.casts.trace.operands import float_of, is_number
from nqperf.casts.trace.records import SourceLocation, Span

_UNKNOWN = object()
_STEPS = 64  # ops followed upwards inside one expression


def as_written(
    location: SourceLocation | None, op_type: str, frame: FrameType | None, operands: Sequence[Any], log: OpLog
) -> list[Span | None]:
    """Return where each of `operands`, the values of a conflict at `location`, is written; None where not known.

    `op_type` is the op that was being built, `frame` the user's, whose names are looked up, and `log` has the ops so
    far.
    """
    node = source.expression(location, op_type) if location is not None else None
    if node is None:
        return [None] * len(operands)
    parts = source.operands(node)
    held = [_value(part, frame) for part in parts]
    spans: list[Span | None] = []
    for value in operands:
        part = _held(value, parts, held) or _made(value, parts, held, log, source.span(node))
        spans.append(source.span(part) if part is not None else None)
    if isinstance(node, ast.BinOp | ast.AugAssign) and len(operands) == len(parts):
        # Two sides, and one of them known: the other is the other.
        for number, span in enumerate(spans):
            sides = [source.span(part) for part in parts]
            if span is None and spans[1 - number] != sides[number]:
                spans[number] = sides[number]
    return spans


def dtype_sources(frame: FrameType | None, target: str) -> tuple[str, ...]:
    """Return expressions that are the dtype `target` at `frame`: the layer's own, then those of tensors with a name."""
    if frame is None:
        return ()
    names = dict(frame.f_locals)
    found = []
    holder = names.get("self")
    if str(getattr(holder, "compute_dtype", "")) == target:
        found.append("self.compute_dtype")
    arguments = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    for name in [*arguments, *(each for each in names if each not in arguments)]:
        value = names.get(name)
        if name.isidentifier() and not isinstance(value, list | tuple) and float_of(value) == target:
            found.append(f"{name}.dtype")
    return tuple(found)


def _value(part: ast.expr, frame: FrameType | None) -> Any:
    """Return what a name, an attribute of one or a literal is at `frame`; nothing is called for it."""
    with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError):
        return ast.literal_eval(part)
    if isinstance(part, ast.Name) and frame is not None:
        for names in (frame.f_locals, frame.f_globals):
            if part.id in names:
                return names[part.id]
    if isinstance(part, ast.Attribute):
        owner = _value(part.value, frame)
        if owner is not _UNKNOWN and part.attr in getattr(owner, "__dict__", {}):
            return owner.__dict__[part.attr]
    return _UNKNOWN


def _held(value: Any, parts: Sequence[ast.expr], held: Sequence[Any]) -> ast.expr | None:
    for part, known in zip(parts, held, strict=True):
        if known is value:
            return part
        if is_number(value) and is_number(known) and type(known) is type(value) and known == value:
            return part
    return None


def _made(value: Any, parts: Sequence[ast.expr], held: Sequence[Any], log: OpLog, whole: Span) -> ast.expr | None:
    """Return the part that the op behind `value` belongs to, followed upwards through ops of the expression itself."""
    start = log.producer(value)
    makers = {log.producer(known): part for part, known in zip(parts, held, strict=True) if float_of(known)}
    waiting = [start] if start >= 0 else []
    seen: set[int] = set()
    while waiting and len(seen) < _STEPS:
        index = waiting.pop(0)
        if index in seen or index < 0:
            continue
        seen.add(index)
        if index in makers:
            return makers[index]
        at = log.ops[index].location
        inside = [part for part in parts if at is not None and _contains(source.span(part), at)]
        if inside:
            return inside[0]
        if at is not None and at.span == whole:
            waiting += [each for each in log.ops[index].producers if each >= 0]
    return None


def _contains(span: Span, location: SourceLocation) -> bool:
    inner = location.span
    return inner is not None and span[:2] <= inner[:2] and inner[2:] <= span[2:]
