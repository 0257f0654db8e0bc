"""A project's own gate: what `nqperf init` writes runs as it is, and replaces nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nqperf.cli.own_action import action_of_checkout, own_action
from nqperf.perf.revisions.config import MARGIN_RULE, USUAL_MARGIN
from tests.inner_sessions import PLUGIN, forget_outer_session
from tests.perf.revisions.projects import commit as make_commit
from tests.perf.revisions.projects import git
from tests.perf.revisions.projects import project as make_repository


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_files_are_written_and_told(call, project):
    code, out, err = call("init")
    assert (code, err) == (0, "")
    written = sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    assert written == [
        ".github/workflows/speed.yml",
        "benchmarks/conftest.py",
        "benchmarks/test_speed.py",
        "benchmarks/work.py",
    ]
    assert all(name in out for name in written)
    assert "nqperf ab benchmarks.work:build --base main" in out
    assert "pytest" not in out
    assert "benchmarks/test_speed.py is a template" in out
    test = (project / "benchmarks" / "test_speed.py").read_text()
    assert "A template" in test
    assert "What fails a pull request is the workflow's `nqperf ab`" in test


def last_step(project):
    return yaml.safe_load((project / ".github/workflows/speed.yml").read_text())["jobs"]["speed"]["steps"][-1]


def test_the_workflow_asks_what_the_command_that_is_printed_asks(call, project):
    """A margin of the workflow's own had won over the one in pyproject.toml that init had named."""
    out = call("init", "--action", "me/mine@v1")[1]
    assert last_step(project) == {"uses": "me/mine/.github/actions/ab@v1", "with": {"target": "benchmarks.work:build"}}
    assert "nqperf ab benchmarks.work:build --base main  " in out
    assert f"the margin is {100 * USUAL_MARGIN:g} %" in out
    assert MARGIN_RULE in out


def test_the_rule_of_a_margin_is_the_same_sentence_wherever_it_is_named():
    """ "The slowdown that fails" was not the rule: one of surely more than 0.4 of it fails, too."""
    root = Path(__file__).parents[2]
    asked = yaml.safe_load((root / ".github" / "actions" / "ab" / "action.yml").read_text())["inputs"]["margin"]
    settings = (root / "docs" / "settings.md").read_text().splitlines()
    rows = [line for line in settings if re.match(r"\| `(margin|--margin|--nqperf-margin)` ", line)]
    assert len(rows) == 3
    assert all(MARGIN_RULE in text for text in [asked["description"], *rows])


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("me/mine@0123abc", "me/mine/.github/actions/ab@0123abc"),
        ("me/mine/.github/actions/ab@main", "me/mine/.github/actions/ab@main"),
        ("./third_party/nqperf/.github/actions/ab", "./third_party/nqperf/.github/actions/ab"),
    ],
)
def test_an_action_of_ones_own_is_used(call, project, named, used):
    out = call("init", "--action", named)[1]
    assert last_step(project)["uses"] == used
    assert "TO REPLACE" not in out


@pytest.mark.parametrize("named", ["mine", "me/mine", "me/mine@", "me/mine/other@v1", "me/mine@v1\n  x: y", "../x@v1"])
def test_an_action_of_another_form_is_refused(call, project, named):
    code, _, err = call("init", "--action", named)
    assert (code, "expected OWNER/REPO@COMMIT" in err) == (2, True), err
    assert list(project.iterdir()) == []


@pytest.fixture
def copy_of_nqperf(tmp_path):
    """A clone whose commit is the remote's, too."""
    there = make_repository(tmp_path / "there", {".github/actions/ab/action.yml": "name: ab\n"})
    here = tmp_path / "here"
    git(tmp_path, "clone", "--quiet", str(there), str(here))
    return here


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/me/mine",
        "https://github.com/me/mine.git",
        "https://token@github.com/me/mine.git",
        "git@github.com:me/mine.git",
        "ssh://git@github.com/me/mine",
    ],
)
def test_the_action_is_that_of_the_checkout_and_its_commit(copy_of_nqperf, url):
    git(copy_of_nqperf, "remote", "set-url", "origin", url)
    commit = git(copy_of_nqperf, "rev-parse", "HEAD").strip()
    assert action_of_checkout(copy_of_nqperf) == f"me/mine/.github/actions/ab@{commit}"
    assert action_of_checkout(copy_of_nqperf / ".github") is None


def test_a_commit_that_is_not_pushed_or_lies_elsewhere_names_no_action(copy_of_nqperf, tmp_path):
    assert action_of_checkout(copy_of_nqperf) is None  # its origin is a folder
    git(copy_of_nqperf, "remote", "set-url", "origin", "https://github.com/me/mine")
    make_commit(copy_of_nqperf, {"x": "y"}, "only here")
    assert action_of_checkout(copy_of_nqperf) is None
    assert action_of_checkout(tmp_path) is None


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ('{"url": "https://github.com/me/mine.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}', "c0ffee"),
        ('{"url": "https://example.org/me/mine.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}', None),
        ('{"url": "file:///nowhere/at/all", "dir_info": {"editable": true}}', None),
    ],
)
def test_what_the_installer_left_names_the_action(monkeypatch, left, found):
    class Left:
        @staticmethod
        def read_text(name):
            return {"direct_url.json": left}[name]

    monkeypatch.setattr("nqperf.cli.own_action.distribution", lambda _: Left)
    assert own_action() == (found and f"me/mine/.github/actions/ab@{found}")


def test_an_action_that_is_not_known_is_told_with_what_it_needs(call, project, monkeypatch):
    monkeypatch.setattr("nqperf.cli.init.own_action", lambda: None)
    out = call("init")[1]
    usual = "OWNER/REPO/.github/actions/ab@COMMIT"  # words to replace: what looks like a name may be a stranger's
    assert last_step(project)["uses"] == usual
    assert f"TO REPLACE: {usual} in .github/workflows/speed.yml" in out
    assert "--action OWNER/REPO@COMMIT names them where the files are not there yet" in out
    workflow = project / ".github" / "workflows" / "speed.yml"
    lines = workflow.read_text().splitlines()
    uses = next(number for number, line in enumerate(lines) if usual in line)
    assert "# Replace OWNER/REPO and COMMIT in the next line, this job fails until then" in lines[uses - 2]
    code, _, err = call("init", "--action", "me/mine@c0ffee")
    assert code == 2
    mine = "me/mine/.github/actions/ab@c0ffee"
    assert f"write {mine} in the place of {usual} in line {uses + 1} of .github/workflows/speed.yml" in err
    workflow.write_text(workflow.read_text().replace(usual, mine))
    assert "in the place of" not in call("init", "--action", "me/mine@c0ffee")[2]


@pytest.mark.parametrize(
    ("project_table", "python"),
    [
        (None, "3.11"),
        ("[tool.x]\n", "3.11"),
        ("[project]\nrequires-python = '>=3.9,<4'\n", "3.11"),
        ("[project]\nrequires-python = '>= 3.12'\n", "3.12"),
    ],
)
def test_the_workflow_runs_a_python_that_the_project_installs_in(call, project, project_table, python):
    if project_table is not None:
        (project / "pyproject.toml").write_text(project_table)
    call("init")
    steps = yaml.safe_load((project / ".github/workflows/speed.yml").read_text())["jobs"]["speed"]["steps"]
    assert [step["with"]["python-version"] for step in steps if "python" in step.get("uses", "")] == [python]


def test_a_function_of_the_project_is_what_is_measured(call, project):
    (project / "mine.py").write_text("def work():\n    return [1, 2]\n")
    assert call("init", "mine:work", "-q") == (0, "", "")
    asked = "from benchmarks.work import build; print(build()())"
    done = subprocess.run([sys.executable, "-c", asked], cwd=project, capture_output=True, text=True, check=False)
    assert done.stdout == "[1, 2]\n", done.stderr


def test_a_function_that_needs_arguments_is_told_and_its_builder_says_so_until_they_are_there(call, project):
    (project / "src" / "mine").mkdir(parents=True)
    (project / "src" / "mine" / "__init__.py").write_text("from .core import top\n")
    (project / "src" / "mine" / "core.py").write_text("def top(words, count, *, by, twice=False):\n    return words\n")
    out = call("init", "mine:top", "-q") and (project / "benchmarks" / "work.py").read_text()
    assert "words, count, by = ..., ..., ...  # from a fixed seed" in out
    asked = "import sys; sys.path.insert(0, 'src'); from benchmarks.work import build; build()"
    done = subprocess.run([sys.executable, "-c", asked], cwd=project, capture_output=True, text=True, check=False)
    assert "NotImplementedError: benchmarks/work.py: give top its words, count, by" in done.stderr
    for path in sorted(project.rglob("*"), reverse=True):
        if {"benchmarks", ".github"} & set(path.parts):
            path.rmdir() if path.is_dir() else path.unlink()
    assert "benchmarks/work.py: give mine:top its words, count, by, from a fixed seed" in call("init", "mine:top")[1]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("mine.core:topp", "core.py has no topp; did you mean top?"),
        ("mime:top", "there is no module mime in ., and none is installed; did you mean mine?"),
        ("mine.corr:top", "there is no module mine.corr: nothing is called corr; did you mean core?"),
        ("mine.broken:top", "no Python"),
    ],
)
def test_a_function_that_is_not_there_is_told_with_the_nearest_and_nothing_is_written(call, project, function, said):
    (project / "mine").mkdir()
    (project / "mine" / "__init__.py").write_text("raise SystemExit('this is read and never run')\n")
    (project / "mine" / "core.py").write_text("def top():\n    pass\n")
    (project / "mine" / "broken.py").write_text("def top(:\n")
    code, out, err = call("init", function)
    assert (code, out) == (2, "")
    assert said in err
    assert [path.name for path in project.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "file", ["benchmarks/work.py", "./benchmarks/work.py", "src/benchmarks/work.py", "benchmarks/work/__init__.py"]
)
@pytest.mark.parametrize("words", [("ab", "--base", "main"), ("bisect", "--good", "main"), ("init",)])
@pytest.mark.usefixtures("project")
def test_a_file_in_place_of_a_module_is_told_what_to_write(call, file, words):
    code, _, err = call(words[0], f"{file}:build", *words[1:])
    assert (code, "did you mean benchmarks.work:build?" in err) == (2, True), err
    assert "did you mean" not in call(words[0], "a-b/work.py:build", *words[1:])[2]


def test_nothing_is_replaced(call, project):
    (project / "benchmarks").mkdir()
    (project / "benchmarks" / "work.py").write_text("mine")
    code, out, err = call("init")
    assert (code, out) == (2, "")
    assert "benchmarks/work.py already" in err
    assert [path.name for path in (project / "benchmarks").iterdir()] == ["work.py"]
    assert not (project / ".github").exists()


@pytest.mark.parametrize(
    ("arguments", "word"), [(("nonsense",), "module:function"), (("--folder", "no"), "no such folder")]
)
def test_bad_input(call, project, arguments, word):
    code, out, err = call("init", *arguments)
    assert (code, out) == (2, "")
    assert word in err
    assert list(project.iterdir()) == []


def test_the_margin_of_the_project_is_that_of_ab_and_of_a_test(call, project, monkeypatch):
    """A value out of range shows who read it, before anything is started."""
    forget_outer_session(monkeypatch)
    assert "margin = 0.05" in call("init")[1]
    (project / "pyproject.toml").write_text('[tool.nqperf]\nmargin = 5\nsave-results = "suite.json"\n')
    code, _, err = call("ab", "benchmarks.work:build", "--base", "main")
    assert (code, "margin is 5; " in err) == (2, True), err
    said = call("ab", "benchmarks.work:build", "--base", "main", "--margin", "5%")
    assert (said[0], "0.05 is 5 %" in said[2]) == (2, True), said
    assert "margin is 6; " in call("ab", "benchmarks.work:build", "--base", "main", "--margin", 6)[2]
    (project / "benchmarks" / "test_speed.py").write_text(
        "def test_base(nqperf_paired):\n    nqperf_paired('benchmarks.work:build', base='main')\n"
    )
    words = [sys.executable, "-m", "pytest", *PLUGIN, "benchmarks", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert "ConfigError: margin is 5; " in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("start", [("pytest",), ("python", "-m", "pytest")], ids=" ".join)
def test_the_benchmark_runs_under_strict_markers_and_warnings_as_errors(call, project, monkeypatch, start):
    forget_outer_session(monkeypatch)
    call("init")
    (project / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    begin = [sys.executable, "-m", "pytest"] if start[0] == "python" else [f"{sys.prefix}/bin/pytest"]
    words = [*begin, *PLUGIN, "benchmarks", "-q", "-p", "no:cacheprovider", "--nqperf-quick"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
