"""The search on made-up machines: it finds the true best, is not taken in by traps, and ends in time."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.records.results import BASELINE
from nqperf.tuning.race import (
    Contender,
    Interval,
    RaceConfig,
    baseline_contender,
    hopeless,
    next_step,
    place,
    standings,
)
from tests.tuning.scripted import Machine, Way, searched

CONFIG = RaceConfig()
# Noise of so much on every pair cannot make the best look surely slower than another.
BOUND = CONFIG.margin / 2

speedups = st.lists(st.floats(0.3, 4.0), min_size=1, max_size=9)


def names(count):
    return [f"way {number}" for number in range(count)]


@settings(max_examples=50)
@given(speedups, st.randoms(use_true_random=False))
def test_the_true_best_is_never_left_behind_under_bounded_noise(truth, random):
    ways = {name: Way(speedup=speedup) for name, speedup in zip(names(len(truth)), truth, strict=True)}
    noise = {}

    def drawn(name, visit, pair):
        return noise.setdefault((name, visit, pair), random.uniform(-BOUND, BOUND))

    machine = Machine(ways=ways, noise=drawn)
    search = searched(machine)
    found = standings(search.contenders, CONFIG)
    best = max(truth)
    if best > math.exp(2 * BOUND):
        chosen = ways[search.leader.name].speedup
        # Two that are nearer to each other than the noise cannot be told apart.
        assert math.log(chosen) >= math.log(best) - 4 * BOUND
        assert search.leader.proof is not None
        true_best = next(name for name, way in ways.items() if way.speedup == best)
        assert true_best in {one.name for one in found.standing} | {search.leader.name}
    if best < math.exp(-BOUND):
        assert search.leader.name == BASELINE


@settings(max_examples=50)
@given(speedups, st.randoms(use_true_random=False), st.floats(0, 2000))
def test_it_ends_within_its_budget_whatever_it_sees(truth, random, seconds):
    ways = {
        name: Way(speedup=speedup, neighbours=(f"next to {name}",), relief=0.3, relieved=f"relieved {name}")
        for name, speedup in zip(names(len(truth)), truth, strict=True)
    }
    ways |= {way.neighbours[0]: Way(speedup=way.speedup * 1.1) for way in list(ways.values())}
    ways |= {way.relieved: Way(speedup=way.speedup * 1.2) for way in list(ways.values()) if way.relieved}
    machine = Machine(ways=ways, noise=lambda *_: random.uniform(-0.2, 0.2), seconds=seconds)
    search = searched(machine, names(len(truth)))
    # What is begun has its time; only a proof is begun without a look at the clock, for nothing comes after it.
    assert all(one.proof or one.sets or one.failure or not one.seconds for one in search.contenders)
    spent = sum(machine.visit_cost if kind == "visit" else machine.proof_cost for kind, _ in machine.done)
    assert spent <= seconds
    assert len(machine.done) == len(set(machine.done)) or max(machine.starts.values()) <= CONFIG.most_sets + 1


def test_the_time_goes_to_the_close_ones():
    ways = {"a": Way(speedup=1.50), "bb": Way(speedup=1.51), "ccc": Way(speedup=0.5), "dddd": Way(speedup=1.2)}
    machine = Machine(ways=ways, noise=lambda _name, visit, pair: 0.02 * math.cos(7 * pair + visit))
    search = searched(machine)
    assert machine.starts == {"a": 3, "bb": 4, "ccc": 1, "dddd": 1} or machine.starts["a"] == 4
    assert search.leader.name in {"a", "bb"}
    slow = next(one for one in search.contenders if one.name == "ccc")
    assert place(slow, search.contenders, CONFIG) == f"in all of 3 pairs plainly slower than {search.leader.name}"
    near = next(one for one in search.contenders if one.name == "dddd")
    assert (near.pairs, place(near, search.contenders, CONFIG)) == (10, f"surely slower than {search.leader.name}")
    assert place(search.leader, search.contenders, CONFIG) == "the winner, proven"


def test_a_way_that_is_fast_only_in_its_first_process_is_not_chosen():
    trap = Way(speedup=0.9, shows={1: 5.0})
    search = searched(Machine(ways={"trap": trap, "ok": Way(speedup=1.4), "slower": Way(speedup=1.1)}))
    assert search.leader.name == "ok"
    assert math.exp(search.leader.proof.middle) == pytest.approx(1.4)
    trapped = next(one for one in search.contenders if one.name == "trap")
    assert place(trapped, search.contenders, CONFIG) == "proven, behind ok"


@pytest.mark.parametrize("wrong", ["at once", "in the end"])
def test_a_way_that_is_fast_and_wrong_is_not_chosen_nor_are_its_like(wrong):
    ways = {
        "trap": Way(speedup=5.0, wrong=wrong, neighbours=("trap+batch_8",)),
        "trap+batch_8": Way(speedup=5.5, wrong="in the end"),
        "ok": Way(speedup=1.4),
    }
    machine = Machine(ways=ways)
    search = searched(machine, ["trap", "ok"])
    assert search.leader.name == "ok"
    assert search.leader.proof is not None
    failures = {one.name: one.failure for one in search.contenders if one.failure}
    assert "trap" in failures
    # One proof is enough to know of all that run the same way.
    assert sum(kind == "prove" and name.startswith("trap") for kind, name in machine.done) == (wrong != "at once")


def test_nothing_wins_where_nothing_is_surely_faster():
    ways = {"a": Way(speedup=1.0), "bb": Way(speedup=0.8)}
    machine = Machine(ways=ways, noise=lambda _name, _visit, pair: 0.05 * math.cos(5 * pair))
    search = searched(machine)
    assert search.leader.name == BASELINE
    assert all(kind == "visit" for kind, _ in machine.done)


def test_the_ways_next_to_the_best_are_tried_until_none_is_better():
    ways = {
        "row": Way(speedup=1.3, neighbours=("row+8", "row+_2")),
        "row+8": Way(speedup=1.5, neighbours=("row+__16", "row")),
        "row+_2": Way(speedup=1.1),
        "row+__16": Way(speedup=1.45),
        "other": Way(speedup=1.0, neighbours=("never",)),
        "never": Way(speedup=9.0),
    }
    search = searched(Machine(ways=ways), ["row", "other"])
    assert search.leader.name == "row+8"
    assert "never" not in search.candidates


@pytest.mark.parametrize(("better", "winner"), [(1.01, "row"), (1.04, "row+8")])
def test_a_change_wins_only_if_it_brings_more_than_processes_differ_by(better, winner):
    ways = {"row": Way(speedup=1.5, neighbours=("row+8",)), "row+8": Way(speedup=1.5 * better)}
    noise = {"row": 0.0, "row+8": 1.0}
    machine = Machine(ways=ways, noise=lambda name, visit, pair: 0.03 * math.sin(3 * pair + visit + noise[name]))
    assert searched(machine, ["row"]).leader.name == winner


def test_one_that_the_system_holds_back_is_relieved_if_that_could_make_it_the_best():
    ways = {
        "best": Way(speedup=1.5),
        "held": Way(speedup=1.3, relief=0.3, relieved="held, relieved"),
        "held, relieved": Way(speedup=1.6),
        "far": Way(speedup=0.8, relief=0.3, relieved="far, relieved"),
        "far, relieved": Way(speedup=1.0),
    }
    search = searched(Machine(ways=ways), ["best", "held", "far"])
    assert search.leader.name == "held, relieved"
    assert "far, relieved" not in search.candidates


def test_when_the_time_is_up_the_leader_is_there_and_not_proven():
    machine = Machine(ways={"a": Way(speedup=1.5), "bb": Way(speedup=1.2)}, seconds=75.0)
    machine.prove_seconds = lambda _candidate, _speedup: 50.0  # it takes longer than was expected
    search = searched(machine)
    assert search.out_of_time
    assert search.leader.name == "a"
    assert search.leader.proof is None
    assert place(search.leader, search.contenders, CONFIG) == "leads, not proven"


def test_what_the_time_does_not_reach_is_said():
    ways = {name: Way(speedup=1.5) for name in names(6)}
    search = searched(Machine(ways=ways, seconds=95.0))
    assert search.leader.proof is not None
    said = [place(one, search.contenders, CONFIG) for one in search.contenders[1:]]
    assert said[-1] == "not tried: out of time"


def test_a_proof_that_is_no_better_than_a_guess_stands():
    proven = Contender(name="a", family="a", sets=[(0.4,) * 10], proof=Interval(0.38, 0.40, 0.42), expanded=True)
    guess = Contender(name="b", family="b", sets=[(0.41,) * 10] * 3)
    contenders = [baseline_contender(), proven, guess]
    assert standings(contenders, CONFIG).leader is proven
    assert next_step(contenders, CONFIG) is None
    guess.sets = [(0.5,) * 10] * 3
    assert standings(contenders, CONFIG).leader is guess


@pytest.mark.parametrize("wrong", [None, "in the end"])
def test_who_was_left_after_a_few_pairs_comes_again_where_the_best_does_not_hold(wrong):
    ways = {"best": Way(speedup=3.0, wrong=wrong), "bb": Way(speedup=2.0), "ccc": Way(speedup=0.5)}
    machine = Machine(ways=ways)
    search = searched(machine)
    pairs = {one.name: one.pairs for one in search.contenders}
    assert search.leader.name == ("bb" if wrong else "best")
    assert search.leader.proof is not None
    assert pairs["bb"] == (13 if wrong else 3)
    assert pairs["ccc"] == 3


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.floats(-2, 2))
def test_a_few_pairs_leave_no_hope_only_if_all_are_far_behind(few, best_low):
    one = Contender(name="a", family="a", sets=[tuple(few)])
    if hopeless(few, best_low, CONFIG):
        assert all(speedup < best_low - math.log(1.25) for speedup in few)
    else:
        assert any(speedup > best_low - math.log(1.28) for speedup in few)
    # What was left for it does not stand, and no leader is chosen by so few.
    challenger = Contender(name="b", family="b", proof=Interval(best_low, best_low + 0.1, best_low + 0.2))
    found = standings([baseline_contender(), one, challenger], CONFIG)
    assert found.leader is not one
    if best_low > 0 and hopeless(few, best_low, CONFIG):
        assert one not in found.standing
