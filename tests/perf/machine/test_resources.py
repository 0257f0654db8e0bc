import os
import subprocess
import sys

import pytest

from nqperf.perf.machine import resources

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's files")
MIB = 1 << 20


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


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
    assert resources.cpu_quota(write(tmp_path, files)) == quota


@pytest.mark.parametrize(("quota", "cores"), [("max", 8), ("50000", 1), ("100000", 1), ("150000", 2), ("1600000", 8)])
def test_cores_are_the_fewer_of_affinity_and_quota(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(resources, "affine_cores", lambda: 8)
    root = write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"})
    assert resources.usable_cores(root) == cores


@LINUX
def test_affinity_counts():
    script = "from nqperf.perf.machine.resources import usable_cores; print(usable_cores())"
    one = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{one}}}); {script}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "1"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal:  2048 kB\nMemFree: 1 kB\n"}, 2 * MIB),
        (
            {
                "proc/meminfo": "MemTotal: 2048 kB\n",
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/memory.max": "max\n",
                "sys/fs/cgroup/a/memory.max": f"{MIB}\n",
            },
            MIB,
        ),
        (
            {
                "proc/meminfo": "MemTotal: 2048 kB\n",
                "proc/self/cgroup": "4:memory:/x\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            2 * MIB,
        ),
    ],
)
def test_memory_is_the_least_of_the_machine_and_its_groups(tmp_path, files, expected):
    assert resources.memory_bytes(write(tmp_path, files)) == expected


USED = """
import os
from nqperf.perf.machine import resources
before, peak = resources.usage(), resources.peak_memory()
block = bytearray(os.urandom(1)) * (200 * 2**20)
print(resources.usage().since(before).minor_faults, peak, resources.peak_memory())
"""


@LINUX
def test_what_a_process_used_grows_and_is_its_own():
    parents = bytearray(os.urandom(1)) * (200 * MIB)
    # In a process of its own: where much was in use before, 200 MiB more need not be a new peak.
    done = subprocess.run([sys.executable, "-c", USED], capture_output=True, text=True, check=True)
    faults, before, after = map(int, done.stdout.split())
    assert faults > 100  # huge pages: one a 2 MiB
    assert before < 150 * MIB <= len(parents)
    assert after >= before + 150 * MIB


def malloc_in(environment):
    script = "from nqperf.perf.machine.resources import *; print(malloc_library(), keeps_memory(), sep='|')"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**plain, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().split("|")


@LINUX
def test_whether_malloc_keeps_memory_is_seen_and_not_read_from_variables():
    library, keeps = malloc_in({})
    if not library.startswith("glibc"):
        pytest.skip(f"malloc is {library}'s")
    assert keeps == "False"
    # Both of glibc's ways to give memory back have to be closed: one variable alone is a wish.
    assert malloc_in({"MALLOC_TRIM_THRESHOLD_": str(8 << 30)})[1] == "False"
    both = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(8 << 30)}
    assert malloc_in(both)[1] == "True"
    assert malloc_in({**both, "MALLOC_MMAP_THRESHOLD_": "nonsense"})[1] == "False"
