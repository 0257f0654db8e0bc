"""`nqperf ab` in a foreign project without a line of BERT: real repositories, real processes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nqperf
from tests.perf.revisions.projects import commit, git, project

pytestmark = pytest.mark.slow

WORK = """
SIZE = 30_000

def build():
    def run():
        total = 0
        for number in range(SIZE):
            total += number * number % 7
        return total
    return run
"""
THREE_TIMES = WORK.replace(
    "    def run():", "    def run():\n        once(); once()\n        return once()\n    def once():"
)


@pytest.fixture
def folder(tmp_path):
    folder = project(tmp_path / "a project", {"src/work.py": WORK, "README": "x"})
    return commit(folder, {"README": "y"}, "second: only words")


@pytest.fixture
def ab(tmp_path):
    """Run the command in a folder, its temporary and cache folders in the test's."""
    (tmp_path / "tmp").mkdir()

    def run(folder, *arguments, **variables):
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(nqperf.__file__).parents[1]),
            "TMPDIR": str(tmp_path / "tmp"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            **variables,
        }
        words = [sys.executable, "-m", "nqperf.cli.main", "ab", *map(str, arguments)]
        return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    yield run
    assert list((tmp_path / "tmp").iterdir()) == []


def test_three_times_the_work_fails_and_says_against_what(folder, ab, tmp_path):
    (folder / "src" / "work.py").write_text(THREE_TIMES)
    out = tmp_path / "ab.json"
    done = ab(folder, "work:build", "--base", "HEAD~1", "--out", out, "--budget", 300)
    assert (done.returncode, done.stderr.count("Traceback")) == (1, 0), done.stderr
    assert "% slower than HEAD~1 (" in done.stdout
    assert "answers the same" in done.stdout
    record = json.loads(out.read_bytes())
    assert record["outcome"] == "FAIL"
    assert record["change"]["dirty"] is True
    assert record["change"]["branch"] == "main"
    assert record["base"]["commit"] == git(folder, "rev-parse", "HEAD~1").strip()
    (time,) = [one for one in record["rows"][0]["judged"] if one["measure"] == "time"]
    assert 2 < time["ratio"] < 4
    assert git(folder, "worktree", "list").count("\n") == 1


def test_only_words_changed_is_not_red(folder, ab):
    done = ab(folder, "work:build", "--base", "HEAD~1", "--budget", 20, "--margin", "0.5")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "SLOWER" not in done.stdout.replace("SLOWER:", "")


def test_another_answer_fails_before_anything_is_timed(folder, ab):
    (folder / "src" / "work.py").write_text(WORK.replace("% 7", "% 9"))
    done = ab(folder, "work:build", "--base", "HEAD", "--json")
    assert done.returncode == 1
    record = json.loads(done.stdout)
    (row,) = record["rows"]
    assert row["sets"] == []
    assert row["reasons"][0].startswith("the answers differ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("work:build",), "no base is named"),
        (("work:build", "--base", "none"), "no revision 'none'"),
        (("work:build", "--base", "HEAD", "--base-path", "."), "both given"),
        (("work:build", "--base-path", "none"), "is no folder"),
        (("work:build", "--base-python", "/none/python"), "does not run"),
        (("work:none", "--base", "HEAD"), "no attribute"),
        (("none:build", "--base", "HEAD"), "No module named"),
        (("work", "--base", "HEAD"), "MODULE:BUILD"),
        (("work:build", "--base", "HEAD", "--margin", "0"), "margin is 0"),
        (("work:build", "--base", "HEAD", "--out", "none/x.json"), "none"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(folder, ab, arguments, said):
    done = ab(folder, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_base_without_the_builder_is_named(folder, ab):
    (folder / "src" / "work.py").write_text(WORK.replace("def build", "def make"))
    done = ab(folder, "work:make", "--base", "HEAD")
    assert done.returncode == 3
    assert "nothing to compare: HEAD has no work:make yet" in done.stdout
    assert "no attribute 'make'" in done.stdout


def test_a_change_that_does_not_build_fails(folder, ab):
    (folder / "src" / "work.py").write_text("def build():\n    raise OSError('no weights')\n")
    done = ab(folder, "work:build", "--base", "HEAD")
    assert done.returncode == 1
    assert "the change fails" in done.stdout
    assert "no weights" in done.stdout


def test_outside_of_a_repository_two_folders_compare(tmp_path, ab):
    for name, text in {"old": WORK, "new": THREE_TIMES}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "work.py").write_text(text)
    done = ab(tmp_path / "new", "work:build", "--base-path", "../old", "--budget", 300)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "% slower than ../old (" in done.stdout


def test_a_base_whose_install_fails_says_its_last_lines(folder, ab):
    broken = '[project]\nname = "x"\nversion = "1"\ndependencies = ["no-such-thing-at-all==999"]\n'
    commit(folder, {"pyproject.toml": broken}, "needs what is not there")
    (folder / "pyproject.toml").unlink()
    done = ab(folder, "work:build", "--base", "HEAD", PIP_NO_INDEX="1")
    assert done.returncode == 2
    assert "could not be installed" in done.stderr
    assert "--base-python" in done.stderr


def test_a_base_that_has_no_room_on_the_disk_is_one_line(folder, tmp_path):
    """A limit on the size of files stands for the full disk: git cannot write what it checks out."""
    commit(folder, {"large.txt": "x" * 100_000}, "a large file")
    environment = {**os.environ, "PYTHONPATH": str(Path(nqperf.__file__).parents[1]), "TMPDIR": str(tmp_path)}
    words = f"ulimit -f 16; exec '{sys.executable}' -m nqperf.cli.main ab work:build --base HEAD"
    done = subprocess.run(
        [shutil.which("bash"), "-c", words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "git worktree" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert git(folder, "worktree", "list").count("\n") == 1


def test_bisect_names_the_commit_and_shows_what_it_changed(folder):
    for number in range(3):
        commit(folder, {"README": f"words {number}"}, f"words {number}")
    commit(folder, {"src/work.py": THREE_TIMES}, "the slow one")
    commit(folder, {"README": "last"}, "last words")
    environment = {**os.environ, "PYTHONPATH": str(Path(nqperf.__file__).parents[1])}
    words = [sys.executable, "-m", "nqperf.cli.main", "bisect", "work:build", "--good", "HEAD~5", "--factor", "1.5"]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the slow one made it" in done.stdout
    assert "src/work.py" in done.stdout
    assert git(folder, "worktree", "list").count("\n") == 1
    assert not list((folder / ".git" / "nqperf").iterdir())


def test_a_change_does_not_loosen_its_own_gate(folder, ab, tmp_path):
    (folder / "src" / "work.py").write_text(THREE_TIMES)
    (folder / "pyproject.toml").write_text("[tool.nqperf]\nmargin = 0.999\nallow_inconclusive = true\n")
    out = tmp_path / "ab.json"
    done = ab(folder, "work:build", "--base", "HEAD", "--out", out, "--budget", 60)
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "margin is none in HEAD's pyproject.toml and 99.9 % in this tree's" in done.stdout
    record = json.loads(out.read_bytes())
    (time,) = [one for one in record["rows"][0]["judged"] if one["measure"] == "time"]
    assert time["margin"] < 0.1
    assert len(record["settings"]) == 2


BENCHMARK = """
from work import build as made

def build():
    return made()
"""
REMEMBERED = """
from work import build as made

def build():
    found = made()()
    return lambda: found
"""


@pytest.fixture
def gated(tmp_path):
    return project(tmp_path / "gated", {"src/work.py": WORK, "benchmarks/timed.py": BENCHMARK, "README": "x"})


def test_a_change_that_edits_its_benchmark_is_held_to_the_base_s_too(gated, ab, tmp_path):
    """What is slower by the base's benchmark fails, however fast the change's own benchmark has become."""
    commit(gated, {"src/work.py": THREE_TIMES, "benchmarks/timed.py": REMEMBERED}, "all faster")
    out = tmp_path / "ab.json"
    done = ab(gated, "benchmarks.timed:build", "--base", "HEAD~1", "--out", out, "--budget", 300)
    assert done.returncode == 1, done.stdout + done.stderr
    rows = {row["name"]: row["outcome"] for row in json.loads(out.read_bytes())["rows"]}
    assert rows["benchmarks.timed:build of HEAD~1's benchmarks/"] == "FAIL"
    assert "benchmarks/ is not HEAD~1's: " in done.stdout
    assert 'nqperf bisect benchmarks.timed:build --good "$(git merge-base ' in done.stdout


@pytest.mark.long
def test_a_benchmark_package_of_the_change_alone_does_not_hide_the_base_s(gated, ab):
    """A regular package comes before a folder without an __init__.py, wherever both stand on the search path."""
    changed = {"benchmarks/__init__.py": "", "benchmarks/timed.py": REMEMBERED, "src/work.py": THREE_TIMES}
    commit(gated, changed, "a package")
    done = ab(gated, "benchmarks.timed:build", "--base", "HEAD~1", "--budget", 300)
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.long
def test_a_slowdown_in_the_benchmark_itself_fails_still(gated, ab):
    slower = BENCHMARK.replace("return made()", "run = made()\n    return lambda: (run(), run(), run())[0]")
    commit(gated, {"benchmarks/timed.py": slower}, "more work in the benchmark")
    done = ab(gated, "benchmarks.timed:build", "--base", "HEAD~1", "--budget", 60)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^FAIL: benchmarks\.timed:build \d", done.stdout, re.MULTILINE)


def test_a_base_s_benchmark_that_the_change_cannot_run_is_told(gated, ab):
    renamed = {
        "src/work.py": WORK.replace("build", "make"),
        "benchmarks/timed.py": BENCHMARK.replace("import build", "import make"),
    }
    commit(gated, renamed, "another name")
    done = ab(gated, "benchmarks.timed:build", "--base", "HEAD~1", "--budget", 20, "--margin", "0.5")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "benchmarks/ of HEAD~1 does not run in this tree: each side ran its own" in done.stdout.replace("\n  ", " ")
