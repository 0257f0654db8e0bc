"""`nqperf casts fix` from end to end: twelve conflicts in one pass, a BERT of 2019, and what cannot be edited."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nqperf.casts.edits.patch import Patch
from nqperf.cli.casts_fix import summary_line
from nqperf.formats.casts.source_files import SourceFile

MODELS = Path(__file__).parent / "fixed_models"
PROGRAM = "from nqperf.cli.main import main; main()"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    for path in MODELS.glob("*.py"):
        shutil.copy(path, tmp_path)
    return tmp_path


def nqperf(folder, *words, legacy="0"):
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": legacy, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "casts", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


JUDGE = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from tests.casts import judging

for path in sys.argv[1:]:
    spec = spec_from_file_location("judged", path)
    module = sys.modules["judged"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    print(judging.outcome(module.build, "mixed_float16", judging.run(module.build, "float32")))
"""


def run_for_real(legacy, *paths):
    """Return the truth of models in mixed_float16, as tests.casts.judging judges it, in a process of their own."""
    run = subprocess.run(
        [sys.executable, "-c", JUDGE, *map(str, paths)],
        env={**os.environ, "TF_USE_LEGACY_KERAS": legacy},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip().splitlines()[-len(paths) :]


def test_a_model_without_findings_has_nothing_to_mend():
    """It had been told '0 findings mended in no file; 0 without an edit that works'."""
    clean = Patch(before=(), after=(), mended=0)
    nothing = "mine:build: the audit finds nothing, so there is nothing to mend"
    assert summary_line("mine:build", clean, 0, written=False) == nothing
    left = "0 findings can be mended in no file; 2 without an edit that works"
    assert summary_line("mine:build", clean, 2, written=False) == left


def test_edits_that_are_only_shown_are_not_said_to_be_made():
    file = SourceFile(path=Path("mine.py"), text="", encoding="utf-8", newline="\n")
    made = Patch(before=(file,), after=(file,), mended=2)
    shown = "2 findings can be mended in mine.py; 0 without an edit that works; no file is changed"
    assert summary_line("mine:build", made, 0, written=False) == shown
    assert (
        summary_line("mine:build", made, 0, written=True)
        == "2 findings mended in mine.py; 0 without an edit that works"
    )


@pytest.mark.slow(20)
@pytest.mark.parametrize(("name", "legacy"), [("twelve", "0"), ("bert_2019", "0"), ("bert_2019", "1")])
def test_one_pass_mends_all_conflicts_and_the_model_runs(project, name, legacy):
    fixed = nqperf(project, "fix", f"{name}:build", "--write", legacy=legacy)
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert "0 without an edit that works" in fixed.stderr
    assert "clean" in fixed.stdout  # the audit that is run again
    before, after = MODELS / f"{name}.py", project / f"{name}.py"
    assert len(after.read_text().splitlines()) == len(before.read_text().splitlines())
    assert "float16" not in after.read_text().replace("bfloat16", "")
    broken, mended = run_for_real(legacy, before, after)
    assert broken != "ok"
    assert mended == "ok"


@pytest.mark.slow
def test_a_patch_leaves_the_files_alone_and_git_applies_it(project):
    before = (project / "twelve.py").read_text()
    made = nqperf(project, "fix", "twelve:build", "--patch", "casts.patch")
    assert made.returncode == 0, made.stderr
    assert made.stderr.splitlines()[-1] == (
        "nqperf: next: nqperf casts audit twelve:build --precision mixed_float16 (after git apply casts.patch)"
    )
    assert (project / "twelve.py").read_text() == before
    subprocess.run(["git", "apply", "casts.patch"], cwd=project, check=True)  # noqa: S607  # git is on the path
    again = nqperf(project, "audit", "twelve:build", "--precision", "mixed_float16", "--json")
    assert json.loads(again.stdout)["findings"] == []


@pytest.mark.slow
def test_a_read_only_file_is_refused_and_nothing_is_written(project):
    path = project / "twelve.py"
    before = path.read_text()
    path.chmod(0o444)
    refused = nqperf(project, "fix", "twelve:build", "--write")
    assert refused.returncode == 2
    assert "is read-only" in refused.stderr
    assert path.read_text() == before
