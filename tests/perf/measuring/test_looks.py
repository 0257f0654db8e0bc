"""Sets and looks of scripted processes, whose clock is theirs: how a measurement goes on, ends, and what it keeps."""

import math
import re

import numpy as np
import pytest

from nqperf.errors import NqPerfError, OutOfTimeError
from nqperf.perf.measuring.budget import Budget, Speed
from nqperf.perf.measuring.limits import TooSlowError
from nqperf.perf.measuring.looks import Measurement, controls_of, row_verdicts
from nqperf.perf.measuring.sets import Conduct
from nqperf.perf.suite.outcome import short_of_sets
from nqperf.records.results import BASELINE, PLANTED, SAME
from nqperf.records.verdict import QUICK_GATE, GateConfig
from nqperf.statistics.sets import Floor, Row

START, BATCH = 2.0, 0.1


class Machine:
    """A machine with a clock of its own, on which processes of one program differ by a drawn constant."""

    def __init__(self, seed=0, offset=0.005, noise=0.01):
        self.drawn = np.random.default_rng(seed)
        self.now, self.offset, self.noise = 0.0, offset, noise
        self.started, self.alive = [], 0

    def clock(self):
        return self.now

    def start(self, name, times, fails=None):
        def begin():
            self.now += START
            self.started.append(name)
            if fails is not None and isinstance(fails, NqPerfError):
                raise fails
            self.alive += 1
            return Scripted(self, times * math.exp(self.drawn.normal(0, self.offset)), fails)

        return begin


class Scripted:
    def __init__(self, machine, times, fails):
        self.machine, self.times, self.fails = machine, times, fails

    def batch(self, number):
        if callable(self.fails) and (error := self.fails(number)) is not None:
            raise error
        seconds = BATCH * self.times * math.exp(self.machine.drawn.normal(0, self.machine.noise))
        self.machine.now += seconds
        return seconds

    def end(self):
        self.machine.alive -= 1


def measurement(machine, rows, *, budget=math.inf, fails=None, conduct=None, gate=None, floors=None, **changes):
    """Return a measurement of `rows`, how many times as long as the baseline each takes, with the controls."""
    every = {**rows, SAME: 1.0, PLANTED: 1.1}
    floors, fails = floors or {}, fails or {}
    return Measurement(
        baseline=machine.start(BASELINE, 1.0, fails.get(BASELINE)),
        starts={name: machine.start(name, times, fails.get(name)) for name, times in every.items()},
        rows=lambda: (
            *(Row(name=name, floor=floors.get(name)) for name in rows),
            Row(name=SAME, role="same"),
            Row(name=PLANTED, role="planted", planted=0.1),
        ),
        gate=gate or GateConfig(),
        budget=Budget(seconds=budget, clock=machine.clock),
        speed=Speed(start=START, batch=BATCH),
        conduct=conduct or Conduct(),
        seed=7,
        **changes,
    )


def outcome(measured, name):
    return row_verdicts(measured)[name].outcome


def test_rows_are_decided_and_leave_their_time_to_the_others():
    machine = Machine()
    rows = {"half": 0.5, "slower": 1.3, "unsure": 1.035}
    floors = {"half": Floor(ratio=1.5), "slower": Floor(ratio=1.0), "unsure": Floor(ratio=1.0)}
    measured = measurement(machine, rows, floors=floors)
    measured.run()
    assert (outcome(measured, "half"), outcome(measured, "slower")) == ("PASS", "FAIL")
    assert machine.started.count("half") == 3  # a verdict takes three sets
    assert machine.started.count("slower") == 5  # and a FAIL two more that confirm it
    assert machine.started.count("unsure") >= machine.started.count("slower")
    assert machine.alive == 0
    found = controls_of(measured, row_verdicts(measured), [0.1])
    assert (found.same.verdict.outcome, found.planted.verdict.outcome) == ("PASS", "PASS")


def test_every_row_has_a_ratio_after_the_first_set_and_an_interval_after_the_second():
    seen = []
    measured = measurement(
        Machine(), {"a": 0.5, "b": 0.9}, told=lambda one: seen.append({row.name: row for row in one.judgement.rows})
    )
    measured.run()
    assert all(row.ratio is not None and row.interval is None for row in seen[0].values())
    assert all(row.interval is not None for row in seen[1].values())
    assert all(row.ratio == pytest.approx(2.0, rel=0.05) for row in (one["a"] for one in seen))
    assert row_verdicts(measured)["a"].interval[0] < 2.0 < row_verdicts(measured)["a"].interval[1]


def test_the_end_of_the_time_is_no_failure_and_says_how_much_more_it_takes():
    machine = Machine(noise=0.1, offset=0.03)
    measured = measurement(machine, {"a": 1.04}, budget=60.0, floors={"a": Floor(ratio=1.0)})
    measured.run()
    verdict = row_verdicts(measured)["a"]
    assert verdict.outcome == "INCONCLUSIVE"
    assert verdict.sets >= 2
    assert verdict.more_seconds is None or verdict.more_seconds > 0
    assert machine.now <= 60.0 * 1.1


@pytest.mark.parametrize("budget", [1.0, 12.0, 15.0, 30.0])
def test_a_budget_ends_the_measuring_in_time_and_the_first_set_counts_whatever_it_has(budget):
    machine = Machine()

    class Hurried(Conduct):
        def goes_on(self, rounds):
            return not rounds or machine.now < budget

    measured = measurement(machine, {"a": 0.5}, budget=budget, conduct=Hurried())
    measured.run()
    assert row_verdicts(measured)["a"].ratio == pytest.approx(2.0, rel=0.1)
    assert machine.now <= max(budget, 4 * START + 5 * BATCH * 1.5)


def test_a_row_that_fails_is_lost_and_costs_the_others_nothing():
    machine = Machine()
    dead, slow = NqPerfError("it died"), TooSlowError("more than 20 times slower", seconds=6.0, times=20.0)
    measured = measurement(
        machine,
        {"a": 0.5, "dead": 1.0, "ill": 1.0},
        fails={"dead": lambda number: dead if number == 1 else None, "ill": slow},
    )
    measured.run()
    assert measured.lost == {"dead": dead, "ill": slow}
    assert (machine.started.count("dead"), machine.started.count("ill")) == (1, 1)
    verdicts = row_verdicts(measured)
    assert verdicts["a"].sets >= 3
    assert "ill" not in verdicts
    assert verdicts["dead"].sets == 1  # what there was of it stands
    assert len(measured.samples("dead")[0].variant_seconds) == 1


def test_a_baseline_that_fails_is_started_anew_but_not_for_ever():
    machine = Machine()
    deaths = iter([None] * 2 + [NqPerfError("killed")])
    measured = measurement(machine, {"a": 0.5}, fails={BASELINE: lambda _: next(deaths, None)})
    measured.run()
    assert [str(error) for error in measured.broken] == ["killed"]
    assert row_verdicts(measured)["a"].sets >= 3
    always = measurement(Machine(), {"a": 0.5}, fails={BASELINE: lambda _: NqPerfError("killed")})
    always.run()
    assert len(always.broken) == 2
    assert always.judgement is None
    assert row_verdicts(always) == {}


@pytest.mark.parametrize("after", [0, 8, 17, 30])
def test_a_signal_ends_the_measuring_with_what_is_known(after):
    calls = iter(range(1000))

    def strike(_):
        if next(calls) >= after:
            raise KeyboardInterrupt

    machine = Machine()
    measured = measurement(machine, {"a": 0.5}, fails={"a": strike}, gate=GateConfig(rounds=5, sets=9), to_the_end=True)
    measured.run()
    assert isinstance(measured.interrupted, KeyboardInterrupt)
    assert machine.alive == 0
    verdicts = row_verdicts(measured)
    assert ("a" in verdicts) == (after > 0)
    if after:
        assert verdicts["a"].ratio == pytest.approx(2.0, rel=0.05)
        assert verdicts["a"].pairs >= min(after, 5)


def test_memory_that_has_no_room_makes_groups_with_a_baseline_and_a_control_each():
    class Narrow(Conduct):
        inside = 0

        def begins(self):
            self.inside = 0

        def refuses(self, name):  # noqa: ARG002
            return "no memory" if self.inside >= 3 else None

        def started(self, name, process):  # noqa: ARG002
            self.inside += name != BASELINE

    rows = {"a": 0.5, "b": 0.8, "c": 1.25, "d": 2.0}
    measured = measurement(Machine(offset=0.002), rows, conduct=Narrow(), gate=GateConfig(sets=4, rounds=6))
    measured.run()
    verdicts = row_verdicts(measured)
    for name, times in rows.items():
        assert verdicts[name].ratio == pytest.approx(1 / times, rel=0.02)
        assert verdicts[name].sets <= 4
    assert all(len(one.seconds) <= 3 for one in measured.taken)
    assert len(measured.taken) > 4
    assert not measured.lost


def test_a_row_that_never_has_room_is_lost_with_the_reason():
    class Full(Conduct):
        def refuses(self, name):
            return "no memory: it takes 9 GiB" if name == "a" else None

    measured = measurement(Machine(), {"a": 0.5, "b": 0.5}, conduct=Full(), gate=GateConfig(sets=2, rounds=3))
    measured.run()
    assert isinstance(measured.lost["a"], OutOfTimeError)
    assert "9 GiB" in str(measured.lost["a"])
    assert row_verdicts(measured)["b"].sets == 2


def test_more_time_than_sets_makes_longer_sets_and_starts_that_cost_much_make_them_longer():
    plenty, short = (measurement(Machine(), {"a": 0.5}, budget=budget) for budget in (100_000.0, 70.0))
    for one in (plenty, short):
        one.run()
    assert plenty.rounds == 30
    assert 3 <= short.rounds < 30
    assert max(one.sets for one in row_verdicts(plenty).values()) <= 24


def test_what_a_gate_limits_is_kept_and_rows_may_stay_to_the_end():
    measured = measurement(Machine(), {"a": 0.5}, gate=GateConfig(sets=6, rounds=4), to_the_end=True)
    measured.run()
    verdicts = row_verdicts(measured)
    assert {verdict.sets for verdict in verdicts.values()} == {6}
    assert {verdict.pairs for verdict in verdicts.values()} == {24}
    record = measured.record()
    assert len(record) == 6
    assert len({one.seed for one in record}) == 6
    assert len({one.order for one in record}) > 1
    first = measured.samples("a")[0]
    ends = np.log(record[0].baseline_seconds).mean(axis=1)
    np.testing.assert_allclose(np.log(first.baseline_seconds), ends)


def test_a_measurement_goes_on_from_sets_that_were_kept():
    whole = measurement(Machine(), {"a": 0.5}, gate=GateConfig(sets=2, rounds=4), to_the_end=True)
    whole.run()
    machine = Machine(seed=1)
    later = measurement(machine, {"a": 0.5}, gate=GateConfig(sets=5, rounds=4), to_the_end=True)
    for one in whole.taken:
        later.add(one)
    later.passes = 2
    later.run()
    assert machine.started.count("a") == 3
    assert row_verdicts(later)["a"].sets == 5
    assert [one.number for one in later.samples("a")] == [0, 1, 2, 3, 4]


def test_rows_that_are_refused_late_keep_the_sets_that_they_have():
    class Later(Conduct):
        sets = 0

        def begins(self):
            self.sets += 1

        def refuses(self, name):
            return "no memory" if name == "a" and self.sets > 2 else None

    measured = measurement(
        Machine(), {"a": 0.5, "b": 0.6}, conduct=Later(), gate=GateConfig(sets=4, rounds=3), to_the_end=True
    )
    measured.run()
    assert measured.lost == {}
    verdicts = row_verdicts(measured)
    assert (verdicts["a"].sets, verdicts["b"].sets) == (2, 4)


@pytest.mark.parametrize(
    ("budget", "gate", "said"),
    [
        (18, GateConfig(rounds=3), r"a second set of processes, which gives intervals: it takes about \d+ s here, and"),
        (60, GateConfig(rounds=3), r"a further set of processes: it takes about \d+ s here, and \d+ of 60 s were left"),
        (
            900,
            QUICK_GATE,
            r"a further set of processes: the 5 of --quick are taken \(without it more fit\), and \d{3} of",
        ),
    ],
)
def test_a_row_that_is_left_open_says_why_no_further_set_was_taken(budget, gate, said):
    """A run had stopped with a quarter of its time unused and a question open, and no line said why."""
    measured = measurement(Machine(offset=0.05), {"near": 1.0}, budget=budget, gate=gate)
    measured.run()
    (line,) = short_of_sets(measured)
    assert re.match(said, line), line
    assert ("--budget" in line) == (len(measured.estimates) == 1)


def test_where_all_is_told_or_nothing_limits_the_run_no_line_says_why_it_ended():
    told = measurement(Machine(offset=1e-4, noise=1e-4), {"slow": 1.5}, budget=900)
    told.run()
    assert list(short_of_sets(told)) == []
    free = measurement(Machine(offset=0.05), {"near": 1.0}, gate=GateConfig(sets=2, rounds=3))
    free.run()
    assert list(short_of_sets(free)) == []
