"""Edits by which an op is computed in float32: what is handed in is cast, and the result brought back or left."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from dataclasses import replace

from nqperf.casts.edits.casting import OWN, and_back, first, is_cast, wrapped
from nqperf.casts.edits.text import Change, Edit
from nqperf.casts.trace import source
from nqperf.casts.trace.records import OpRecord, SourceLocation, Span

_FEW = 2  # choices of each of two places, or names of one dtype


def in_float32(op: OpRecord, guard: SourceLocation | None = None) -> tuple[Edit, ...]:
    """Return edits by which `op`, and all to `guard` in the same statement, is computed in float32 and brought back.

    The cast is put on what is handed in, not on what has been computed of it: a square would have overflowed before.
    """
    location = op.location
    node = source.expression(location, op.op_type) if location is not None else None
    if location is None or node is None or isinstance(node, ast.AugAssign):
        return ()
    wholes = [node, *_around(location.path, node, guard)]
    if guard is not None and guard.span is not None and guard != location:
        # Brought back before the guard, the number would be lost again.
        # A root of it is large enough to be brought back.
        wholes = [
            each
            for each in wholes
            if guard.path == location.path and (_covers(source.span(each), guard.span) or _is_root(each))
        ]
        wholes.sort(key=lambda each: not _is_root(each))
        if not wholes:
            return kept_wide(op)
    back = first(
        _wide_inside(location.path, [whole], leaves, dtype)
        for whole in wholes
        # What is computed around `node` has operands of its own.
        for leaves in [*_leaves(node), *([_values(whole)] if whole is not node and _values(whole) else [])]
        for dtype in (*_dtypes_of(leaves[0]), OWN)
    )
    # What does not fit into the half type even so stays wide, where nobody minds.
    return tuple(dict.fromkeys([*back, *kept_wide(op)]))


def kept_wide(op: OpRecord) -> tuple[Edit, ...]:
    """Return edits that hand `op` its operands in float32 and leave the result so: who needs it narrow casts it."""
    node = source.expression(op.location, op.op_type) if op.location is not None else None
    if op.location is None or node is None or isinstance(node, ast.AugAssign):
        return ()
    path = op.location.path
    parts = [[part] for part in source.parts_of(node)]
    return first(
        wrapped(path, [source.span(each) for each in chosen], '"float32"') for chosen in [*_leaves(node), *parts]
    )


def kept_together(one: OpRecord, other: OpRecord) -> tuple[Edit, ...]:
    """Return edits that hand both ops, `one` and the `other` of one file, their operands in float32."""
    pairs = itertools.product(kept_wide(one)[:_FEW], kept_wide(other)[:_FEW])
    edits = [
        Edit(path=a.path, changes=(*a.changes, *b.changes), imports=a.imports) for a, b in pairs if a.path == b.path
    ]
    # What `one` has made wide needs no cast.
    fewest = sorted(edits, key=lambda each: len(each.changes))
    return first(fewest)


def kept_until(op: OpRecord, ends: Sequence[SourceLocation]) -> tuple[Edit, ...]:
    """Return edits that compute `op` and what follows in float32, and bring back what is computed at `ends`."""
    spans = [end.span for end in ends if op.location is not None and end.path == op.location.path]
    nodes = [source.node_at(op.location.path, span) for span in spans if op.location is not None and span is not None]
    wholes = [node for node in nodes if node is not None]
    return _until(op, wholes) if wholes and len(wholes) == len(ends) else ()


def kept_alone(op: OpRecord) -> tuple[Edit, ...]:
    """Return edits that compute `op` in float32, and all around it in its statement until it meets another value.

    A root and the epsilon under it are computed wide so, and the root is brought back. There is none where nothing is
    around it, or where it meets none: then the next statement says where it is to be brought back.
    """
    node = source.expression(op.location, op.op_type) if op.location is not None else None
    if op.location is None or node is None or isinstance(node, ast.AugAssign):
        return ()
    whole: ast.expr = node
    holding = _holding(op.location.path, node)
    while holding and len([each for each in source.parts_of(holding[0]) if not isinstance(each, ast.Constant)]) == 1:
        whole = holding.pop(0)
    return _until(op, [whole]) if holding and whole is not node else ()


def _until(op: OpRecord, wholes: Sequence[ast.expr]) -> tuple[Edit, ...]:
    node = source.expression(op.location, op.op_type) if op.location is not None else None
    if op.location is None or node is None or isinstance(node, ast.AugAssign):
        return ()
    # A product with what is computed is wide only with both its sides.
    sides = [side for each in wholes if isinstance(each, ast.BinOp) for side in (each.left, each.right)]
    beside = [each for each in sides if isinstance(each, ast.Name | ast.Attribute)]
    return first(
        _wide_inside(op.location.path, wholes, [*leaves, *more], dtype)
        for more in ([], beside)
        for leaves in _leaves(node)
        for dtype in (*_dtypes_of(leaves[0]), OWN)
    )


def told_float32(location: SourceLocation | None, op_type: str) -> tuple[Edit, ...]:
    """Return the edit of the call at `location` that is told the dtype of its `op_type`.

    It is told float32, and its result is brought back to what it was told.
    """
    node = source.expression(location, op_type) if location is not None else None
    if location is None or not isinstance(node, ast.Call):
        return ()
    told = [each.value for each in node.keywords if each.arg == "dtype"]
    wide = [
        Edit(path=location.path, changes=(Change(span=source.span(each), before='"float32"', drops=True),))
        for each in told
    ]
    return first(and_back(edit, source.span(node), ast.unparse(each)) for edit, each in zip(wide, told, strict=True))


def cast_inside(location: SourceLocation | None) -> tuple[Edit, ...]:
    """Return edits of the cast written at `location` that put it on what is computed, not on the result."""
    node = _cast_at(location)
    if location is None or node is None:
        return ()
    call, inner, dtype = ast.unparse(node.func), node.args[0], _target_of(node)
    names = [each for each in ast.walk(inner) if isinstance(each, ast.Name | ast.Attribute) and _is_value(each, inner)]
    wrapped = tuple(Change(span=source.span(each), before=f"{call}(", after=f", {dtype})") for each in names)
    return (Edit(path=location.path, changes=(*_unwrapped(node), *wrapped)),) if names else ()


def cast_outside(location: SourceLocation | None) -> tuple[Edit, ...]:
    """Return the edit of the cast written at `location` that puts it on what its operand is multiplied with, too."""
    node = _cast_at(location)
    if location is None or node is None:
        return ()
    outer = next(iter(_holding(location.path, node)), None)
    if not isinstance(outer, ast.BinOp):
        return ()
    other = outer.left if _inside(node, outer.right) else outer.right
    wide = wrapped(location.path, [source.span(other)], '"float32"')
    both = None if wide is None else replace(wide, changes=(*_unwrapped(node), *wide.changes))
    return first([and_back(both, source.span(outer), _target_of(node))])


def _cast_at(location: SourceLocation | None) -> ast.Call | None:
    """Return the cast that is written at `location`, None where none is."""
    node = source.expression(location, "Cast") if location is not None else None
    return node if isinstance(node, ast.Call) and node.args and is_cast(node) else None


def _target_of(cast: ast.Call) -> str:
    """Return what a cast says of its dtype."""
    told = (ast.unparse(each.value) for each in cast.keywords if each.arg == "dtype")
    return next(told, ", ".join(ast.unparse(each) for each in cast.args[1:]))


def _unwrapped(cast: ast.Call) -> tuple[Change, Change]:
    """Return the changes that leave of a cast what it casts."""
    before, after = _ends(cast, cast.args[0])
    return Change(span=before, before="", drops=True), Change(span=after, before="", drops=True)


def _ends(outer: ast.expr, inner: ast.expr) -> tuple[Span, Span]:
    """Return what of `outer` stands before `inner`, and what behind it."""
    first, last = source.span(outer), source.span(inner)
    return (*first[:2], *last[:2]), (*last[2:], *first[2:])


def _wide_inside(path: str, wholes: Sequence[ast.expr], leaves: Sequence[ast.expr], dtype: str) -> Edit | None:
    edit = wrapped(path, [source.span(leaf) for leaf in leaves], '"float32"')
    for whole in wholes:
        edit = and_back(edit, source.span(whole), dtype)
    return edit


def _dtypes_of(leaf: ast.expr) -> list[str]:
    """Return the dtype of what is cast, by a name where there is one: else it would be computed once more."""
    names = [leaf] if isinstance(leaf, ast.Name | ast.Attribute) else _values(leaf)[:_FEW]
    return [f"{ast.unparse(each)}.dtype" for each in names or [leaf]]


def _is_root(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sqrt"


def _covers(outer: Span, inner: Span) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]


def _leaves(node: ast.expr) -> list[list[ast.expr]]:
    """Return what may be handed in wide: names inside the operands, what is squared, the first operand as it stands."""
    parts = source.parts_of(node)
    if not parts:
        return []
    first = parts[0]
    inside = _values(first)
    choices = [[each] for each in inside[:2]]
    both: list[ast.expr] = [part for part in parts if isinstance(part, ast.Name | ast.Attribute)]
    # A number may stand in front: 2.0 ** x.
    behind = [[each] for part in parts[1:] for each in _values(part)[:2]]
    together = [inside] if len(inside) > 1 else []
    return [*together, *_innermost(first), *choices, [first], *([both] if len(both) > 1 else []), *behind]


def _innermost(part: ast.expr) -> list[list[ast.expr]]:
    """Return what `part` is computed of, through calls and powers of one value: x - mean of square(x - mean)."""
    held = [part]
    while isinstance(held[0], ast.Call | ast.BinOp):
        inner = source.parts_of(held[0])
        if len({ast.unparse(each) for each in inner}) != 1:
            break
        held = inner
    return [held] if held[0] is not part and not isinstance(held[0], ast.Name | ast.Attribute) else []


def _values(part: ast.expr) -> list[ast.expr]:
    """Return the names inside an expression; the outer name of an attribute is none of its own, nor a function's."""
    return [each for each in ast.walk(part) if isinstance(each, ast.Name | ast.Attribute) and _is_value(each, part)]


def _is_value(each: ast.expr, whole: ast.expr) -> bool:
    for node in ast.walk(whole):
        if isinstance(node, ast.Call) and (node.func is each or _inside(each, node.func)):
            return False
        if isinstance(node, ast.Attribute) and node.value is each:
            return False
    return True


def _inside(each: ast.expr, outer: ast.expr) -> bool:
    return any(node is each for node in ast.walk(outer))


def _around(path: str, node: ast.expr, guard: SourceLocation | None) -> list[ast.expr]:
    """Return the expressions around `node`: that of the op which it guards, then wider ones of its statement."""
    wanted = guard.span if guard is not None and guard.path == path else None
    return sorted(_holding(path, node), key=lambda each: source.span(each) != wanted)[:2]


def _holding(path: str, node: ast.expr) -> list[ast.expr]:
    """Return the operations and calls of the statement that have `node` among their operands, the innermost first."""
    statement = source.statement(path, node.lineno)
    holding: list[ast.expr] = [
        each
        for each in (ast.walk(statement) if statement is not None else ())
        if isinstance(each, ast.BinOp | ast.Call) and each is not node and _inside(node, each)
    ]
    holding.sort(key=lambda each: len(ast.unparse(each)))
    return [each for each in holding if not isinstance(each, ast.Call) or not _inside(node, each.func)]
