import os

import pytest

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole, whole_file, write_whole


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
    with pytest.raises(FormatError, match=r"cannot be read \(Is a directory\); expected a thing"):
        read_whole(tmp_path, what="a thing")
