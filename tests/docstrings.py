"""What the package's docstrings leave out: public fields and parameters that their class or function does not name.

A name is one where it stands as code (`name`), at the head of a line of its own ("name: ..."), in the shapes, or in an
interval or a shape ("[start, end)"); a word of the sentence that is spelt the same is none.

`python -m tests.docstrings` prints them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.floors import PACKAGE, sources

# Methods that Keras calls: its own documentation says what it hands over.
_FRAMEWORK_METHODS = {"call", "build", "compute_output_shape", "compute_loss", "get_config", "train_step", "test_step"}
_WORD = r"(?<![\w.]){}(?!\w)"
_CODE = re.compile(r"`([^`]*)`")
_BRACKETS = re.compile(r"\[[^\]\n]*[\])]")
_SHAPES = re.compile(r"Shapes?:.*?(?=\n\s*\n|\n[A-Z]\w+:|\Z)", re.DOTALL)

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def missing(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each public field and parameter in `path` that no docstring names."""
    yield from _of_body(ast.parse(path.read_text()).body, "")


def _of_body(body: list[ast.stmt], owner: str) -> Iterator[tuple[int, str]]:
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield from _of_function(node, owner)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _of_class(node)
            yield from _of_body(node.body, f"{node.name}.")


def _of_class(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """Yield what a class's docstring leaves out: its fields, the parameters of its constructor."""
    text = ast.get_docstring(node) or ""
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name, is_shared = field.target.id, "ClassVar" in ast.unparse(field.annotation)
            if not is_shared and not name.startswith("_") and not _names(text, name):
                yield field.lineno, f"{node.name}.{name}"
    for method in node.body:
        if isinstance(method, Definition) and method.name == "__init__":
            both = f"{text}\n{ast.get_docstring(method) or ''}"
            yield from (
                (method.lineno, f"{node.name}({name})") for name in _parameters(method) if not _names(both, name)
            )


def _of_function(node: Definition, owner: str) -> Iterator[tuple[int, str]]:
    if (owner and node.name in _FRAMEWORK_METHODS) or node.name.startswith("pytest_") or _is_known_otherwise(node):
        return
    text = ast.get_docstring(node) or ""
    yield from ((node.lineno, f"{owner}{node.name}({name})") for name in _parameters(node) if not _names(text, name))


def _parameters(node: Definition) -> list[str]:
    arguments = node.args
    named = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    ]
    return [each.arg for each in named if each.arg not in {"self", "cls"} and not each.arg.startswith("_")]


def _names(text: str, name: str) -> bool:
    """Return whether a docstring names `name`, rather than having a word that is spelt so."""
    word = re.compile(_WORD.format(re.escape(name)))
    parts = [*_CODE.findall(text), *_BRACKETS.findall(text), *_SHAPES.findall(text)]
    return any(map(word.search, parts)) or re.search(rf"^\s*{re.escape(name)}: ", text, re.MULTILINE) is not None


def _is_known_otherwise(node: Definition) -> bool:
    """Return whether another says what the parameters are: click's help texts, pytest's fixtures, overloads."""
    decorators = " ".join(map(ast.unparse, node.decorator_list))
    return re.search(r"\b(command|group|option|argument|fixture|overload|setter)\b", decorators) is not None


if __name__ == "__main__":
    for path in sources():
        for line, name in missing(path):
            sys.stdout.write(f"{path.relative_to(PACKAGE.parent)}:{line}: {name}\n")
