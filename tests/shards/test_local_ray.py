"""The Ray that a run starts on this machine is nobody else's."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nqperf.formats.files import PARTIAL_SUFFIX

pytestmark = pytest.mark.slow

STARTS = """
import json, os, sys, time
from nqperf.shards.cluster import ClusterConfig, joined
from tests.shards.sockets import listening
if sys.argv[1] == "imported":
    import ray
with joined(ClusterConfig()) as ray:
    @ray.remote(num_cpus=0)
    class Actor:
        def mode(self):
            return os.environ["RAY_AUTH_MODE"], sys.path
    mode, path = ray.get(Actor.remote().mode.remote())
    folder = ray._private.worker._global_node.get_temp_dir_path()
    print(json.dumps({"listening": listening(os.getpid()), "folder": folder, "mode": mode, "path": path}), flush=True)
    if sys.argv[1] == "wait":
        time.sleep(100)
print(json.dumps("RAY_AUTH_TOKEN" in os.environ))
"""
HERE = Path(__file__).parents[2]


def start(how, folder=HERE):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["PYTHONPATH"] = str(HERE)
    words = [sys.executable, "-c", STARTS, how]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=folder, env=environment, **pipes)


def test_it_listens_to_this_machine_alone_and_asks_for_a_token():
    with start("once") as process:
        found = json.loads(process.stdout.readline())
        addresses = {address for address, _ in found["listening"]}
        assert addresses
        assert addresses <= {"127.0.0.1", "::1"}
        assert found["mode"] == "token"
        assert stat.S_IMODE(Path(found["folder"]).parent.stat().st_mode) == 0o700
        assert json.loads(process.stdout.readline()) is False
        assert process.wait(60) == 0
    assert not Path(found["folder"]).exists()


def test_no_worker_has_the_working_directory_on_its_path(tmp_path):
    with start("once", tmp_path) as process:
        path = json.loads(process.stdout.readline())["path"]
        assert process.wait(60) == 0
    assert str(HERE) in path
    assert not {"", ".", str(tmp_path), str(tmp_path.resolve())} & set(path)


def test_a_ray_that_would_listen_to_others_is_refused():
    with start("imported") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    assert "ClusterError: Ray would listen on" in err


def test_what_a_killed_run_leaves_goes_with_the_next():
    with start("wait") as process:
        folder = Path(json.loads(process.stdout.readline())["folder"])
        assert folder.exists()
        process.kill()
    with start("once") as process:
        process.communicate(timeout=120)
    assert not folder.exists()
    left = [path for path in Path(tempfile.gettempdir()).glob(f".r.*{PARTIAL_SUFFIX}") if path == folder]
    assert left == []
