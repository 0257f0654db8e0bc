"""A cast as an edit: written with the names that its file knows, to a dtype that can be had where it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from nqperf.casts.edits.text import Change, Edit
from nqperf.casts.trace import source
from nqperf.casts.trace.records import SourceLocation, Span

OWN = "self.compute_dtype"
_MOST = 24  # candidates of one finding that are tried
_MOST_NAMES = 4  # dtypes by the names of a function's parameters
_IMPORT = "import tensorflow as tf"


def names_of_dtypes(location: SourceLocation, known: Sequence[str] = ()) -> list[str]:
    """Return expressions for a dtype that may be had at `location`: the `known` ones, the layer's, its parameters'."""
    parameters = source.parameters_at(location)
    own = [OWN] if "self" in parameters else []
    others = [f"{name}.dtype" for name in parameters if name != "self"]
    return list(dict.fromkeys([*known, *own, *others[:_MOST_NAMES]]))


def wrapped(path: str, spans: Sequence[Span], dtype: str) -> Edit | None:
    """Return the edit of the file at `path` that casts what stands at `spans` to `dtype`, None without spans."""
    name, imports = cast_call(path)
    changes = tuple(Change(span=span, before=f"{name}(", after=f", {dtype})") for span in dict.fromkeys(spans))
    return Edit(path=path, changes=changes, imports=imports) if changes else None


def retargeted(path: str, spans: Sequence[Span], dtype: str) -> Edit | None:
    """Return the edit by which casts at `spans` of the file `path` go to `dtype`, None where one is no such cast.

    cast(x, "float32") becomes cast(x, self.compute_dtype); a second cast around it would be one for nothing.
    """
    changes = []
    for span in dict.fromkeys(spans):
        node = source.node_at(path, span)
        whole = isinstance(node, ast.Call) and len(node.args) + len(node.keywords) == 2  # noqa: PLR2004  # value, dtype
        if not isinstance(node, ast.Call) or not whole or not is_cast(node):
            return None
        target = node.args[1] if len(node.args) > 1 else node.keywords[0].value
        changes.append(Change(span=source.span(target), before=dtype, drops=True))
    return Edit(path=path, changes=tuple(changes)) if changes else None


def and_back(wide: Edit | None, whole: Span, dtype: str) -> Edit | None:
    """Return the edit with `whole` cast to `dtype` around what `wide` casts."""
    if wide is None:
        return None
    call, imports = cast_call(wide.path)
    back = Change(span=whole, before=f"{call}(", after=f", {dtype})")
    return Edit(path=wide.path, changes=(back, *wide.changes), imports=imports)


def first(candidates: Iterable[Edit | None]) -> tuple[Edit, ...]:
    """Return the first `candidates`, each once, and after the first few with the file's other ways to cast."""
    found: dict[Edit, None] = {}
    for edit in candidates:
        if edit is not None and len(found) < _MOST:
            found.setdefault(edit)
    for edit in list(found)[:4]:
        for other in _other_names(edit):
            found.setdefault(other)
    return tuple(found)


def cast_call(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the call by which the file at `path` casts, and the import lines that it needs for it."""
    known = source.cast_names(path)
    return (known[0], ()) if known else ("tf.cast", (_IMPORT,))


def is_cast(node: ast.Call) -> bool:
    """Whether the call `node` is a cast, of whatever module."""
    return ast.unparse(node.func).split(".")[-1] == "cast"


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
