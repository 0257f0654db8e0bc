"""Processes that nqperf starts import nothing from where they are started."""

import os
import subprocess
import sys

import pytest

from nqperf.perf.machine.environment import common_environment, python_command
from nqperf.perf.workers.process import WorkerProcess

PLANTED = ("msgspec", "queue", "numpy", "runpy", "sitecustomize", "usercustomize", "tensorflow")


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Go where modules lie that leave a trace when they are imported."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(folder)
    return tmp_path / "ran"


def test_a_module_runs_with_its_arguments_and_without_the_working_directory(planted, tmp_path):
    (tmp_path / "said.py").write_text(
        "import json, queue, sys\nprint(json.dumps([__name__, sys.argv[1:], '' in sys.path]))"
    )
    environment = common_environment({**os.environ, "PYTHONPATH": str(tmp_path)})
    done = subprocess.run(
        python_command("said", "a b", "-m"), env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == '["__main__", ["a b", "-m"], false]\n'
    assert not planted.exists()


def test_without_it_what_lies_there_would_run(planted):
    done = subprocess.run([sys.executable, "-m", "json.tool", "--help"], capture_output=True, check=False)
    assert done.returncode == 0
    subprocess.run([sys.executable, "-c", "import queue"], check=True)
    assert planted.exists()


def test_a_worker_starts_there_and_nothing_of_it_runs(planted):
    with WorkerProcess("baseline", common_environment(dict(os.environ))) as worker:
        assert worker.alive
    assert not planted.exists()
