"""How sides are started for a set: two of them build side by side, and what was launched never outlives its set."""

import os

import pytest

from nqperf.perf.pairs.sides import Patience, SideStarter, way_of
from nqperf.perf.workers.process import WorkerError
from tests.system_files import children

HERE = "tests.perf.pairs.test_sides"


def build():
    return os.getpid


def build_nothing():
    raise ValueError("no work today")


def _starter(target, prepare=lambda _: None):
    way = way_of(target, origin="the baseline", patience=Patience(build=60, run=60))
    return SideStarter(way=way, name="row", told=told.append, prepare=prepare)


told: list[str] = []


@pytest.fixture(autouse=True)
def _anew():
    told.clear()
    before = set(children())
    yield
    assert not set(children()) - before


def test_the_launched_side_is_the_one_that_is_taken():
    starter = _starter(f"{HERE}:build")
    before = set(children())
    starter.launch()
    (launched,) = set(children()) - before
    starter.launch()  # one is enough
    assert not told, "nobody waits yet"
    side = starter()
    try:
        assert told == ["row"]
        assert side.output() == launched
        assert side.warm_up_seconds > 0
    finally:
        side.end()
    again = starter()
    try:
        assert again.output() != launched, "the next set has a process of its own"
    finally:
        again.end()


def test_a_launched_side_that_nobody_takes_is_ended():
    before = set(children())
    starter = _starter(f"{HERE}:build")
    starter.launch()
    assert set(children()) - before
    starter.drop()
    assert not set(children()) - before
    starter.drop()  # there is none any more


def test_a_side_that_does_not_build_says_so_where_it_is_waited_for():
    starter = _starter(f"{HERE}:build_nothing")
    starter.launch()
    with pytest.raises(WorkerError, match="no work today"):
        starter()


def test_a_side_that_cannot_be_prepared_is_ended():
    def prepare(_side):
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        _starter(f"{HERE}:build", prepare)()


def test_a_callable_of_this_process_runs_when_it_is_waited_for():
    calls = []
    way = way_of(lambda: calls.append(1), origin="the baseline", patience=Patience(build=60, run=60))
    starter = SideStarter(way=way, name="row", told=told.append, prepare=lambda _: None)
    starter.launch()
    assert not calls
    starter().end()
    assert calls
