"""Edits by which a layer is made in float32: dtype="float32" in the call that makes it."""

from __future__ import annotations

import ast
import re

from nqperf.casts.edits.text import Change, Edit
from nqperf.casts.trace import source
from nqperf.casts.trace.records import SourceLocation

# An op may lie in a layer of Keras itself, where nobody can cast: the user's line only makes or calls that layer.
IN_FLOAT32 = (
    'compute it in float32: cast what goes in to "float32", and the result back; '
    'where it is a layer of Keras itself, make that layer with dtype="float32"'
)

_WIDE = '"float32"'


def made_in_float32(location: SourceLocation | None, layer: str) -> tuple[Edit, ...]:
    """Return the edits that make `layer`, a path, which is called at `location`, in float32; none where no line does.

    It is for what a layer of somebody else's computes, as Keras's own do: nobody can cast inside of it. Found are
    `Layer(...)(x)`, `self.layer(x)` where the class says `self.layer = Layer(...)`, and `Sequential([Layer(...)])`.
    """
    called = source.expression(location, "") if location is not None and location.column is not None else None
    if location is None or not isinstance(called, ast.Call):
        return ()
    made = called.func if isinstance(called.func, ast.Call) else _assigned(location.path, called)
    found = _handed_in(called, layer.rpartition("/")[2]) if made is None else [made]
    return tuple(with_dtype(location.path, each) for each in found)


def with_dtype(path: str, made: ast.Call) -> Edit:
    """Return the edit of the file `path` that hands dtype="float32" to the call `made`."""
    given = next((each.value for each in made.keywords if each.arg == "dtype"), None)
    if given is not None:
        return Edit(path=path, changes=(Change(span=source.span(given), before=_WIDE, drops=True),))
    last = [*made.args, *(each.value for each in made.keywords)]
    if last:
        behind = max(last, key=lambda each: source.span(each)[2:])
        change = Change(span=source.span(behind), before="", after=f", dtype={_WIDE}")
    else:
        change = Change(
            span=(*source.span(made.func)[2:], *source.span(made)[2:]), before=f"(dtype={_WIDE})", drops=True
        )
    return Edit(path=path, changes=(change,))


def _handed_in(called: ast.Call, name: str) -> list[ast.Call]:
    """Return the calls in the arguments of `called` that may make the layer `name`: by its own name, or its class's."""
    inside = [each for part in [*called.args, *(one.value for one in called.keywords)] for each in ast.walk(part)]
    return [each for each in inside if isinstance(each, ast.Call) and _makes(each, name)]


def _makes(call: ast.Call, name: str) -> bool:
    own = next((each.value for each in call.keywords if each.arg == "name"), None)
    if own is not None:
        return isinstance(own, ast.Constant) and own.value == name
    # Keras names a layer by its class, and counts: global_average_pooling1d_2.
    kind = ast.unparse(call.func).rpartition(".")[2].lower()
    return kind == re.sub(r"_\d+$", "", name).replace("_", "")


def _assigned(path: str, called: ast.Call) -> ast.Call | None:
    """Return the only call in the class around `called`, `self.name(...)`, whose value is assigned to `self.name`."""
    target, tree = called.func, source.tree_of(path)
    if not isinstance(target, ast.Attribute) or tree is None:
        return None
    around = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.ClassDef) and each.lineno <= called.lineno <= (each.end_lineno or each.lineno)
    ]
    inner = max(around, key=lambda each: each.lineno, default=None)
    found = [
        each.value
        for each in (() if inner is None else ast.walk(inner))
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == ast.unparse(target)
    ]
    return found[0] if len(found) == 1 and isinstance(found[0], ast.Call) else None
