import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nqperf
from nqperf.errors import FormatError
from nqperf.formats.files import PARTIAL_SUFFIX, whole_file, whole_folder, write_whole
from nqperf.formats.reading import read_whole


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "out.json"
    with whole_file(path) as partial:
        partial.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["out.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_older_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "out.json"
    path.write_bytes(b"old")

    def fail_halfway():
        with whole_file(path) as partial:
            partial.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.json"]


def test_an_output_that_is_no_place_for_a_file_is_refused(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, message in {
        tmp_path: "is a folder",
        tmp_path / "none" / "out.json": "cannot be written .No such file",
        fifo: "is no plain file",
    }.items():
        with pytest.raises(FormatError, match=message) as caught:
            write_whole(path, b"x")
        assert caught.value.path == str(path)
    assert names(tmp_path) == ["fifo"]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FormatError, match="no such file; expected a thing"):
        read_whole(tmp_path / "none.json", what="a thing")
    with pytest.raises(FormatError, match="is a folder; expected a thing"):
        read_whole(tmp_path, what="a thing")


HOLD = """
import sys, time
from pathlib import Path
from nqperf.formats.files import whole_file, whole_folder
with whole_file(Path(sys.argv[1]) / "a.json"), whole_folder(Path(sys.argv[1]) / "b"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks are known there")
def test_leftovers_of_a_killed_run_are_removed_and_those_of_a_live_one_are_not(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(nqperf.__file__).parent.parent) as process:
        assert process.stdout.readline() == b"held\n"
        held = sorted(names(tmp_path))
        assert len(held) == 2
        assert all(name.endswith(PARTIAL_SUFFIX) for name in held)
        write_whole(tmp_path / "other.json", b"x")
        assert sorted(names(tmp_path)) == [*held, "other.json"]
        process.kill()
    foreign = [".a.json.partial", "a.json.0123abcd.nqperf.partial", ".a.nqperf.partial"]
    for name in foreign:
        (tmp_path / name).touch()
    write_whole(tmp_path / "other.json", b"y")
    assert sorted(names(tmp_path)) == sorted(["other.json", *foreign])


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "model"
    for content in (b"old", b"new"):
        with whole_folder(path) as partial:
            (partial / "weights").write_bytes(content)
            assert path.exists() == (content == b"new")
    assert (path / "weights").read_bytes() == b"new"
    assert names(tmp_path) == ["model"]


def test_a_folder_that_was_being_replaced_is_put_back(tmp_path):
    path = tmp_path / "model"
    older = tmp_path / ".model.replaced"
    older.mkdir()
    (older / "weights").write_bytes(b"old")

    def fail():
        with whole_folder(path):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(FormatError, match=r"model: could not be finished \(Input/output error\)"):
        fail()
    assert older.exists()
    with whole_folder(path) as partial:
        (partial / "weights").write_bytes(b"new")
    assert (path / "weights").read_bytes() == b"new"
    assert names(tmp_path) == ["model"]


def test_a_full_disk_is_one_clear_error(tmp_path):
    path = tmp_path / "out.json"
    path.write_bytes(b"old")
    older = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, older[1]))
    try:
        with pytest.raises(FormatError, match=r"out.json: could not be finished \(File too large\): raise the limit"):
            write_whole(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, older)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.json"]


def test_a_folder_that_vanishes_is_named(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()

    def vanish():
        with whole_file(folder / "out.json") as partial:
            partial.write_bytes(b"x")
            shutil.rmtree(folder)

    with pytest.raises(FormatError, match=r"out.json: could not be finished .*its folder has vanished"):
        vanish()
