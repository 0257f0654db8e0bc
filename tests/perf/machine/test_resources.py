import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nqperf.perf.machine import resources
from nqperf.perf.machine.environment import page_environment
from tests.system_files import LINUX, write

MIB = 1 << 20


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
from nqperf.perf.machine.environment import page_environment
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


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 2048 kB\n"}, 2 * MIB),
        (
            {
                "proc/meminfo": "MemAvailable: 2048 kB\n",
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.max": f"{3 * MIB}\n",
                "sys/fs/cgroup/a/memory.current": f"{2 * MIB + 1000}\n",
                "sys/fs/cgroup/a/memory.stat": "anon 7\ninactive_file 1000\n",
            },
            MIB,
        ),
    ],
)
def test_memory_that_is_left_is_the_least_of_the_machines_and_the_groups(tmp_path, files, expected):
    assert resources.available_memory(write(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("rollup", "kind"),
    [
        ("Anonymous: 1000 kB\nAnonHugePages: 900 kB\n", "huge"),
        ("Anonymous: 1000 kB\nAnonHugePages: 0 kB\n", "plain"),
        ("", "plain"),
    ],
)
def test_pages_are_huge_where_much_of_the_memory_lies_on_them(tmp_path, rollup, kind):
    found = resources.pages(write(tmp_path, {"proc/self/smaps_rollup": rollup}))
    assert found.kind == kind
    assert (found.huge is None) == (rollup == "")


@pytest.mark.parametrize(("huge", "kind"), [(4096, "huge"), (2048, "huge"), (0, "plain")])
def test_a_small_process_that_asked_shows_by_one_huge_page_that_it_was_given_them(tmp_path, huge, kind):
    """Of 18 MB it had 4 or 2 on huge pages: at a quarter, the same work was huge in one run and plain in the next."""
    rollup = {"proc/self/smaps_rollup": f"Anonymous: 18000 kB\nAnonHugePages: {huge} kB\n"}
    assert resources.pages(write(tmp_path, rollup), small=True).kind == kind
    assert resources.pages(tmp_path).kind == "plain"


@LINUX
def test_huge_pages_are_seen_in_a_process_that_asks_for_them():
    if not resources.allows_huge_pages():
        pytest.skip("this machine gives no huge pages, or its glibc cannot ask for them")
    script = (
        "from nqperf.perf.machine.resources import pages; block = bytearray(b'x') * (200 << 20); print(pages().kind)"
    )
    environment = {**os.environ, **page_environment("huge", os.environ)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "huge"
    assert page_environment("plain", os.environ) == {}
    both = page_environment("huge", {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"})["GLIBC_TUNABLES"]
    assert both == "glibc.pthread.rseq=0:glibc.malloc.hugetlb=1"


@LINUX
def test_arrays_of_a_builder_share_huge_pages():
    """Two hundred blocks of 1 MiB, each too small for a huge page of its own."""
    if not resources.allows_huge_pages():
        pytest.skip("this machine gives no huge pages, or its glibc cannot ask for them")
    kept = "kept = [b'x' * (1 << 20) for _ in range(200)]"
    script = f"from nqperf.perf.machine.resources import pages; {kept}; print(pages().huge)"
    huge = {}
    for in_heap in (False, True):
        environment = {**os.environ, **page_environment("huge", os.environ, in_heap=in_heap)}
        words = [sys.executable, "-c", script]
        huge[in_heap] = int(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout)
    assert huge[True] > 100 << 20
    # Where the system gives huge pages unasked, it may join the blocks into some.
    if "[madvise]" in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text():
        assert huge[False] < 100 << 20


@LINUX
def test_what_a_process_does_is_seen():
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    idle = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        time.sleep(1.0)
        assert resources.activity(busy.pid).cpu_seconds > resources.activity(idle.pid).cpu_seconds
        assert resources.activity(idle.pid).state == "S"
        os.kill(busy.pid, signal.SIGSTOP)
        time.sleep(0.1)
        assert resources.activity(busy.pid).state == "T"
    finally:
        for process in (busy, idle):
            process.kill()
            process.wait()
    assert resources.activity(busy.pid) is None
