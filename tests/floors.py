"""The house as its imports show it: rooms, the floors that they stand on, and the circles among modules.

`python -m tests.floors` prints the drawing that docs/house.md holds.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import nqperf

PACKAGE = Path(nqperf.__file__).parent
# Large rooms of the first level that are cut into rooms of their own.
CUT = ("perf",)

Graph = Mapping[str, set[str]]


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    first, *rest = module.split(".")
    return f"{first}/{rest[0]}" if first in CUT and rest else first


def imported(tree: ast.AST, *, everywhere: bool = True) -> Iterator[str]:
    """Yield the names that a source imports, inside functions too or at module level alone."""
    for node in ast.walk(tree) if everywhere else at_import(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs at import: all but the bodies of functions and what only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from at_import(child)


@functools.cache
def modules() -> Graph:
    """Return what each module imports of the package, wherever in it."""
    known = {module_of(path) for path in sources()}
    return {
        module_of(path): {_module(name, known) for name in imported(tree_of(path)) if _own(name)}
        - {module_of(path), ""}
        for path in sources()
    }


def _own(name: str) -> bool:
    return name.startswith("nqperf.") and name != "nqperf.__version__"


def _module(name: str, known: set[str]) -> str:
    """Return the module that an imported name is, or is in; "" for the package itself."""
    inner = name.removeprefix("nqperf.")
    while inner and inner not in known:
        inner = inner.rpartition(".")[0]
    return inner


def rooms() -> Graph:
    """Return what each room imports of the others."""
    found: dict[str, set[str]] = {}
    for module, targets in modules().items():
        room = room_of(module)
        found.setdefault(room, set()).update(room_of(target) for target in targets)
    return {room: targets - {room} for room, targets in found.items() if room not in CUT}


def circle(graph: Graph) -> list[str]:
    """Return the names of a circle, nothing where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def floors(graph: Graph) -> list[list[str]]:
    """Return the rooms of each floor, the lowest first: a room stands right above the highest that it imports."""
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[below] for below in graph.get(room, ())), default=-1)
    return [sorted(room for room in height if height[room] == level) for level in range(max(height.values()) + 1)]


def drawing() -> str:
    """Return the floors as text, the highest first."""
    drawn = floors(rooms())
    return "\n".join(f"{len(drawn) - number:2}  {'  '.join(floor)}" for number, floor in enumerate(reversed(drawn)))


if __name__ == "__main__":
    sys.stdout.write(f"{drawing()}\n")
