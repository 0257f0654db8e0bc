"""Full disks and signals: one line, the right exit code, nothing left half-written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nqperf
from tests.documents import river_examples, write_lines
from tests.launching import launched

SHORT_WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12")


@pytest.fixture
def started(tmp_path):
    """Start a command in a process of its own, its temporary folder in the test's, with the limits of `launched`."""
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}

    def start(*arguments, **limits):
        return subprocess.Popen(
            launched(sys.executable, "-m", "nqperf.cli.main", *arguments, **limits),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(nqperf.__file__).parent.parent,
            env=environment,
        )

    yield start
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_full_disk_is_one_line_and_code_2(started, tmp_path, model_folder):
    data = write_lines(tmp_path / "data.jsonl", river_examples(5))
    out = tmp_path / "f.tfrecord"
    before = sorted(tmp_path.iterdir())
    arguments = ("prepare", data, "--tokenizer", model_folder, "--out", out, *SHORT_WINDOWS)
    process = started(*arguments, largest=1000)
    output, errors = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert errors.startswith(f"nqperf: error: {out}: could not be finished (File too large)")
    assert errors.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_standard_output_on_a_full_disk_is_no_traceback():
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    command = [sys.executable, "-m", "nqperf.cli.main", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("nqperf: error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_half_written(started, tmp_path, model_folder, signum, code):
    out = tmp_path / "f.tfrecord"
    before = sorted(tmp_path.iterdir())
    process = started("prepare", "-", "--tokenizer", model_folder, "--out", out, *SHORT_WINDOWS, heeded=signum)
    while sorted(tmp_path.iterdir()) == before:
        assert process.poll() is None
    process.send_signal(signum)
    _, errors = process.communicate()
    assert process.returncode == code
    assert "interrupted; nothing was left half-written" in errors
    assert sorted(tmp_path.iterdir()) == before
