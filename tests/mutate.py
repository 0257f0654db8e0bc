"""Mutants of one module: small faults, one at a time, each of which some test should find.

    python -m tests.mutate nqperf.statistics.holm tests/statistics/test_holm.py

prints each mutant that lives, as the line before and after. Nothing is written: a child process loads the changed
source in place of the module, and runs the tests. Only by hand, for it takes minutes.
"""

from __future__ import annotations

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

# What takes so many times as long as the tests of the module as it is, is found too; a busy machine alone never is.
_TIMES, _LEAST = 10, 60  # seconds
_SWAPPED = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}  # fmt: skip
__all__ = ["np", "scipy"]  # imported once, before any child


def sites(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of what runs: no annotations, docstrings, decorators, or words of errors."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            words = isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom)
            if isinstance(node, ast.AST) and not words:
                yield node
                yield from sites(node)


def changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Yield each change of a node: the field, and what it is set to."""
    if isinstance(node, ast.Compare):
        for place, one in enumerate(node.ops):
            for other in _SWAPPED.get(type(one), ()):
                yield "ops", [*node.ops[:place], other(), *node.ops[place + 1 :]]
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        yield from (("op", other()) for other in _SWAPPED.get(type(node.op), ()))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield "op", ast.UAdd() if isinstance(node.op, ast.USub) else _Same()
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "test", ast.UnaryOp(op=ast.Not(), operand=node.test)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "value", not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "value", node.value + 1 if isinstance(node.value, int) else 1.25 * node.value or 0.25


class _Same(ast.Not):
    """`not` taken away: unparsed as a double one."""


def mutants(source: str) -> list[tuple[int, str]]:
    """Return the line and the source of each mutant."""
    tree = ast.parse(source)
    found = []
    for number, node in enumerate(sites(tree)):
        for field, value in changes(node):
            other = copy.deepcopy(tree)
            changed = list(sites(other))[number]
            if isinstance(value, _Same):
                changed.op, changed.operand = ast.Not(), ast.UnaryOp(op=ast.Not(), operand=changed.operand)  # type: ignore[attr-defined]
            else:
                setattr(changed, field, value)
            found.append((getattr(node, "lineno", 0), ast.unparse(ast.fix_missing_locations(other))))
    return found


class Loading(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from a changed source."""

    def __init__(self, module: str, path: str, source: str) -> None:
        self.module, self.path, self.source = module, path, source

    def find_spec(self, name, *_: object):
        if name == self.module:
            return importlib.util.spec_from_file_location(name, self.path, loader=self)
        return None

    def get_filename(self, _: str) -> str:
        return self.path

    def get_data(self, _: str) -> bytes:
        return self.source.encode()

    def path_stats(self, _: str):
        raise OSError("no compiled file may be taken")


def survives(module: str, path: str, source: str, tests: list[str], limit: int = 0) -> bool:
    """Return whether the tests pass with a changed source, within `limit` seconds.

    0, for the source as it is: however long they take, and what they say is shown.
    """
    child = os.fork()
    if not child:
        if limit:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            signal.alarm(limit)
        sys.meta_path.insert(0, Loading(module, path, source))
        # pytest's own import hook would load the modules of a package with a pytest plugin, before this one.
        os._exit(
            pytest.main(
                ["-x", "-q", "--noconftest", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow", *tests]
            )
        )
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def line_of(source: str, other: str) -> str:
    """Return the first line in which two sources differ, before and after."""
    pairs = zip(ast.unparse(ast.parse(source)).splitlines(), other.splitlines(), strict=False)
    before, after = next(pair for pair in pairs if pair[0] != pair[1])
    return f"{before.strip()}\n      -> {after.strip()}"


def main() -> None:
    module, *tests = sys.argv[1:]
    path = str(Path(*module.split(".")).with_suffix(".py"))
    source = Path(path).read_text()
    began = time.monotonic()
    if not survives(module, path, source, tests):
        sys.exit(f"{' '.join(tests)} fail without any change")
    limit = _LEAST + int(_TIMES * (time.monotonic() - began))
    found = mutants(source)
    living = 0
    for line, other in found:
        if survives(module, path, other, tests, limit):
            living += 1
            sys.stdout.write(f"{path}:{line}: {line_of(source, other)}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{module}: {len(found) - living} of {len(found)} found\n")


if __name__ == "__main__":
    main()
