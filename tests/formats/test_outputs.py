"""What an output may be: a link stays a link, a file keeps its mode, what is not ours to write stays as it is."""

import os
import stat
import subprocess
import sys

import pytest

from nqperf.errors import FormatError
from nqperf.formats.files import open_lock, scratch_folder, whole_file, whole_folder, write_whole
from nqperf.formats.journal import opened_journal
from nqperf.formats.results.kept_rows import KeptFile

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root may give a file to another user")
NOBODY = 65534


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("relative", [False, True])
def test_a_link_stays_a_link_and_its_target_is_written_whole(tmp_path, relative):
    target = tmp_path / "there" / "out.json"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(os.path.relpath(target, tmp_path) if relative else target)
    with whole_file(link) as partial:
        partial.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["out.json"]


def test_a_link_to_nothing_makes_its_target(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "new.json")
    write_whole(link, b"x")
    assert link.is_symlink()
    assert (tmp_path / "new.json").read_bytes() == b"x"


def test_links_that_lead_nowhere_are_named(tmp_path):
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    lost = tmp_path / "lost"
    lost.symlink_to(tmp_path / "none" / "out.json")
    for path in (circle, lost):
        with pytest.raises(FormatError, match="cannot be written"):
            write_whole(path, b"x")
        assert path.is_symlink()


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/comm", "/dev/new-file"])
def test_what_is_the_systems_is_refused_and_stays(name, tmp_path):
    """Also where standard output is a file, to which /dev/stdout then leads."""
    script = (
        f"from pathlib import Path; from nqperf.formats.files import write_whole; write_whole(Path({name!r}), b'x')"
    )
    out = tmp_path / "stdout"
    with out.open("wb") as file:
        done = subprocess.run([sys.executable, "-c", script], stdout=file, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"FormatError" in done.stderr
    assert out.read_bytes() == b""
    assert name == "/dev/new-file" or os.path.lexists(name)


def test_a_device_behind_a_link_is_refused(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    with pytest.raises(FormatError, match="no plain file"):
        write_whole(link, b"x")
    assert link.is_symlink()


def test_a_file_keeps_its_mode_and_a_new_one_has_the_usual_one(tmp_path):
    kept, new, plain = tmp_path / "kept", tmp_path / "new", tmp_path / "plain"
    kept.write_bytes(b"old")
    kept.chmod(0o640)
    plain.touch()
    for path in (kept, new):
        write_whole(path, b"x")
    assert (mode(kept), mode(new)) == (0o640, mode(plain))


@as_root
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "theirs"
    path.write_bytes(b"old")
    os.chown(path, NOBODY, NOBODY)
    write_whole(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, NOBODY)


def test_a_folder_does_not_take_the_place_of_a_link_or_a_file(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_bytes(b"x")
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(tmp_path / "there")
    file.write_bytes(b"x")
    for path in (link, file):
        with pytest.raises(FormatError, match="a folder is written here"), whole_folder(path):
            pass
    assert link.is_symlink()
    assert (tmp_path / "there" / "mine").read_bytes() == b"x"


def test_scratch_is_nobody_elses_to_read():
    with scratch_folder() as folder:
        assert mode(folder) == 0o700


@pytest.mark.parametrize("content", [b"", b"4711"])
def test_a_lock_is_made_or_taken_as_it_is(tmp_path, content):
    path = tmp_path / "lock"
    if content:
        path.write_bytes(content)
    os.close(open_lock(path))
    assert path.read_bytes() == content


def test_what_is_no_lock_is_refused_and_stays(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"must stay as it is\n")
    soft, hard, pipe, folder = (tmp_path / name for name in ("soft", "hard", "pipe", "folder"))
    soft.symlink_to(victim)
    hard.hardlink_to(victim)
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (victim, soft, hard, folder):
        with pytest.raises(FormatError, match="lock"):
            open_lock(path)
    assert victim.read_bytes() == b"must stay as it is\n"


def test_links_in_a_strangers_folder_lead_nowhere(tmp_path):
    """The user named the folder, and none of these files; what they lead to must stay as it is."""
    victim, folder = tmp_path / "victim", tmp_path / "strangers"
    victim.write_bytes(b"must stay as it is\n")
    (folder / "work").mkdir(parents=True)
    for name in ("journal.json", "shard-00000.json", "shard-00000.logits.npz"):
        link = folder / "work" / name
        link.symlink_to(victim)
        with pytest.raises(FormatError, match=f"{name}: is a link"), opened_journal(folder / "work", {}):
            pass
        link.unlink()
    (folder / "other").symlink_to(tmp_path)
    with pytest.raises(FormatError, match="other: is a link"), opened_journal(folder / "other", {}):
        pass
    (folder / "bench.json.rows").symlink_to(victim)
    with pytest.raises(FormatError, match="rows: is a link"):
        KeptFile(path=folder / "bench.json.rows", run={})
    assert victim.read_bytes() == b"must stay as it is\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["strangers", "victim"]


@as_root
def test_another_users_lock_is_refused(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(FormatError, match="no lock of yours"):
        open_lock(path)


def test_a_strangers_run_folder_empties_no_file(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"must stay as it is\n")
    work = tmp_path / "run" / "work"
    work.mkdir(parents=True)
    (work / "lock").symlink_to(victim)
    with pytest.raises(FormatError, match="link"), opened_journal(work, {}):
        pass
    assert victim.read_bytes() == b"must stay as it is\n"


@as_root
def test_the_folder_that_waits_to_be_removed_must_be_ours(tmp_path):
    """Its name can be foretold, so somebody else may have made it."""
    (tmp_path / "model").mkdir()
    theirs = tmp_path / ".model.replaced"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    with pytest.raises(FormatError, match="belongs to somebody else"), whole_folder(tmp_path / "model"):
        pass
    assert theirs.exists()


def test_leftovers_that_are_links_stay_and_what_they_lead_to_as_well(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"x")
    link = tmp_path / ".a.json.0123abcd.nqperf.partial"
    link.symlink_to(victim)
    write_whole(tmp_path / "out", b"x")
    assert link.is_symlink()
    assert victim.read_bytes() == b"x"
