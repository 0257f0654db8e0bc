import subprocess
import sys

import pytest

from nqperf.perf.machine.resources import malloc_library
from nqperf.shards.allocator import keep_memory

SCRIPT = """
from nqperf.shards.allocator import keep_memory
from nqperf.perf.machine.resources import keeps_memory
print(keeps_memory(), keep_memory({}), keeps_memory())
"""


def test_large_blocks_are_kept_where_malloc_is_glibcs():
    if not (malloc_library() or "").startswith("glibc"):
        pytest.skip("glibc's malloc does not serve here")
    done = subprocess.run([sys.executable, "-c", SCRIPT], env={}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


@pytest.mark.parametrize(
    "environment", [{"MALLOC_ARENA_MAX": "2"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"}]
)
def test_what_the_user_said_of_malloc_holds(environment):
    assert keep_memory(environment) is False
