import logging
from dataclasses import dataclass
from importlib import metadata

import pytest

from nqperf import extensions
from nqperf.errors import ConfigError
from nqperf.extensions import Table


@dataclass(frozen=True)
class Row:
    name: str
    origin: str = "ours"


class Point:
    """An entry point whose object is there already."""

    dist = None

    def __init__(self, name, found):
        self.name, self.value, self.module, self._found = name, f"{name}:ROW", name, found

    def load(self):
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


@pytest.fixture
def table(monkeypatch):
    """Return a table of "a" and "b" with these entry points, and how often they are looked for."""
    looks = []

    def make(**points):
        def entry_points(group):
            looks.append(group)
            return [Point(name, found) for name, found in points.items()]

        monkeypatch.setattr(metadata, "entry_points", entry_points)
        adopted = lambda row, package: Row(row.name, package)  # noqa: E731
        return Table("rows", Row, (Row("a"), Row("b")), adopted=adopted), looks

    return make


def test_our_own_rows_are_found_without_looking_for_packages(table):
    rows, looks = table(theirs=Row("c"))
    assert rows["a"] == Row("a")
    assert "b" in rows
    assert rows.get("a") is not None
    assert looks == []
    assert rows["c"] == Row("c", "theirs")
    assert [*rows, len(rows)] == ["a", "b", "c", 3]
    assert looks == ["rows"]


def test_one_entry_point_may_bring_several(table):
    rows, _ = table(theirs=[Row("c"), Row("d")])
    assert list(rows) == ["a", "b", "c", "d"]
    assert (rows.brought_by("d"), rows.brought_by("a")) == ("theirs", None)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RuntimeError("it  has\nlines"), "RuntimeError: it has lines"),
        (7, "ConfigError: it is a int; expected Row, or a list of them"),
        (Row("a"), "ConfigError: nqperf has a 'a' already; give it another name"),
    ],
)
def test_what_cannot_be_taken_is_named_and_the_others_are(table, found, said, caplog):
    rows, _ = table(bad=found, good=Row("c"))
    with caplog.at_level(logging.WARNING, logger=extensions.__name__):
        assert list(rows) == ["a", "b", "c"]
    assert rows["a"] == Row("a")
    assert rows.faults == (f"bad: its rows entry point 'bad' (bad:ROW) is left out: {said}",)
    assert [record.message for record in caplog.records] == list(rows.faults)


def test_a_name_that_two_bring_is_refused_with_both_names(table):
    rows, _ = table(first=Row("c"), second=Row("c"), third=Row("c"))
    assert list(rows) == ["a", "b"]
    assert "c" in rows
    with pytest.raises(ConfigError, match=r"first and second and third bring a 'c' each, so none is taken; keep one"):
        rows["c"]
    assert len(rows.faults) == 1


def test_a_name_that_nobody_brings_is_no_key(table):
    rows, _ = table()
    assert "c" not in rows
    with pytest.raises(KeyError):
        rows["c"]
