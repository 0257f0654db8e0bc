"""How many threads engines ask for: one a core that they may use, by affinity and by the quota of control groups."""

import os
import subprocess
import sys

import pytest

from nqperf.engines import threads
from tests.system_files import LINUX, write


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        # A group within a tighter one, and one within a wider one.
        (
            {
                "proc/self/cgroup": "0::/pod/box\n",
                "sys/fs/cgroup/pod/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/pod/box/cpu.max": "400000 100000\n",
            },
            0.5,
        ),
        # Version 1, seen from within a container: the host's path is not there.
        (
            {
                "proc/self/cgroup": "5:cpuacct,cpu:/docker/abc\n4:memory:/docker/abc\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense\n"}, None),
    ],
)
def test_the_quota_of_control_groups_is_the_tightest(tmp_path, files, quota):
    assert threads.cpu_quota(write(tmp_path, files)) == quota


@pytest.mark.parametrize(("quota", "cores"), [("max", 8), ("50000", 1), ("100000", 1), ("150000", 2), ("1600000", 8)])
def test_cores_are_the_fewer_of_affinity_and_quota(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(threads, "affine_cores", lambda: 8)
    root = write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"})
    assert threads.available_cores(root) == cores


@LINUX
def test_affinity_counts():
    script = "from nqperf.engines.threads import available_cores; print(available_cores())"
    one = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{one}}}); {script}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "1"


@pytest.mark.parametrize(
    ("set_to", "cores", "expected"), [(None, 1, "1"), (None, 2, None), ("5", 1, "5"), ("", 1, "1")]
)
def test_tensorflow_is_told_of_a_quota_that_it_does_not_see(monkeypatch, set_to, cores, expected):
    monkeypatch.delenv(threads.INTRA_OP, raising=False)
    if set_to is not None:
        monkeypatch.setenv(threads.INTRA_OP, set_to)
    monkeypatch.setattr(threads, "affine_cores", lambda: 2)
    monkeypatch.setattr(threads, "cpu_quota", lambda _root: float(cores))
    threads.respect_quota()
    assert os.environ.get(threads.INTRA_OP) == expected
    assert threads.requested_threads() == int(expected or 2)
