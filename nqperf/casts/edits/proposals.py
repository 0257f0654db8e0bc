"""What could mend a conflict, the best first: candidates that are worth nothing until they have been tried.

A cast goes toward the layer's compute dtype or the other operand's, never to a half type by name; up to float32 only
for ops that must not run in a half type. Where a file knows no way to cast, the edit brings an import.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence

from nqperf.casts.edits import widening
from nqperf.casts.edits.branches import for_functions
from nqperf.casts.edits.casting import OWN, and_back, cast_call, first, is_cast, names_of_dtypes, retargeted, wrapped
from nqperf.casts.edits.text import Change, Edit, expression
from nqperf.casts.trace import source
from nqperf.casts.trace.records import HALVES, WIDE, Event, Operand, SourceLocation, Span

_FAR = ("10000.0", "-10000.0")  # what stands for "none of this", and has room below the half type's maximum


def for_mismatch(
    event: Event, origins: Sequence[SourceLocation | None] = (), masks: Sequence[Edit] = ()
) -> tuple[Edit, ...]:
    """Return casts of the operands of `event` that have the wrong type.

    `origins` are where wide values began, `masks` edits that make a number small enough for the cast.
    """
    if event.location is None:
        return ()
    here = [*(_up(event) if event.target in WIDE else _down(event))]
    handed = ['"float32"'] if event.target in WIDE else []
    here += for_functions(event, names_of_dtypes(event.location, [*handed, *event.dtype_names]))
    there = [edit for origin in origins for edit in at_origin(origin, event.dtype_names)]
    back = [] if event.target in WIDE else [*_up(event)]
    small = [
        Edit(path=edit.path, changes=(*edit.changes, *mask.changes), imports=edit.imports)
        for mask in masks
        for edit in [*there[:2], *here[:4], *there[2:4]]
        if edit is not None and edit.path == mask.path
    ]
    return first([*small, *here, *there, *back])


def for_write(event: Event) -> tuple[Edit, ...]:
    """Return the cast of the value of `event` to the dtype of the variable that it is written to."""
    location = event.location
    node = source.expression(location, event.op_type) if location is not None else None
    if location is None or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return ()
    dtype = f"{ast.unparse(node.func.value)}.dtype"
    return first([wrapped(location.path, [source.span(node.args[0])], dtype)])


def at_origin(origin: SourceLocation | None, dtypes: Sequence[str]) -> Iterator[Edit | None]:
    """Yield casts of the expression at `origin`, in which a wide float begins.

    `dtypes` are expressions for the dtype to cast to; without any it is the layer's compute dtype.
    """
    if origin is None:
        return
    names = names_of_dtypes(origin, dtypes)
    for make in (retargeted, wrapped):
        yield from (make(origin.path, [span], dtype) for span in _spans_of(origin) for dtype in names)


def for_leak(origin: SourceLocation | None) -> tuple[Edit, ...]:
    """Return casts of what begins a leak at `origin` to its layer's compute dtype."""
    return first(at_origin(origin, ()))


def without_cast(location: SourceLocation | None) -> tuple[Edit, ...]:
    """Return the edit that takes the cast written at `location` out and leaves what it casts."""
    node = source.expression(location, "Cast") if location is not None else None
    if location is None or not isinstance(node, ast.Call) or not node.args or not is_cast(node):
        return ()
    text = source.text_at(location.path)
    inner = expression(text, source.span(node.args[0]))
    return (Edit(path=location.path, changes=(Change(span=source.span(node), before=inner, drops=True),)),)


def finite_mask(location: SourceLocation | None, number: float, half: str) -> tuple[Edit, ...]:
    """Return edits at `location` that write `number` as one that `half` holds, or what stands for it there."""
    if location is None:
        return ()
    statement = source.statement(location.path, location.line)
    inside = list(ast.walk(statement)) if statement is not None else []
    literals = [part for part in inside if isinstance(part, ast.Constant | ast.UnaryOp) and _equals(part, number)]
    far = _FAR[number < 0]
    found = [_replaced(location.path, source.span(part), far) for part in literals]
    if not literals:
        # A name, or an expression such as np.finfo(np.float32).min.
        operations = [part for part in inside if isinstance(part, ast.BinOp | ast.Call)]
        parts = {source.span(part): part for each in operations for part in source.parts_of(each)}
        dtypes = [each for each in names_of_dtypes(location) if each.endswith(".dtype")]
        bound = "max" if number > 0 else "min"
        for span in sorted(parts, key=lambda each: not isinstance(parts[each], ast.Attribute)):
            found += [_replaced(location.path, span, far)] if half == "float16" else []
            found += [_replaced(location.path, span, f"{dtype}.{bound}") for dtype in dtypes[:2]]
    return first(found)


def finite_masks(numbers: Sequence[tuple[SourceLocation | None, float]], half: str) -> tuple[Edit, ...]:
    """Return the edit that writes each of `numbers`, in one file, smaller, so that their sum is finite in `half`."""
    edits = [edit for location, number in numbers for edit in finite_mask(location, number, half)]
    changes = tuple(dict.fromkeys(each for edit in edits for each in edit.changes if each.before in _FAR))
    if not changes or len({edit.path for edit in edits}) > 1:
        return ()
    return (Edit(path=edits[0].path, changes=changes),)


def _replaced(path: str, span: Span, text: str) -> Edit:
    return Edit(path=path, changes=(Change(span=span, before=text, drops=True),))


def _equals(part: ast.expr, number: float) -> bool:
    try:
        value = ast.literal_eval(part)
    except ValueError:
        return False
    return isinstance(value, int | float) and math.isclose(float(value), number)


def _down(event: Event) -> Iterator[Edit | None]:
    location = event.location
    assert location is not None  # noqa: S101  # the caller has asked; this tells the type checker
    node = source.expression(location, event.op_type)
    wrong = [operand for operand in event.operands if operand.dtype != event.target]
    known = [operand.span for operand in wrong if operand.span is not None]
    dtypes = names_of_dtypes(location, [*event.dtype_names, *_partners(event, node)])
    if known and len(known) == len(wrong):
        large = [operand for operand in wrong if operand.number]
        if large and event.value is not None:
            yield from _minimum(location, large, dtypes)
        yield from (wrapped(location.path, known, dtype) for dtype in dtypes)
    parts = [source.span(part) for part in source.parts_of(node)] if node is not None else []
    yield from (wrapped(location.path, [span], dtype) for span in parts for dtype in dtypes)


def _minimum(location: SourceLocation, numbers: Sequence[Operand], dtypes: Sequence[str]) -> Iterator[Edit]:
    """Yield the smallest number of a dtype in the place of one that it cannot hold."""
    for dtype in dtypes:
        call, imports = cast_call(location.path)
        changes = tuple(
            Change(span=operand.span, before=f"{call}({dtype}.min, {dtype})", drops=True)
            for operand in numbers
            if operand.span is not None
        )
        yield Edit(path=location.path, changes=changes, imports=imports)


def _up(event: Event) -> Iterator[Edit | None]:
    """Yield edits that compute the op in float32, and with its result brought back: first where it is to be narrow."""
    location = event.location
    node = source.expression(location, event.op_type) if location is not None else None
    if location is None or node is None:
        return
    wrong = [operand.span for operand in event.operands if operand.dtype in HALVES and operand.span is not None]
    spans = [wrong] if wrong else [[source.span(part)] for part in source.parts_of(node)]
    for chosen in spans:
        wide = wrapped(location.path, chosen, '"float32"')
        if event.kind == "unsupported":
            yield from widening.told_float32(location, event.op_type)
            yield from (and_back(wide, source.span(node), dtype) for dtype in (*event.dtype_names, OWN))
        back = [and_back(wide, source.span(node), dtype) for dtype in names_of_dtypes(location, event.dtype_names)]
        yield from [wide, *back] if event.target in WIDE else [*back, wide]


def _partners(event: Event, node: ast.AST | None) -> list[str]:
    """Return dtypes by the other operands' names, where the line alone is known and not what its names hold."""
    right = {operand.span for operand in event.operands if operand.dtype == event.target}
    parts = source.operands(node) if node is not None else []
    simple = [part for part in parts if isinstance(part, ast.Name | ast.Attribute)]
    named = [part for part in simple if source.span(part) in right] or [
        part for part in simple if source.span(part) not in {operand.span for operand in event.operands}
    ]
    return [f"{ast.unparse(part)}.dtype" for part in named]


def _spans_of(location: SourceLocation) -> list[Span]:
    node = source.expression(location, "")
    if node is not None:
        return [source.span(node)]
    return [location.span] if location.span is not None else []
