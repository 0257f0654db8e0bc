"""Any path that is given on the command line is taken, or refused in one line."""

import json
import os

import pytest

from nqperf.cli import run
from nqperf.errors import FormatError
from nqperf.formats.lines import require_source
from tests.documents import river_examples, write_lines


def test_paths_that_are_no_utf_8_are_taken_and_escaped_in_records(call, tmp_path, wordpiece_file):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    data = write_lines(folder / "data.jsonl", river_examples(1))
    code, out, err = call("prepare", data, "--tokenizer", wordpiece_file, "--out", folder / "f.tfrecord", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["out"] == str(folder / "f.tfrecord")


@pytest.mark.parametrize("name", ["x" * 300, "folder/" + "\u00e9" * 200])
def test_names_that_no_file_system_takes_are_refused(call, tmp_path, wordpiece_file, name):
    data = write_lines(tmp_path / "data.jsonl", river_examples(1))
    for arguments in (
        ("prepare", data, "--tokenizer", name, "--out", tmp_path / "f"),
        ("prepare", data, "--tokenizer", wordpiece_file, "--out", name),
        ("prepare", name, "--tokenizer", wordpiece_file, "--out", tmp_path / "f"),
        ("evaluate", "--gold", data, "--predictions", name),
    ):
        code, _, err = call(*arguments)
        assert (code, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    "command", ["compare {} {}", "history {}", "convert {} out", "convert . {}", "average {} --out o"]
)
@pytest.mark.parametrize("kind", ["deep", "loop"])
def test_paths_that_lead_nowhere_are_one_line(call, tmp_path, command, kind):
    path = "x/" * 3000 if kind == "deep" else tmp_path / "loop"
    if kind == "loop":
        path.symlink_to(path)
    code, out, err = call(*(word.format(path) for word in command.split()))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "is no path (" in err


@pytest.mark.parametrize("kind", ["deep", "loop"])
def test_data_that_lead_nowhere_are_one_line(call, tmp_path, wordpiece_file, kind):
    path = "x/" * 3000 if kind == "deep" else tmp_path / "loop"
    if kind == "loop":
        path.symlink_to(path)
    code, out, err = call("prepare", path, "--tokenizer", wordpiece_file, "--out", tmp_path / "o")
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("kind", ["missing", "folder", "pattern"])
def test_data_that_lead_nowhere_are_told_before_the_engines_start(call, tmp_path, monkeypatch, kind):
    """A start of TensorFlow had come first: seven seconds, for a name that was misspelt."""
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(run, "start_engine", lambda _row: pytest.fail("the engine was started"))
    data = tmp_path / {"missing": "missing.jsonl", "folder": "folder", "pattern": "*.none"}[kind]
    code, _, told = call("run", data, "--out", tmp_path / "out")
    assert (code, told.startswith(f"nqperf: error: {data}: ")) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_source_that_can_be_read_once_is_not_touched_before(tmp_path):
    for source in ("-", "https://host.invalid/dev.jsonl"):
        require_source(source, what="data")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="is a named pipe"):
        require_source(str(tmp_path / "pipe"), what="data")
