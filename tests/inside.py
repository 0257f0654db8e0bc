"""What tests touch that is private to a room of the package: names with one leading underscore.

A test stands in the room that its folder mirrors, and may look inside that room alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.floors import module_of, room_of, sources, tree_of

TESTS = Path(__file__).parent
_PATH = re.compile(r"nqperf(\.\w+)+")


def room_of_test(path: Path) -> str:
    """Return the room that a file of the tests mirrors; its own name where it mirrors none."""
    parts = path.relative_to(TESTS).with_suffix("").parts
    folders = ".".join(part.removeprefix("test_") for part in parts[:-1])
    return room_of(folders or parts[-1].removeprefix("test_"))


@cache
def private_names() -> Mapping[str, frozenset[str]]:
    """Return the rooms in which each private name is defined, as a function, class, variable or attribute."""
    found: dict[str, set[str]] = {}
    for path in sources():
        for node in ast.walk(tree_of(path)):
            for name in _defined(node):
                if is_private(name):
                    found.setdefault(name, set()).add(room_of(module_of(path)))
    return {name: frozenset(rooms) for name, rooms in found.items()}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.id if isinstance(node, ast.Name) else node.attr


def touched(tree: ast.AST, own: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of each use of what is private to a room other than `own`, and of each skipped __init__.

    An attribute of an object whose type is not known counts where another room defines its name and `own` does not.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = (f"{node.module}.{name.name}" for name in node.names)
            yield from ((node.lineno, name) for name in names if _is_foreign_path(name, own))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_foreign_path(node.value, own):
            yield node.lineno, node.value
        elif isinstance(node, ast.Attribute):
            if node.attr == "__new__":
                yield node.lineno, f"{ast.unparse(node)} skips __init__"
            elif not _is_self(node.value) and _is_foreign(node.attr, own):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call):
            yield from _patched(node, own)


def _is_foreign(name: str, own: str) -> bool:
    """Return whether `name` is private to other rooms than `own`."""
    rooms = private_names().get(name, frozenset())
    return bool(rooms) and own not in rooms


def _is_foreign_path(name: str, own: str) -> bool:
    """Return whether a dotted name of the package has a private part, in another room than `own`."""
    path = _PATH.fullmatch(name) is not None and any(map(is_private, name.split(".")))
    return path and room_of(name.removeprefix("nqperf.")) != own


def _patched(node: ast.Call, own: str) -> Iterator[tuple[int, str]]:
    """Yield what monkeypatch.setattr(owner, "_name", ...) touches, and getattr likewise."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in {"setattr", "delattr", "getattr"} or len(node.args) < 2:
        return
    name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
    if isinstance(name, str) and _is_foreign(name, own):
        yield node.lineno, f"{ast.unparse(node.args[0])}.{name}"


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}
