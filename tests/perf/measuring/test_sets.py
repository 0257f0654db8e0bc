"""One set of scripted processes: what is started, in which order it is timed, and what becomes of those that fail."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import NqPerfError
from nqperf.perf.measuring.sets import Conduct, take_set
from nqperf.records.results import BASELINE


class Scripted:
    """A process whose batches take what `script` says of their number; an exception there is raised."""

    def __init__(self, name, script, log):
        self.name, self.script, self.log = name, script, log
        self.ended = False
        log.append(("start", name))

    def batch(self, number):
        assert not self.ended
        self.log.append(("batch", self.name, number))
        seconds = self.script(number)
        if isinstance(seconds, BaseException):
            raise seconds
        return seconds

    def end(self):
        self.ended = True
        self.log.append(("end", self.name))


def starts(log, **scripts):
    def one(name, script):
        def start():
            if isinstance(script, Exception):
                raise script
            return Scripted(name, script, log)

        return start

    return {name: one(name, script) for name, script in scripts.items()}


def taken(log=None, rounds=4, seed=1, conduct=None, baseline=lambda _: 1.0, **rows):
    log = [] if log is None else log
    first = starts(log, **{BASELINE: baseline})[BASELINE]
    return take_set(first, starts(log, **rows), seed=seed, rounds=rounds, conduct=conduct)


def test_each_round_has_the_baseline_at_both_ends_and_each_row_once_between():
    log = []
    found = taken(log, a=lambda _: 0.5, b=lambda _: 2.0, c=lambda _: 1.0)
    batches = [entry[1:] for entry in log if entry[0] == "batch"]
    for number in range(4):
        one = batches[5 * number : 5 * number + 5]
        assert one[0] == one[-1] == (BASELINE, number)
        assert sorted(name for name, _ in one[1:-1]) == ["a", "b", "c"]
        assert {count for _, count in one} == {number}
        assert tuple(name for name, _ in one[1:-1]) == found.rounds[number]
    assert {name: math.exp(row.location) for name, row in found.estimates().items()} == pytest.approx(
        {"a": 2.0, "b": 0.5, "c": 1.0}
    )
    assert found.baseline == ((1.0, 1.0),) * 4
    assert sorted(entry[1] for entry in log if entry[0] == "end") == ["a", "b", BASELINE, "c"]


def test_all_are_started_before_any_is_timed_in_an_order_that_the_seed_draws():
    orders, rounds = set(), set()
    for seed in range(40):
        log = []
        found = taken(log, rounds=1, seed=seed, a=lambda _: 1.0, b=lambda _: 1.0)
        kinds = [entry[0] for entry in log]
        assert kinds.index("batch") == 3
        assert tuple(entry[1] for entry in log[:3]) == found.order
        assert taken(rounds=1, seed=seed, a=lambda _: 1.0, b=lambda _: 1.0).order == found.order
        orders.add(found.order)
        rounds.add(found.rounds)
    assert len(orders) == 6  # the baseline too is started first, second and last
    assert len(rounds) == 2


def test_a_ratio_is_held_to_the_mean_log_of_the_rounds_own_two_baselines():
    clock = iter(np.linspace(1.0, 2.0, 12))  # a machine that gets slower all the while
    found = taken(baseline=lambda _: next(clock), a=lambda _: next(clock))
    ends, row = np.log(found.baseline), np.log(found.seconds["a"])
    assert found.estimates()["a"].location == pytest.approx(float(np.median(ends.mean(axis=1) - row)), abs=1e-3)
    assert abs(found.estimates()["a"].location) < 0.003  # drift within a round cancels


class TwoSteps:
    """A start that can be launched before it is awaited, and writes down both."""

    def __init__(self, name, log, *, fails=False):
        self.name, self.log, self.fails = name, log, fails

    def launch(self):
        self.log.append(("launch", self.name))

    def drop(self):
        self.log.append(("drop", self.name))

    def __call__(self):
        if self.fails:
            raise NqPerfError("it died")
        return Scripted(self.name, lambda _: 1.0, self.log)


class Admitting(Conduct):
    """Lets rows load together as told, and refuses one."""

    def __init__(self, *, together=True, refused=None):
        self.together, self.refused, self.asked = together, refused, []

    def loads_together(self, names):
        self.asked.append(names)
        return self.together

    def refuses(self, name):
        return "no room" if name == self.refused else None


def launched(conduct):
    log = []
    rows = {name: TwoSteps(name, log) for name in "abc"}
    found = take_set(TwoSteps(BASELINE, log), rows, seed=3, rounds=1, conduct=conduct)
    return log, found


def test_two_processes_load_at_once_and_nothing_loads_while_another_is_looked_at():
    conduct = Admitting()
    log, found = launched(conduct)
    kinds = [entry[0] for entry in log[:8]]
    assert kinds == ["launch", "launch", "start", "start"] * 2
    assert [entry[1] for entry in log[:2]] == [entry[1] for entry in log[2:4]] == list(found.order[:2])
    assert conduct.asked == [found.order[:2], found.order[2:]]


def test_where_there_is_no_room_for_two_each_starts_alone():
    log, found = launched(Admitting(together=False))
    assert not [entry for entry in log if entry[0] == "launch"]
    assert len(found.order) == 4


def test_what_was_launched_and_is_not_taken_is_dropped():
    log, found = launched(Admitting(refused="b"))
    assert found.refused == {"b": "no room"}
    assert log.index(("drop", "b")) < [entry[0] for entry in log].index("batch")
    # The baseline fails before the row that loaded beside it is awaited.
    log = []
    rows = {name: TwoSteps(name, log) for name in "abc"}
    found = take_set(TwoSteps(BASELINE, log, fails=True), rows, seed=3, rounds=1, conduct=Admitting())
    assert str(found.broken) == "it died"
    assert {entry[1] for entry in log if entry[0] == "drop"} == {"a", "b", "c", BASELINE}


def test_a_row_that_fails_on_the_way_keeps_its_rounds_and_the_others_go_on():
    log = []
    broken = NqPerfError("it died")
    found = taken(log, a=lambda number: broken if number == 2 else 0.5, b=lambda _: 1.0)
    assert found.lost == {"a": broken}
    assert (len(found.seconds["a"]), len(found.seconds["b"])) == (2, 4)
    assert ("end", "a") in log[: log.index(("batch", BASELINE, 3))]
    assert math.exp(found.estimates()["a"].location) == pytest.approx(2.0)


def test_a_row_that_does_not_start_is_lost_and_the_others_are_timed():
    found = taken(a=NqPerfError("no such file"), b=lambda _: 1.0)
    assert str(found.lost["a"]) == "no such file"
    assert set(found.estimates()) == {"b"}


def test_a_baseline_that_fails_ends_the_set_with_its_whole_rounds():
    log = []
    broken = NqPerfError("killed")
    found = taken(log, baseline=lambda number: broken if number == 2 else 1.0, a=lambda _: 0.5)
    assert found.broken is broken
    assert (len(found.baseline), len(found.seconds["a"])) == (2, 2)
    assert sorted(entry[1] for entry in log if entry[0] == "end") == ["a", BASELINE]
    nothing = taken(baseline=NqPerfError("no start"), a=lambda _: 0.5)
    assert (str(nothing.broken), nothing.estimates()) == ("no start", {})


@pytest.mark.parametrize("seconds", [math.nan, math.inf, 0.0, -1.0])
def test_a_time_that_is_none_is_a_loss_and_no_ratio(seconds):
    found = taken(a=lambda number: seconds if number else 1.0, b=lambda _: 1.0)
    assert "expected a finite number above 0" in str(found.lost["a"])
    assert len(found.seconds["a"]) == 1


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), KeyboardInterrupt("again")])
def test_a_signal_keeps_the_whole_rounds_and_ends_all_processes(signal):
    log = []
    found = taken(log, a=lambda number: signal if number == 3 else 0.5)
    assert found.interrupted is signal
    assert len(found.estimates()) == 1
    assert len(found.baseline) == 3
    assert {entry[1] for entry in log if entry[0] == "end"} == {BASELINE, "a"}


class Narrow(Conduct):
    """Lets in two rows, takes two rounds, and finds one row changed after them."""

    def __init__(self):
        self.inside, self.told = [], []

    def refuses(self, name):  # noqa: ARG002
        return "no memory" if len(self.inside) == 2 else None

    def started(self, name, process):  # noqa: ARG002
        if name != BASELINE:
            self.inside.append(name)

    def before_round(self, number):
        self.told.append(number)

    def goes_on(self, rounds):
        return rounds < 2

    def over(self, name, process):  # noqa: ARG002
        if name == self.inside[0]:
            raise NqPerfError("its answers changed")


def test_what_conducts_a_set_lets_in_stops_and_looks_again():
    conduct = Narrow()
    found = taken(conduct=conduct, a=lambda _: 1.0, b=lambda _: 1.0, c=lambda _: 1.0)
    assert set(found.refused.values()) == {"no memory"}
    assert set(found.refused) == {"a", "b", "c"} - set(conduct.inside)
    assert set(found.refused).isdisjoint(found.order)
    assert len(found.baseline) == 2
    assert conduct.told == [0, 1]
    assert str(found.lost[conduct.inside[0]]) == "its answers changed"
    assert set(found.estimates()) == set(conduct.inside)


@given(
    st.integers(0, 1000),
    st.integers(1, 6),
    st.dictionaries(st.sampled_from("abcde"), st.integers(0, 8), min_size=1),
)
def test_no_row_has_more_rounds_than_it_lived_and_none_is_left_running(seed, rounds, deaths):
    log = []
    rows = {
        name: (lambda number, last=last: NqPerfError("dead") if number >= last else 1.0)
        for name, last in deaths.items()
    }
    found = taken(log, rounds=rounds, seed=seed, **rows)
    for name, last in deaths.items():
        assert len(found.seconds.get(name, ())) == min(last, len(found.baseline))
    assert sum(entry[0] == "start" for entry in log) == sum(entry[0] == "end" for entry in log) == len(deaths) + 1
