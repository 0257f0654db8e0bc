"""What could mend branches or loop rounds of different float types: casts of what they return or start with."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from nqperf.casts.edits.casting import first, names_of_dtypes, retargeted, wrapped
from nqperf.casts.edits.text import Edit
from nqperf.casts.trace import source
from nqperf.casts.trace.records import Event, SourceLocation, Span

_FLOW = (ast.If, ast.While, ast.For, ast.IfExp)


def for_branch(event: Event) -> tuple[Edit, ...]:
    """Return casts for a branch `event`: of what branches or rounds return or assign, or of what a loop starts with."""
    if event.location is None:
        return ()
    path = event.location.path
    dtypes = names_of_dtypes(event.location, event.dtype_names)
    groups = list(dict.fromkeys(tuple(group) for group in _groups(event) if group))
    # A loop is mended where it starts rather than in every round; of branches, what is made wide is narrowed.
    return first(make(path, group, dtype) for group in groups for make in (retargeted, wrapped) for dtype in dtypes)


def for_functions(event: Event, dtypes: list[str]) -> Iterator[Edit | None]:
    """Yield casts to `dtypes` of what functions return that are handed to the call at `event`, as map_fn takes them."""
    node = source.expression(event.location, event.op_type) if event.location is not None else None
    if event.location is None or not isinstance(node, ast.Call):
        return
    for each in _returned(event.location, node):
        for span in _spans(each):
            for make in (retargeted, wrapped):
                yield from (make(event.location.path, [span], dtype) for dtype in dtypes)


def _groups(event: Event) -> Iterator[list[Span]]:
    """Yield pieces of source that may be cast together, the likeliest first."""
    location = event.location
    assert location is not None  # noqa: S101  # the caller has asked; this tells the type checker
    node = source.expression(location, event.op_type)
    wrong = [number for number, operand in enumerate(event.operands) if operand.dtype != event.target]
    returned = _returned(location, node) if isinstance(node, ast.Call) else []
    if event.op_type != "While" and len(returned) == len(event.operands):
        choices = [_spans(returned[number]) for number in wrong]
        yield from (list(each) for each in itertools.islice(itertools.product(*choices), 8))
    for number in wrong:
        operand = event.operands[number]
        if operand.span is not None:
            yield [operand.span]
        if operand.made_at is not None and operand.made_at.path == location.path:
            yield _made(operand.made_at)
            yield _assigned(operand.made_at)
    if event.op_type == "While" and isinstance(node, ast.Call):
        # Loop variables stand in a tuple of the call's.
        yield from ([source.span(part)] for part in source.parts_of(node))
    yield from ([span] for each in returned for span in _spans(each))
    yield from ([span] for span in _in_statement(location))


def _returned(location: SourceLocation, node: ast.Call) -> list[ast.expr]:
    """Return what each function among the arguments of a call returns, in the order in which they are written."""
    found: list[ast.expr] = []
    waiting: list[ast.AST] = [*node.args, *(keyword.value for keyword in node.keywords)]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, ast.Lambda):
            found.append(part.body)
        elif isinstance(part, ast.List | ast.Tuple):
            waiting = [*part.elts, *waiting]
        elif isinstance(part, ast.Dict):
            waiting = [*part.values, *waiting]
        elif isinstance(part, ast.Name | ast.Attribute):
            name = part.id if isinstance(part, ast.Name) else part.attr
            function = source.definition(location.path, name, location.line)
            if function is not None:
                found += [each for each in [_result_of(function)] if each is not None]
    return found


def _result_of(function: ast.FunctionDef) -> ast.expr | None:
    """Return what the last return of a function returns."""
    returns = [each.value for each in ast.walk(function) if isinstance(each, ast.Return) and each.value is not None]
    return max(returns, key=lambda each: each.lineno, default=None)


def _spans(value: ast.expr) -> list[Span]:
    """Return the piece of source to cast: the value, or each of its parts where it is several."""
    if isinstance(value, ast.Tuple | ast.List):
        return [span for each in value.elts for span in _spans(each)]
    if isinstance(value, ast.Dict):
        return [span for each in value.values for span in _spans(each)]
    return [source.span(value)]


def _made(location: SourceLocation) -> list[Span]:
    node = source.expression(location, "") if location.column is not None else None
    if node is not None:
        return [source.span(node)]
    return [location.span] if location.span is not None else []


def _assigned(location: SourceLocation) -> list[Span]:
    """Return the right side of the assignment, or what is returned, at a line."""
    statement = source.statement(location.path, location.line)
    value = getattr(statement, "value", None)
    return _spans(value) if isinstance(value, ast.expr) else []


def _in_statement(location: SourceLocation) -> Iterator[Span]:
    """Yield what an `if`, a loop or a conditional expression that autograph has made a branch of chooses or assigns."""
    flow = [node for node in source.nodes_at(location.path, location.line) if isinstance(node, _FLOW)]
    for node in flow:
        if isinstance(node, ast.IfExp):
            yield from (source.span(node.body), source.span(node.orelse))
            continue
        names: set[str] = set()
        for statement in ast.walk(node):
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Return) and statement.value is not None:
                yield from _spans(statement.value)
                names |= _targets(statement)
        # What the branch or the loop starts from: the assignments before it.
        for statement in source.statements_before(location.path, node):
            if isinstance(statement, ast.Assign) and _targets(statement) & names:
                yield from _spans(statement.value)


def _targets(statement: ast.stmt) -> set[str]:
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return {each.id for each in targets if isinstance(each, ast.Name)}
