"""Pairs of processes: started in a drawn order, timed at once or in turns, lost together, ended whatever happens."""

import math
import os
import subprocess
import sys

import pytest

from nqperf.errors import NqPerfError
from nqperf.perf.measuring import duets
from nqperf.perf.measuring.duets import can_duet, halves, hold_to, started_pairs


class Scripted:
    """A process that takes the seconds that it is told; it notes what is done with it."""

    def __init__(self, name, seconds, log, fails_at=None):
        self.name, self.seconds, self.log, self.fails_at = name, seconds, log, fails_at
        self.pid = 0
        log.append(("start", name))

    def ready(self):
        self.log.append(("ready", self.name))

    def batch(self, number):
        if number == self.fails_at:
            raise NqPerfError(f"{self.name} fails")
        self.log.append(("batch", self.name, number))
        return self.seconds

    def end(self):
        self.log.append(("end", self.name))


@pytest.fixture(autouse=True)
def held(monkeypatch):
    """Note what would be held to which cores; the scripted processes have none."""
    held = []
    monkeypatch.setattr(duets, "hold_to", lambda pid, cores: held.append((pid, cores)))
    return held


def pairs(log, **rows):
    """Return the pairs of rows given as (base seconds, change seconds) or with keyword arguments of the change."""
    return {
        name: (
            lambda name=name, row=row: Scripted(f"{name}.base", row[0], log),
            lambda name=name, row=row: Scripted(f"{name}.change", row[1], log, **(row[2] if len(row) > 2 else {})),
        )
        for name, row in rows.items()
    }


@pytest.mark.parametrize("how", ["duet", "turns"])
def test_the_estimate_is_base_over_change(how):
    log = []
    with started_pairs(pairs(log, a=(2.0, 1.0), b=(1.0, 1.25)), seed=1) as alive:
        taken = alive.take(how, 5)
    found = taken.estimates()
    assert found["a"].location == pytest.approx(math.log(2))
    assert found["b"].location == pytest.approx(-math.log(1.25))
    assert taken.how == how
    assert sum(entry[0] == "batch" for entry in log) == 20
    assert sorted(name for what, name, *_ in log if what == "end") == sorted(
        name for what, name, *_ in log if what == "start"
    )


def test_the_order_is_drawn_by_the_seed_and_told():
    def order(seed):
        log = []
        with started_pairs(pairs(log, a=(1, 1), b=(1, 1)), seed=seed) as alive:
            started = [name for what, name in log if what == "start"]
            assert [name.replace(".", ":") for name in started] == list(alive.order)
            return alive.order

    assert order(3) == order(3)
    assert len({order(seed) for seed in range(20)}) > 5


@pytest.mark.parametrize("at_once", [False, True])
def test_all_are_ready_before_they_are_timed_one_by_one_or_at_once(at_once):
    log = []
    with started_pairs(pairs(log, a=(1, 1), b=(1, 1)), seed=0, at_once=at_once):
        order = [what for what, _ in log]
    assert order == (["start"] * 4 + ["ready"] * 4 if at_once else ["start", "ready"] * 4)


@pytest.mark.parametrize("how", ["duet", "turns"])
def test_both_sides_go_first(how):
    """In a duet too: who wakes first drives another program from its cores to those of the other."""
    log = []
    with started_pairs(pairs(log, a=(1, 1)), seed=0) as alive:
        alive.take(how, 40)
    firsts = [name for what, name, *_ in log if what == "batch"][::2]
    assert 10 < firsts.count("a.base") < 30


def test_halves_are_swapped_every_round(held):
    if not can_duet():
        pytest.skip("one core here")
    with started_pairs(pairs([], a=(1, 1)), seed=0) as alive:
        alive.take("duet", 2)
    first, second = halves()
    assert [cores for _, cores in held] == [first, second, second, first]
    assert not first & second
    assert len(first) == len(second)


@pytest.mark.parametrize("how", ["duet", "turns"])
def test_a_side_that_fails_takes_its_row_alone_and_the_rounds_before_stay(how):
    log = []
    with started_pairs(pairs(log, a=(1.0, 1.0, {"fails_at": 2}), b=(1.0, 2.0)), seed=1) as alive:
        taken = alive.take(how, 4)
    side, error = taken.rows["a"].lost
    assert (side, str(error)) == ("change", "a.change fails")
    assert len(taken.rows["a"].base) == len(taken.rows["a"].change) == 2
    assert len(taken.rows["b"].base) == 4


def test_a_process_that_does_not_start_takes_its_row_and_the_rest_goes_on():
    def broken():
        raise NqPerfError("does not build")

    log = []
    rows = pairs(log, b=(1.0, 1.0))
    rows["a"] = (rows["b"][0], broken)
    with started_pairs(rows, seed=2) as alive:
        taken = alive.take("turns", 3)
    assert taken.rows["a"].lost[0] == "change"
    assert taken.estimates().keys() == {"b"}


def test_times_that_are_no_times_are_a_failure():
    for seconds in (0.0, -1.0, math.inf, math.nan):
        with started_pairs(pairs([], a=(1.0, seconds)), seed=1) as alive:
            assert "does a clock jump" in str(alive.take("turns", 1).rows["a"].lost[1])


def test_a_second_take_holds_its_own_rounds():
    with started_pairs(pairs([], a=(1.0, 1.0)), seed=1) as alive:
        assert len(alive.take("turns", 3).rows["a"].base) == 3
        assert len(alive.take("duet", 2, goes_on=lambda: True).rows["a"].base) == 2
        assert alive.take("duet", 2, goes_on=lambda: False).rows["a"].base == ()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be held to cores here")
def test_a_process_is_held_with_all_its_threads(monkeypatch):
    monkeypatch.undo()
    script = (
        "import os, sys, threading; seen = [];"
        "go = threading.Event();"
        "thread = threading.Thread(target=lambda: (go.wait(), seen.append(os.sched_getaffinity(0))));"
        "thread.start(); print('ready', flush=True); sys.stdin.readline(); go.set(); thread.join();"
        "print(sorted(os.sched_getaffinity(0)), sorted(seen[0]), flush=True)"
    )
    one = frozenset({min(os.sched_getaffinity(0))})
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        hold_to(process.pid, one)
        out, _ = process.communicate("\n")
    assert out == f"{sorted(one)} {sorted(one)}\n"
