"""What watches a Python program is taken off while it is timed, and put back."""

import cProfile
import pstats
import sys
import threading

import pytest

from nqperf.perf.measuring.untraced import untraced, watchers
from nqperf.perf.measuring.work import TimedRuns, Work


def hook(*_arguments):
    return hook


WAYS = [
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (threading.gettrace, threading.settrace),
    (threading.getprofile, threading.setprofile),
]


@pytest.fixture(autouse=True)
def outer():
    """Leave what watches the tests themselves as it is."""
    before = [get() for get, _ in WAYS]
    yield
    for (_, put), kept in zip(WAYS, before, strict=True):
        put(kept)


@pytest.mark.parametrize("end", [None, ValueError])
@pytest.mark.parametrize(("get", "put"), WAYS)
def test_each_is_taken_off_and_put_back_however_the_block_ends(get, put, end):
    put(hook)
    try:
        with untraced():
            assert get() is None
            if end:
                raise end
    except ValueError:
        pass
    assert get() is hook
    assert __name__ in watchers()


def test_a_profiler_in_c_is_taken_off_and_goes_on_afterwards():
    def inside():
        pass

    def outside():
        pass

    profiler = cProfile.Profile()
    profiler.enable()
    try:
        with untraced():
            inside()
        outside()
    finally:
        profiler.disable()
    names = {function for _, _, function in pstats.Stats(profiler).stats}
    assert "outside" in names
    assert "inside" not in names


def test_nothing_is_put_on_where_nothing_was():
    for _, put in WAYS:
        put(None)
    with untraced():
        pass
    assert [get() for get, _ in WAYS] == [None] * len(WAYS)


def test_timed_work_is_not_watched_and_what_prepares_it_is():
    seen = []
    work = Work(run=lambda given: seen.append(("run", sys.gettrace(), given)), set_up=lambda: 7, warm_up=0)
    runs = TimedRuns(work)
    sys.settrace(hook)
    assert runs(0) >= 0
    runs.output()
    sys.settrace(None)
    assert seen == [("run", None, 7), ("run", hook, 7)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is there from Python 3.12 on")
def test_the_tools_of_sys_monitoring_see_nothing_meanwhile():
    monitoring, tool, seen = sys.monitoring, 4, []
    monitoring.use_tool_id(tool, "watching")
    try:
        monitoring.register_callback(tool, monitoring.events.PY_START, lambda code, _at: seen.append(code.co_name))
        monitoring.set_events(tool, monitoring.events.PY_START)

        def work():
            return 1

        assert "watching" in watchers()
        with untraced():
            work()
        assert "work" not in seen
        work()
        assert "work" in seen
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
