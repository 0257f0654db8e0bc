"""What an edit does to the float32 model: casts come to nothing there, another number does not."""

from __future__ import annotations

import ast
import re

import numpy as np

from nqperf.casts.edits.casting import is_cast
from nqperf.casts.edits.text import Edit, expression
from nqperf.casts.trace import source

# Types by name other than float32: what is cast to one is rounded in every model.
_NAMED = re.compile(r"\b(?:bfloat16|float16|half|float64|double)\b")
_BOUNDS = ("min", "max")


def changes_in_float32(edit: Edit) -> tuple[str, ...]:
    """Return what `edit` changes in the values of a model in float32, each in words; a number, or a type by name.

    A cast to a layer's or an operand's own dtype changes nothing there.
    """
    text = source.text_at(edit.path)
    written = " ".join(f"{change.before} {change.after}" for change in edit.changes)
    found = []
    for change in edit.changes:
        if not change.drops:
            continue
        old, new = expression(text, change.span), change.before
        value = _number(new)
        if value is not None and value != _number(old):
            found.append(f"{old} becomes {_uncast(new)}{_told(new, value)}")
        elif value is None and (names := set(_NAMED.findall(old)) - set(_NAMED.findall(written))):
            found.append(f"nothing is rounded to {' or '.join(sorted(names))}")
    return tuple(dict.fromkeys(found))


def _told(text: str, value: float) -> str:
    """Return what the number that `text` says is, where it does not say so itself."""
    return f", which is {value:g} there" if isinstance(_node(text), ast.Attribute) else ""


def _uncast(text: str) -> str:
    node = _node(text)
    return text if node is None else ast.unparse(node)


def _node(text: str) -> ast.expr | None:
    """Return the expression in `text` without a cast around it; None for what is none."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    return node.args[0] if isinstance(node, ast.Call) and node.args and is_cast(node) else node


def _number(text: str) -> float | None:
    """Return the number that `text` says in a model in float32, None for what says none that is known."""
    node = _node(text)
    if isinstance(node, ast.Attribute) and node.attr in _BOUNDS and not _NAMED.search(text):
        return float(getattr(np.finfo(np.float32), node.attr))
    try:
        value = ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None
    return float(np.float32(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None
