"""Revisions are found, checked out beside the project, and gone afterwards, whatever happens."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import nqperf
from nqperf.errors import ConfigError
from nqperf.perf.machine.git_command import commit_at
from nqperf.perf.revisions.git import Repository
from tests.perf.revisions.projects import commit, git, project


@pytest.fixture
def folder(tmp_path):
    folder = project(tmp_path / "a project with blanks", {"work.py": "one\n"})
    return commit(folder, {"work.py": "two\n", "more.py": ""}, "second: faster")


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    yield tmp_path / "scratch"
    assert list((tmp_path / "scratch").iterdir()) == []


def worktrees(folder):
    return git(folder, "worktree", "list", "--porcelain").count("worktree ")


@pytest.mark.parametrize("name", ["main", "HEAD", "main~0", "@"])
def test_a_name_is_a_commit(folder, name):
    found = Repository.around(folder).commit(name)
    assert found.sha == git(folder, "rev-parse", "HEAD").strip()
    assert found.subject == "second: faster"
    assert found.sha.startswith(found.short)


def test_the_repository_is_found_from_below(folder):
    (folder / "src").mkdir()
    assert Repository.around(folder / "src").root == folder


def test_another_revisions_files_stand_beside_the_project(folder):
    repository = Repository.around(folder)
    with repository.checked_out(repository.commit("HEAD~1")) as place:
        assert (place / "work.py").read_text() == "one\n"
        assert not (place / "more.py").exists()
        assert place.name == folder.name
        assert worktrees(folder) == 2
    assert not place.exists()
    assert worktrees(folder) == 1
    assert (folder / "work.py").read_text() == "two\n"


def test_the_folder_goes_when_the_block_raises(folder):
    repository = Repository.around(folder)
    with pytest.raises(ZeroDivisionError), repository.checked_out(repository.commit("main")):
        raise ZeroDivisionError
    assert worktrees(folder) == 1


def test_a_dirty_tree_and_its_branch_are_seen(folder):
    repository = Repository.around(folder)
    assert (repository.dirty(), repository.branch()) == (False, "main")
    (folder / "new.txt").write_text("not tracked")
    assert not repository.dirty()
    (folder / "work.py").write_text("three")
    assert repository.dirty()
    git(folder, "checkout", "--quiet", "--detach", "--force", "HEAD")
    assert repository.branch() is None


@pytest.mark.parametrize("name", ["none", "", " ", "--all", "-x", "main~9", "HEAD:work.py"])
def test_an_unknown_revision_is_one_line(folder, name):
    with pytest.raises(ConfigError, match="no revision") as caught:
        Repository.around(folder).commit(name)
    assert "\n" not in str(caught.value)


def test_a_shallow_clone_says_what_to_fetch(folder, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{folder}", "shallow")
    git(folder, "branch", "older", "HEAD~1")
    with pytest.raises(ConfigError, match="git fetch --unshallow") as caught:
        Repository.around(tmp_path / "shallow").commit("HEAD~1")
    said = str(caught.value).rpartition("fetch the rest first: ")[2]
    subprocess.run([shutil.which("sh"), "-c", said], cwd=tmp_path / "shallow", check=True, capture_output=True)
    for name in ("HEAD~1", "origin/older"):
        Repository.around(tmp_path / "shallow").commit(name)


def test_a_branch_that_only_the_remote_has_is_named_in_full(folder, tmp_path):
    git(folder, "branch", "feature")
    git(tmp_path, "clone", "--quiet", str(folder), "clone")
    with pytest.raises(ConfigError, match="but origin has: name it origin/feature"):
        Repository.around(tmp_path / "clone").commit("feature")


def test_a_branch_of_a_remote_that_was_not_fetched_says_so(folder, tmp_path):
    git(tmp_path, "clone", "--quiet", str(folder), "clone")
    with pytest.raises(ConfigError, match="git fetch origin feature"):
        Repository.around(tmp_path / "clone").commit("origin/feature")


def test_no_repository_no_folder_and_no_git_are_named(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="lies in no git repository"):
        Repository.around(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        Repository.around(tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is not installed"):
        Repository.around(tmp_path)


def test_the_callers_git_variables_and_the_repositorys_hooks_do_nothing(folder, tmp_path, monkeypatch):
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path / 'ran'}'\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    repository = Repository.around(folder)
    with repository.checked_out(repository.commit("main")) as place:
        assert (place / "more.py").exists()
    assert not (tmp_path / "ran").exists()


def test_submodules_come_along(folder, tmp_path, monkeypatch):
    inner = project(tmp_path / "inner", {"inside.py": "x"})
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "part")
    git(folder, "commit", "--quiet", "-m", "a part")
    repository = Repository.around(folder)
    with pytest.raises(ConfigError, match="git submodule"), repository.checked_out(repository.commit("main")):
        pass  # git forbids local paths as submodules unless its user's configuration allows them
    (tmp_path / "config").write_text('[protocol "file"]\n\tallow = always\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    with repository.checked_out(repository.commit("main")) as place:
        assert (place / "part" / "inside.py").exists()


def test_commits_between_two_are_in_order(folder):
    for number in range(3):
        commit(folder, {"work.py": str(number)}, f"change {number}")
    repository = Repository.around(folder)
    assert [one.subject for one in repository.between("HEAD~3", "main")] == ["change 0", "change 1", "change 2"]
    for good, bad in (("main", "HEAD~3"), ("main", "main")):
        with pytest.raises(ConfigError, match="does not come before"):
            repository.between(good, bad)
    assert "work.py" in repository.stat("HEAD")


HOLD = """
import sys, tempfile, time
from pathlib import Path
tempfile.tempdir = sys.argv[2]
from nqperf.perf.machine.git_command import commit_at
from nqperf.perf.revisions.git import Repository
repository = Repository.around(Path(sys.argv[1]))
with repository.checked_out(repository.commit("HEAD~1")) as place:
    print(place, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_run_leaves_is_gone_after_the_next(folder, scratch):
    words = [sys.executable, "-c", HOLD, str(folder), str(scratch)]
    environment = {**os.environ, "PYTHONPATH": str(Path(nqperf.__file__).parents[1])}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        place = Path(process.stdout.readline().strip())
        assert (place / "work.py").exists()
        process.send_signal(signal.SIGKILL)
    assert place.exists()
    repository = Repository.around(folder)
    with repository.checked_out(repository.commit("main")):
        assert worktrees(folder) == 2
    assert not place.exists()
    assert worktrees(folder) == 1


def test_a_run_tells_the_commit_that_it_stands_at(folder, tmp_path):
    sha = git(folder, "rev-parse", "HEAD").strip()
    assert commit_at(folder) == {"commit": sha[:10]}
    (folder / "work.py").write_text("three\n")
    assert commit_at(folder) == {"commit": f"{sha[:10]} and changes"}
    assert commit_at(tmp_path) == {}


def test_a_command_that_an_unpacked_repository_names_does_not_run(folder, tmp_path):
    """To see what has changed, git runs the filters of the repository's own settings: nobody asked for that here."""
    ran = tmp_path / "ran"
    (folder / ".gitattributes").write_text("* filter=x\n")
    settings = folder / ".git" / "config"
    settings.write_text(f"{settings.read_text()}[include]\npath = more\n[core]\nfsmonitor = touch {ran}\n")
    (folder / ".git" / "more").write_text(f'[filter "x"]\nclean = "touch {ran}; cat"\n')
    (folder / "work.py").write_text("three\n")
    found = commit_at(folder)["commit"]
    assert not ran.exists()
    assert found == git(folder, "rev-parse", "--short=10", "HEAD").strip() + (
        ", changes not looked for: the repository names filters of its own"
    )
    git(folder, "status")
    assert ran.exists()  # so it does run where git is asked in a plain way
