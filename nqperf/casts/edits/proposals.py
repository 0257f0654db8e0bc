"""What could mend a conflict, the best first: candidates that are worth nothing until they have been tried.

A cast goes toward the layer's compute dtype or the other operand's, never to a half type by name; up to float32 only
for ops that must not run in a half type. Where a file knows no way to cast, the edit brings an import.
"""

# Long: one proposal a rule, which are read beside each other.
from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Sequence

from nqperf.casts.edits.text import Change, Edit, expression
from nqperf.casts.trace import source
from nqperf.casts.trace.records import HALVES, WIDE, Event, Operand, OpRecord, SourceLocation, Span

_MOST = 24  # candidates of one finding that are tried
_IMPORT = "import tensorflow as tf"
_OWN = "self.compute_dtype"


def for_mismatch(
    event: Event, origins: Sequence[SourceLocation | None] = (), masks: Sequence[Edit] = ()
) -> tuple[Edit, ...]:
    """Return casts of the operands of `event` that have the wrong type.

    `origins` are where wide values began, `masks` edits that make a number small enough for the cast.
    """
    if event.location is None:
        return ()
    here = [*(_up(event) if event.target in WIDE else _down(event))]
    there = [edit for origin in origins for edit in at_origin(origin, event.dtype_names)]
    back = [] if event.target in WIDE else [*_up(event)]
    small = [
        Edit(path=edit.path, changes=(*edit.changes, *mask.changes), imports=edit.imports)
        for mask in masks
        for edit in [*there[:2], *here[:4], *there[2:4]]
        if edit is not None and edit.path == mask.path
    ]
    return _first([*small, *here, *there, *back])


def for_branch(event: Event) -> tuple[Edit, ...]:
    """Return casts of what a branch of `event` returns, or of what a loop starts with."""
    if event.location is None:
        return ()
    path, dtypes = event.location.path, list(event.dtype_names) or [_OWN]
    node = source.expression(event.location, event.op_type)
    wrong = [number for number, operand in enumerate(event.operands) if operand.dtype != event.target]
    candidates: list[Span] = []
    for number in wrong:
        operand = event.operands[number]
        branches = [part for part in source.operands(node) if isinstance(part, ast.Lambda)] if node is not None else []
        if event.op_type != "While" and len(branches) == len(event.operands):
            candidates.append(source.span(branches[number].body))
        if operand.span is not None:
            candidates.append(operand.span)
        if operand.made_at is not None and operand.made_at.path == path:
            candidates += _spans_of(operand.made_at)
            candidates += _assigned(operand.made_at)
    return _first(_wrapped(path, [span], dtype) for span in candidates for dtype in dtypes)


def for_write(event: Event) -> tuple[Edit, ...]:
    """Return the cast of the value of `event` to the dtype of the variable that it is written to."""
    location = event.location
    node = source.expression(location, event.op_type) if location is not None else None
    if location is None or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return ()
    dtype = f"{ast.unparse(node.func.value)}.dtype"
    return _first([_wrapped(location.path, [source.span(node.args[0])], dtype)])


def at_origin(origin: SourceLocation | None, dtypes: Sequence[str]) -> Iterator[Edit | None]:
    """Yield casts of the expression at `origin`, in which a wide float begins.

    `dtypes` are expressions for the dtype to cast to; without any it is the layer's compute dtype.
    """
    if origin is None:
        return
    names = dtypes or (_OWN,)
    yield from _retargeted(origin, names)
    yield from (_wrapped(origin.path, [span], dtype) for span in _spans_of(origin) for dtype in names)


def for_leak(origin: SourceLocation | None) -> tuple[Edit, ...]:
    """Return casts of what begins a leak at `origin` to its layer's compute dtype."""
    return _first(at_origin(origin, ()))


def without_cast(location: SourceLocation | None) -> tuple[Edit, ...]:
    """Return the edit that takes the cast written at `location` out and leaves what it casts."""
    node = source.expression(location, "Cast") if location is not None else None
    if location is None or not isinstance(node, ast.Call) or not node.args or not _is_cast(node):
        return ()
    text = source.text_at(location.path)
    inner = expression(text, source.span(node.args[0]))
    return (Edit(path=location.path, changes=(Change(span=source.span(node), before=inner, drops=True),)),)


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
    return _first(
        _wide_inside(location.path, whole, leaves, f"{ast.unparse(leaves[0])}.dtype" if dtype is None else dtype)
        for whole in wholes
        for leaves in _leaves(node)
        for dtype in (None, _OWN)
    )


def kept_wide(op: OpRecord) -> tuple[Edit, ...]:
    """Return edits that hand `op` its operands in float32 and leave the result so: who needs it narrow casts it."""
    node = source.expression(op.location, op.op_type) if op.location is not None else None
    if op.location is None or node is None or isinstance(node, ast.AugAssign):
        return ()
    path = op.location.path
    parts = [[part] for part in source.parts_of(node)]
    return _first(
        _wrapped(path, [source.span(each) for each in chosen], '"float32"') for chosen in [*_leaves(node), *parts]
    )


def cast_inside(location: SourceLocation | None) -> tuple[Edit, ...]:
    """Return edits of the cast written at `location` that put it on what is computed, not on the result."""
    node = source.expression(location, "Cast") if location is not None else None
    if location is None or not isinstance(node, ast.Call) or not node.args or not _is_cast(node):
        return ()
    call, dtype = ast.unparse(node.func), ", ".join(ast.unparse(each) for each in node.args[1:])
    keyword = next((ast.unparse(each.value) for each in node.keywords if each.arg == "dtype"), dtype)
    inner = node.args[0]
    names = [each for each in ast.walk(inner) if isinstance(each, ast.Name | ast.Attribute) and _is_value(each, inner)]
    before, after = _ends(node, inner)
    unwrapped = (Change(span=before, before="", drops=True), Change(span=after, before="", drops=True))
    wrapped = tuple(Change(span=source.span(each), before=f"{call}(", after=f", {keyword})") for each in names)
    return (Edit(path=location.path, changes=(*unwrapped, *wrapped)),) if names else ()


def _ends(outer: ast.expr, inner: ast.expr) -> tuple[Span, Span]:
    """Return what of `outer` stands before `inner`, and what behind it."""
    first, last = source.span(outer), source.span(inner)
    return (*first[:2], *last[:2]), (*last[2:], *first[2:])


def finite_mask(location: SourceLocation | None, number: float, half: str) -> tuple[Edit, ...]:
    """Return the edit that writes a mask's `number`, at `location`, as one that the type `half` holds.

    There is one for float16 and numbers below zero alone.
    """
    if location is None or number > 0 or half != "float16":
        return ()
    statement = source.statement(location.path, location.line)
    literals = [
        part
        for part in (ast.walk(statement) if statement is not None else ())
        if isinstance(part, ast.Constant | ast.UnaryOp) and _equals(part, number)
    ]
    spans = {source.span(part) for part in literals}
    return tuple(
        Edit(path=location.path, changes=(Change(span=span, before="-10000.0", drops=True),)) for span in spans
    )


def _retargeted(origin: SourceLocation, dtypes: Sequence[str]) -> Iterator[Edit | None]:
    """Yield a cast that is written there with another dtype: cast(x, "float32") becomes cast(x, self.compute_dtype)."""
    node = source.expression(origin, "Cast")
    if not isinstance(node, ast.Call) or len(node.args) + len(node.keywords) != 2:  # noqa: PLR2004  # value, dtype
        return
    if not _is_cast(node):
        return
    target = node.args[1] if len(node.args) > 1 else node.keywords[0].value
    for dtype in dtypes:
        change = Change(span=source.span(target), before=dtype, drops=True)
        yield Edit(path=origin.path, changes=(change,))


def _is_root(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sqrt"


def _is_cast(node: ast.Call) -> bool:
    return ast.unparse(node.func).split(".")[-1] == "cast"


def _covers(outer: Span, inner: Span) -> bool:
    return outer[:2] <= inner[:2] and inner[2:] <= outer[2:]


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
    dtypes = [*event.dtype_names, *_partners(event, node)]
    if known and len(known) == len(wrong):
        large = [operand for operand in wrong if operand.number]
        if large and event.value is not None:
            yield from _minimum(location, large, dtypes)
        yield from (_wrapped(location.path, known, dtype) for dtype in dtypes)
    parts = [source.span(part) for part in source.parts_of(node)] if node is not None else []
    yield from (_wrapped(location.path, [span], dtype) for span in parts for dtype in dtypes)


def _minimum(location: SourceLocation, numbers: Sequence[Operand], dtypes: Sequence[str]) -> Iterator[Edit]:
    """Yield the smallest number of a dtype in the place of one that it cannot hold."""
    for dtype in dtypes:
        call, imports = _cast(location.path)
        changes = tuple(
            Change(span=operand.span, before=f"{call}({dtype}.min, {dtype})", drops=True)
            for operand in numbers
            if operand.span is not None
        )
        yield Edit(path=location.path, changes=changes, imports=imports)


def _up(event: Event) -> Iterator[Edit | None]:
    """Yield edits that compute the op in float32; then with its result brought back."""
    location = event.location
    node = source.expression(location, event.op_type) if location is not None else None
    if location is None or node is None:
        return
    wrong = [operand.span for operand in event.operands if operand.dtype in HALVES and operand.span is not None]
    spans = [wrong] if wrong else [[source.span(part)] for part in source.parts_of(node)]
    for chosen in spans:
        wide = _wrapped(location.path, chosen, '"float32"')
        if event.kind == "unsupported":
            yield from (_and_back(wide, source.span(node), dtype) for dtype in (*event.dtype_names, _OWN))
        yield wide
        yield from (_and_back(wide, source.span(node), dtype) for dtype in event.dtype_names)


def _and_back(wide: Edit | None, whole: Span, dtype: str) -> Edit | None:
    if wide is None:
        return None
    call, imports = _cast(wide.path)
    back = Change(span=whole, before=f"{call}(", after=f", {dtype})")
    return Edit(path=wide.path, changes=(back, *wide.changes), imports=imports)


def _wide_inside(path: str, whole: ast.expr, leaves: Sequence[ast.expr], dtype: str) -> Edit | None:
    return _and_back(_wrapped(path, [source.span(leaf) for leaf in leaves], '"float32"'), source.span(whole), dtype)


def _leaves(node: ast.expr) -> list[list[ast.expr]]:
    """Return what may be handed in wide: the names inside the operands, then the first operand as it stands."""
    parts = source.parts_of(node)
    if not parts:
        return []
    first = parts[0]
    inside: list[ast.expr] = [
        each for each in ast.walk(first) if isinstance(each, ast.Name | ast.Attribute) and _is_value(each, first)
    ]
    # The outer name of an attribute is no value of its own, and a function's name is none.
    choices = [[each] for each in inside[:2]]
    both: list[ast.expr] = [part for part in parts if isinstance(part, ast.Name | ast.Attribute)]
    return [*([inside] if len(inside) > 1 else []), *choices, [first], *([both] if len(both) > 1 else [])]


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
    statement = source.statement(path, node.lineno)
    holding: list[ast.expr] = [
        each
        for each in (ast.walk(statement) if statement is not None else ())
        if isinstance(each, ast.BinOp | ast.Call) and each is not node and _inside(node, each)
    ]
    wanted = guard.span if guard is not None and guard.path == path else None
    holding.sort(key=lambda each: (source.span(each) != wanted, len(ast.unparse(each))))
    return [each for each in holding if not isinstance(each, ast.Call) or not _inside(node, each.func)][:2]


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


def _assigned(location: SourceLocation) -> list[Span]:
    """Return the right side of the assignment, or what is returned, at a line."""
    statement = source.statement(location.path, location.line)
    value = getattr(statement, "value", None)
    return [source.span(value)] if isinstance(value, ast.expr) else []


def _cast(path: str) -> tuple[str, tuple[str, ...]]:
    known = source.cast_names(path)
    return (known[0], ()) if known else ("tf.cast", (_IMPORT,))


def _wrapped(path: str, spans: Sequence[Span], dtype: str, call: str | None = None) -> Edit | None:
    """Return the edit that casts what stands at `spans`; a keyword's value, a name or an expression."""
    known, imports = _cast(path)
    name = call or known
    changes = tuple(Change(span=span, before=f"{name}(", after=f", {dtype})") for span in dict.fromkeys(spans))
    return Edit(path=path, changes=changes, imports=imports) if changes else None


def _other_names(edit: Edit) -> Iterator[Edit]:
    """Yield the edit with each other way to cast that its file knows."""
    first, *others = source.cast_names(edit.path) or [""]
    for other in others:
        changes = tuple(
            Change(
                span=each.span, before=each.before.replace(f"{first}(", f"{other}("), after=each.after, drops=each.drops
            )
            for each in edit.changes
        )
        yield Edit(path=edit.path, changes=changes, imports=edit.imports)


def _first(candidates: Iterable[Edit | None]) -> tuple[Edit, ...]:
    """Return the first candidates, each once, and after the first few with the file's other ways to cast."""
    found: dict[Edit, None] = {}
    for edit in candidates:
        if edit is not None and len(found) < _MOST:
            found.setdefault(edit)
    for edit in list(found)[:4]:
        for other in _other_names(edit):
            found.setdefault(other)
    return tuple(found)
