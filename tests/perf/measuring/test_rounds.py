import math

import pytest

from nqperf.errors import ConfigError, OutOfTimeError
from nqperf.perf.measuring.rounds import NO_PAIRS, RoundsConfig, measure, settle, take_pairs
from nqperf.records.verdict import GateConfig

LOOKS = GateConfig(looks=(10, 20))


class Bench:
    """Two timed callables that take made-up times and note who ran when."""

    def __init__(self, baseline=lambda _number: 1.0, variant=lambda _number: 1.0):
        self.calls = []
        self.told = []
        self._seconds = {"baseline": baseline, "variant": variant}

    def timed(self, side):
        def run(number):
            self.calls.append((number, side))
            return self._seconds[side](number)

        return run

    def measure(self, floor, *, gate=LOOKS, seconds=math.inf, taken=NO_PAIRS):
        config = RoundsConfig(gate=gate, seconds=seconds)
        return measure(self.timed("baseline"), self.timed("variant"), floor, config, self.told.append, taken)


def test_each_of_the_two_runs_first_in_every_other_round():
    bench = Bench()
    bench.measure(1.0)
    first, second = ("baseline", "variant"), ("variant", "baseline")
    expected = [(number, side) for number in range(10) for side in (first if number % 2 == 0 else second)]
    assert bench.calls == expected


def test_times_stay_with_their_side_and_round():
    bench = Bench(lambda number: 100.0 + number, lambda number: 200.0 + number)
    pairs = bench.measure(1.0).pairs
    assert pairs.baseline_seconds == tuple(100.0 + number for number in range(10))
    assert pairs.variant_seconds == tuple(200.0 + number for number in range(10))


def test_a_few_pairs_are_the_first_of_what_is_taken_after_them():
    bench, whole = (Bench(lambda number: 100.0 + number, lambda number: 200.0 + number) for _ in range(2))
    few = take_pairs(bench.timed("baseline"), bench.timed("variant"), 3)
    assert (few.baseline_seconds, few.variant_seconds) == ((100.0, 101.0, 102.0), (200.0, 201.0, 202.0))
    assert bench.measure(1.0, taken=few).pairs == whole.measure(1.0).pairs
    assert bench.calls == whole.calls
    assert bench.told == list(range(4, 11))


@pytest.mark.parametrize(("variant", "outcome"), [(1.0, "PASS"), (1.5, "FAIL")])
def test_the_first_look_that_decides_ends_it(variant, outcome):
    bench = Bench(variant=lambda _number: variant)
    verdict = bench.measure(1.0).verdict
    assert (verdict.outcome, verdict.pairs) == (outcome, 10)
    assert bench.told == list(range(1, 11))  # pairs so far, after each


def test_an_open_look_goes_on_to_the_last_one():
    bench = Bench(variant=lambda number: 1.5 if number % 2 else 0.7)
    measured = bench.measure(1.0)
    assert (measured.verdict.outcome, measured.verdict.pairs) == ("INCONCLUSIVE", 20)
    assert len(measured.pairs.baseline_seconds) == 20


@pytest.mark.parametrize(("floor", "outcome"), [(1.0, "INCONCLUSIVE"), (None, "REPORTED")])
def test_when_the_time_is_up_no_further_round_begins(floor, outcome, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))  # a second a reading: one a round
    uneven = Bench(variant=lambda number: 1.5 if number % 2 else 0.7)
    measured = uneven.measure(floor, seconds=13.0)
    assert (measured.verdict.outcome, measured.verdict.pairs, measured.seconds) == (outcome, 13, 13.0)


@pytest.mark.parametrize("floor", [1.0, None])
@pytest.mark.parametrize("pairs", [1, 9])
def test_fewer_pairs_than_the_first_look_has_are_no_verdict(floor, pairs, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    with pytest.raises(OutOfTimeError, match=f"not judged: out of time: {pairs} of 10 pairs in {pairs} s"):
        Bench(variant=lambda _number: 9.0).measure(floor, seconds=float(pairs))


@pytest.mark.parametrize("side", ["baseline", "variant"])
def test_what_a_callable_raises_comes_through_at_once(side):
    def die(number):
        if number == 3:
            raise RuntimeError("out of memory")
        return 1.0

    bench = Bench(**{side: die})
    with pytest.raises(RuntimeError, match="out of memory"):
        bench.measure(1.0)
    assert bench.told == [1, 2, 3]
    assert bench.calls[-1] == (3, side)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_time_that_is_none_is_refused(seconds):
    with pytest.raises(ConfigError, match="variant time 0 is"):
        Bench(variant=lambda _number: seconds).measure(1.0)


def sets(*ratios, last=LOOKS):
    """Return a function that measures the next of these ratios, each in processes of its own."""
    left = list(ratios)

    def measured():
        # A few parts in a thousand of noise, so that pairs do not tie.
        factor = 1 / left.pop(0)
        return Bench(variant=lambda number: factor * (1 + 0.002 * (number % 5 - 2))).measure(1.0, gate=last)

    return measured, left


@pytest.mark.parametrize(
    ("ratios", "outcome", "processes"),
    [
        ((1.01,), "PASS", 1),
        ((0.99, 0.99), "PASS", 2),
        ((0.99, 1.02), "PASS", 2),
        ((0.97, 0.94), "FAIL", 2),  # 0.955 together
        ((0.995, 0.975), "INCONCLUSIVE", 2),  # 0.985 together, and the second alone a FAIL
        ((0.94, 0.94), "FAIL", 2),
        ((0.94, 1.0), "PASS", 1),
        ((0.94, 0.97), "FAIL", 2),  # the other way round
        ((0.975, 0.995), "INCONCLUSIVE", 2),
    ],
)
def test_a_verdict_that_one_pair_of_processes_could_make_is_repeated(ratios, outcome, processes):
    measured, left = sets(*ratios)
    found = settle(measured(), measured, LOOKS)
    assert left == []
    assert (found.verdict.outcome, found.verdict.processes) == (outcome, processes)
    assert len(found.all) == len(ratios)


def test_a_pass_that_there_is_no_time_to_repeat_is_inconclusive_and_a_fail_is_not_judged():
    def late():
        raise OutOfTimeError("not judged: out of time")

    found = settle(sets(0.99)[0](), late, LOOKS)
    assert (found.verdict.outcome, len(found.all)) == ("INCONCLUSIVE", 1)
    with pytest.raises(OutOfTimeError):
        settle(sets(0.9)[0](), late, LOOKS)
