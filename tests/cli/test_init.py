"""A project's own gate: what `nqperf init` writes runs as it is, and replaces nothing."""

import subprocess
import sys

import pytest
import yaml

from tests.inner_sessions import PLUGIN, forget_outer_session


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


def test_the_workflow_holds_the_change_to_its_base(call, project):
    call("init")
    steps = yaml.safe_load((project / ".github/workflows/speed.yml").read_text())["jobs"]["speed"]["steps"]
    used = [step["uses"].partition("@")[0] for step in steps if "uses" in step]
    assert used[-1] == "nqperf/nqperf/.github/actions/ab"
    assert steps[-1]["with"]["target"] == "benchmarks.work:build"


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
