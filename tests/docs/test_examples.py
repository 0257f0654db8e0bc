"""The examples take from the package what is there."""

import ast
import importlib
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_name_that_an_example_imports_is_there(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in {"nqperf", "tests"}:
            module = importlib.import_module(node.module)
            absent = [name.name for name in node.names if not hasattr(module, name.name)]
            assert absent == [], f"{node.module} has no {', '.join(absent)}"
