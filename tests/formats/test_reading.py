from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nqperf.errors import FormatError
from nqperf.formats.reading import exists, opened, read_whole


def refusal(path):
    with pytest.raises(FormatError) as caught:
        read_whole(path, what="a thing")
    assert len(str(caught.value).splitlines()) == 1
    assert "expected a thing" in str(caught.value)
    return str(caught.value)


def test_what_is_no_file_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, said in {
        tmp_path: "is a folder",
        Path("/dev/zero"): "is a device",
        Path("/dev/null"): "is a device",
        tmp_path / "pipe": "is a named pipe",
        tmp_path / "none": "no such file",
        tmp_path / "none" / "deeper": "no such file",
        tmp_path / ("x" * 300): "File name too long",
        tmp_path / "a\0b": "is no path",
    }.items():
        assert said in refusal(path)


def test_a_socket_and_a_link_to_itself_are_refused(tmp_path, monkeypatch):
    import socket

    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert "is a socket" in refusal(Path("s"))
    Path("loop").symlink_to("loop")
    assert "cannot be read" in refusal(Path("loop"))


def test_a_file_without_permission_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "mine"
    path.write_text("x")

    def denied(*_arguments, **_named):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", denied)  # root may read any file
    assert "cannot be read (Permission denied)" in refusal(path)


def test_a_name_that_is_no_utf_8_is_read_and_shown_in_one_line(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n"))
    refusal(path).encode()
    path.write_bytes(b"x")
    assert read_whole(path, what="a thing") == b"x"


def test_a_pipe_that_is_open_already_is_read():
    script = (
        "from pathlib import Path; from nqperf.formats.reading import read_whole;"
        "print(read_whole(Path('/dev/stdin'), what='a thing'))"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"abc", capture_output=True, check=True)
    assert done.stdout == b"b'abc'\n"


def test_a_limit_bounds_what_is_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 11)
    assert len(read_whole(path, what="a thing", limit=11)) == 11
    with pytest.raises(FormatError, match="is larger than 10 bytes, the most that is read of a thing"):
        read_whole(path, what="a thing", limit=10)
    with opened(path, what="a thing") as file:
        assert file.read(3) == b"xxx"


def test_a_name_that_the_system_takes_for_none_is_nothing(tmp_path):
    assert exists(tmp_path)
    assert not any(exists(tmp_path / name) for name in ("none", "x" * 300, "a\0b"))
