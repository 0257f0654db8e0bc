"""Whose nqperf a side's process runs, and what is said when it speaks another version of the workers' protocol."""

import dataclasses
import sys

import pytest

from nqperf.errors import ConfigError
from nqperf.perf.revisions.builders import BuilderProcess, Starting, package_alone
from nqperf.perf.revisions.sides import BaseAsked, Side, both_sides, own_package
from nqperf.perf.workers import protocol
from nqperf.records.revisions import RevisionSide
from nqperf.report.revisions import side_text
from tests.perf.revisions.projects import commit, git, project

ANOTHER = """
import os, struct, sys
import msgspec

def say(message):
    content = msgspec.msgpack.encode(message)
    os.write(1, struct.pack(">Q", len(content)) + content)

sys.stdin.buffer.read(1)
say({"type": "Hello", "version": 7})
sys.stdin.buffer.read()
"""
OLDER = "import sys\nsys.stdin.buffer.read(1)\nsys.exit('no such message')\n"


def package(folder, worker):
    """Make a project that is a package called nqperf with this worker; return its side."""
    for name in ("nqperf", "nqperf/perf", "nqperf/perf/workers"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    (folder / "nqperf" / "perf" / "workers" / "builder_worker.py").write_text(worker)
    return Side(record=RevisionSide(label="v0.3"), root=folder, package=own_package(folder))


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (ANOTHER, f"the nqperf of v0.3 speaks version 7 of the workers' protocol; expected {protocol.VERSION}"),
        (OLDER, f"the nqperf of v0.3 speaks no known version of the workers' protocol; expected {protocol.VERSION}"),
    ],
    ids=["another", "older"],
)
def test_another_version_is_refused_by_its_number(tmp_path, worker, said):
    with package_alone() as alone:
        starting = Starting(target="work:build", project=tmp_path, alone=alone, build_seconds=30)
        process = BuilderProcess("base", package(tmp_path / "project", worker), starting)
        try:
            with pytest.raises(ConfigError, match=said) as found:
                process.ready()
        finally:
            process.end()
    assert "\n" not in str(found.value)


def test_a_revision_of_nqperf_runs_its_own_code(tmp_path):
    side = package(tmp_path / "project", ANOTHER)
    assert side.package == tmp_path / "project"
    starting = Starting(target="work:build", project=tmp_path, alone=tmp_path / "alone")
    assert starting.environment(side)["PYTHONPATH"].split(":")[0] == str(tmp_path / "project")
    own = Side(record=side.record, root=side.root, own=True, installed=True)
    assert "PYTHONPATH" not in starting.environment(own)
    assert own_package(tmp_path) is None


@pytest.mark.parametrize("has", [True, False])
def test_a_named_python_with_nqperf_runs_that_one_where_rows_are_compared(tmp_path, monkeypatch, has):
    monkeypatch.setattr("nqperf.perf.revisions.sides._has_nqperf", lambda _: has)
    asked = BaseAsked(python=sys.executable)
    with both_sides(asked, tmp_path, rows=True) as (base, change):
        assert (base.own, base.installed) == (True, has)
        assert change.package is None
    with both_sides(asked, tmp_path) as (base, _):
        assert base.installed is False


def test_a_base_from_before_a_benchmark_is_lent_it(tmp_path):
    folder = project(tmp_path / "mine", {"mine.py": "FAST = True\n"})
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "work.py").write_text("from mine import FAST\n")
    (folder / "mine.py").write_text("FAST = False\n")
    with both_sides(BaseAsked(revision="main"), folder, target="benchmarks.work:build") as (base, change):
        assert base.lent == "benchmarks/work.py"
        assert (base.root / base.lent).read_text() == "from mine import FAST\n"
        assert (base.root / "mine.py").read_text() == "FAST = True\n"
        assert change.lent is None
    with both_sides(BaseAsked(revision="main"), folder, target="mine:build") as (base, _):
        assert base.lent is None
        assert (base.root / "mine.py").read_text() == "FAST = True\n"


def test_a_base_named_by_its_whole_commit_is_called_by_ten_letters(tmp_path):
    """A workflow gives all forty, which are too long for a sentence."""
    folder = project(tmp_path / "mine", {"work.py": "x = 1\n"})
    whole = git(folder, "rev-parse", "HEAD").strip()
    for asked, said in ((whole, whole[:10]), ("main", "main")):
        with both_sides(BaseAsked(revision=asked), folder) as (base, _):
            assert (base.record.label, base.record.commit) == (said, whole)
    with both_sides(BaseAsked(revision=whole), folder) as (base, _):
        assert side_text(base.record) == f"{whole[:10]} first"


@pytest.mark.parametrize(
    ("changed", "others"),
    [
        ({"benchmarks/work.py": "x = 2\n"}, True),
        ({"benchmarks/helper.py": "y = 2\n"}, True),
        ({"benchmarks/helper.py": None}, True),
        ({"benchmarks/__init__.py": ""}, True),
        ({"benchmarks/work.py": None, "benchmarks/work/__init__.py": "x = 2\n"}, True),
        ({"benchmarks/another.py": "z = 1\n"}, False),
        ({"mine.py": "FAST = False\n"}, False),
    ],
)
def test_a_change_with_other_benchmarks_has_the_base_s_at_hand(tmp_path, changed, others):
    files = {"benchmarks/work.py": "x = 1\n", "benchmarks/helper.py": "y = 1\n", "mine.py": "FAST = True\n"}
    folder = project(tmp_path / "mine", files)
    commit(folder, changed, "second")
    with both_sides(BaseAsked(revision="HEAD~1"), folder, target="benchmarks.work:build") as (base, change):
        assert (change.benchmarks is not None) == others
        assert base.benchmarks is None
        if change.benchmarks is not None:
            place = change.benchmarks / "benchmarks"
            assert (place / "work.py").read_text() == "x = 1\n"
            assert (place / "__init__.py").is_file()
            by_base = dataclasses.replace(change, by_base=True)
            assert by_base.search_path(folder)[0] == str(change.benchmarks)
            assert str(change.benchmarks) not in change.search_path(folder)
    with both_sides(BaseAsked(revision="HEAD~1"), folder, target="mine:build") as (_, change):
        assert change.benchmarks is None, "what is no benchmark is the work that is compared"


def test_what_stands_beside_a_benchmark_is_lent_with_it(tmp_path):
    """Before: the input that ci.md says to keep beside the benchmark was not there, and the base failed."""
    folder = project(tmp_path / "mine", {"mine.py": "FAST = True\n", "benchmarks/old.py": "OLD = 1\n"})
    (folder / "benchmarks" / "work.py").write_text("from benchmarks.made import lines\n")
    (folder / "benchmarks" / "made.py").write_text("lines = 3\n")
    (folder / "benchmarks" / "data").mkdir()
    (folder / "benchmarks" / "data" / "log.txt").write_text("a line\n")
    (folder / "benchmarks" / "old.py").write_text("OLD = 2\n")
    with both_sides(BaseAsked(revision="main"), folder, target="benchmarks.work:build") as (base, _):
        assert base.lent == "benchmarks/work.py"
        assert (base.root / "benchmarks" / "made.py").read_text() == "lines = 3\n"
        assert (base.root / "benchmarks" / "data" / "log.txt").read_text() == "a line\n"
        assert (base.root / "benchmarks" / "old.py").read_text() == "OLD = 1\n", "what the base has stays its own"
    assert (folder / "benchmarks" / "data" / "log.txt").read_text() == "a line\n"


def test_a_base_that_is_lent_the_benchmark_has_none_of_its_own(tmp_path):
    folder = project(tmp_path / "mine", {"mine.py": "FAST = True\n"})
    (folder / "benchmarks").mkdir()
    for name in ("work.py", "conftest.py", "test_work.py"):
        (folder / "benchmarks" / name).write_text("from mine import FAST\n")
    with both_sides(BaseAsked(revision="main"), folder, target="benchmarks.work:build") as (base, change):
        assert (base.lent, change.benchmarks) == ("benchmarks/work.py", None)
