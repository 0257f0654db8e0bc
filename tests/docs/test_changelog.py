"""What CHANGELOG names in place of an older name is there."""

import importlib
import re
from pathlib import Path

import pytest

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
NAME = re.compile(r"`(nqperf(?:\.\w+)+)`")


def rows():
    listed = CHANGELOG.read_text().partition("### Replaced names")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in listed.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_what_replaces_a_name_is_there(row):
    _, now = row
    for name in NAME.findall(now):
        found, *attributes = module_and_rest(name)
        for attribute in attributes:
            found = getattr(found, attribute)


def module_and_rest(name):
    """Return the deepest module of a dotted name, and what is left of it."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            return importlib.import_module(".".join(parts[:end])), *parts[end:]
        except ModuleNotFoundError:
            continue
    raise AssertionError(name)


def test_the_list_is_read():
    assert len(rows()) > 10
    assert all(len(row) == 2 for row in rows())
