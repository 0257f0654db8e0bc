"""Proposed edits: the expression as it should stand, cast to the layer's compute dtype or to its neighbour's dtype."""

from __future__ import annotations

import ast

from nqperf.casts.trace import source
from nqperf.casts.trace.records import Event, SourceLocation


def cast_operand(event: Event) -> str | None:
    """Return the expression of `event` with the operand that is not of the target dtype cast; None without a place.

    The dtype is never a literal half type: a layer's own `self.compute_dtype`, or the other operand's `.dtype`.
    """
    if event.location is None:
        return None
    cast = source.cast_function(event.location.path)
    wrong = [index for index, operand in enumerate(event.operands) if operand.dtype != event.target]
    right = [index for index, operand in enumerate(event.operands) if operand.dtype == event.target]
    node = source.expression(event.location, event.op_type)
    parts = _tensor_operands(node, len(event.operands))
    dtype = "self.compute_dtype" if event.in_layer and event.compute_dtype == event.target else None
    if not wrong or node is None or len(parts) < len(event.operands):
        return f"{cast}(<the {_dtypes(event)} operand>, {dtype or '<the other operand>.dtype'})"
    part = parts[wrong[0]]
    if dtype is None:
        simple = [parts[index] for index in right if isinstance(parts[index], ast.Name | ast.Attribute)]
        dtype = f"{ast.unparse(simple[0])}.dtype" if simple else None
    if dtype is None:
        # Nothing simple to name the dtype by: the result of the other operand's expression must be bound first.
        dtype = f"({ast.unparse(parts[right[0]])}).dtype" if right else "self.compute_dtype"
    if event.target in ("float32", "float64") and event.kind == "mismatch":
        dtype = f'"{event.target}"'  # upwards only, for an op that must not run in a half type
    return source.replaced(node, part, f"{cast}({ast.unparse(part)}, {dtype})")


def cast_promotion(event: Event) -> str | None:
    """Return the expression of a promotion with its wide operand cast down to the half operand's dtype."""
    halves = [operand.dtype for operand in event.operands if operand.dtype not in ("float32", "float64")]
    if event.location is None or not halves:
        return None
    narrow = Event(
        kind="promotion",
        at=event.at,
        op_type=event.op_type,
        layer=event.layer,
        compute_dtype=event.compute_dtype,
        location=event.location,
        operands=event.operands,
        target=halves[0],
        in_layer=event.in_layer,
    )
    return cast_operand(narrow)


def in_float32(location: SourceLocation | None, op_type: str) -> str | None:
    """Return the call at `location` with its first operand taken to float32 and its result brought back."""
    if location is None:
        return None
    cast = source.cast_function(location.path)
    node = source.expression(location, op_type)
    parts = source.operands(node)
    if node is None or not parts:
        return f'{cast}(<operand>, "float32") before, and back to <operand>.dtype after'
    inner = source.replaced(node, parts[0], f'{cast}({ast.unparse(parts[0])}, "float32")')
    back = parts[0] if isinstance(parts[0], ast.Name | ast.Attribute) else None
    dtype = f"{ast.unparse(back)}.dtype" if back is not None else "self.compute_dtype"
    return f"{cast}({inner}, {dtype})"


def _tensor_operands(node: ast.AST | None, wanted: int) -> list[ast.expr]:
    """Return the operands that can be tensors: a call's leading condition and its constants are no part of these."""
    parts = source.operands(node)
    if isinstance(node, ast.Call) and len(parts) > wanted:
        parts = [part for part in parts if not isinstance(part, ast.Constant | ast.UnaryOp)] or parts
        name = ast.unparse(node.func)
        if name.split(".")[-1] == "where" and len(parts) > wanted:
            parts = parts[1:]
    return parts


def _dtypes(event: Event) -> str:
    return "/".join(sorted({operand.dtype for operand in event.operands if operand.dtype != event.target}))
