"""Candidates that are wrong, or do nothing, and look right: each is failed, or said that it cannot be checked."""

import cProfile
import dataclasses
import itertools
import sys
import time

import numpy as np
import pytest

from nqperf.gate import Close, GateConfig, Metric, PairedConfig, Work, paired
from nqperf.perf.measuring.spoiling import corrupted, same_object, spoiled

CONFIG = PairedConfig(gate=GateConfig(sets=3, rounds=2), seconds=20, shortest=0.001, seed=2)
ROWS = np.random.default_rng(1).normal(size=(60, 16))
WEIGHTS = np.random.default_rng(2).normal(size=(16, 5))


def abs_of(number):
    return number


def honest():
    return ROWS @ WEIGHTS


def base():
    return np.stack([row @ WEIGHTS for row in ROWS])


def outcome(baseline, candidate, **changes):
    results = paired(baseline, candidate, **{"floor": None, "config": CONFIG, **changes})
    row = results.variant("candidate")
    return results.outcome, row.reason or "", row


def shared_buffer(wrong):
    out = np.empty((60, 5))

    def ours():
        for number, row in enumerate(ROWS):
            np.matmul(row, WEIGHTS, out=out[number])
        return out

    def theirs():
        np.matmul(ROWS, WEIGHTS, out=out)
        wrong(out)
        return out

    return ours, theirs


@pytest.mark.parametrize(
    "wrong", [lambda out: out.fill(7.0), lambda out: out.__setitem__(0, 0.0), lambda out: np.negative(out, out=out)]
)
def test_a_wrong_candidate_that_writes_into_the_baselines_buffer_is_seen(wrong):
    said, reason, row = outcome(*shared_buffer(wrong))
    assert said == "FAIL"
    assert reason.startswith("parity: ")
    assert row.samples == ()


def test_a_right_candidate_that_writes_into_the_baselines_buffer_is_timed():
    said, _, row = outcome(*shared_buffer(lambda _out: None))
    assert said in {"REPORTED", "INVALID"}
    assert row.verdict.ratio > 0


def reused(kind):
    """Return a baseline that fills something anew that it keeps, and what it keeps."""
    kept = {"array": np.zeros(60), "dict": {"scores": np.zeros(60)}, "list": [0.0] * 60, "tuple": (np.zeros(60),)}[kind]

    def fill():
        sums = [float(row.sum()) for row in ROWS]
        target = kept["scores"] if kind == "dict" else kept[0] if kind == "tuple" else kept
        target[:] = sums
        return kept

    return fill, kept


@pytest.mark.parametrize("kind", ["array", "dict", "list", "tuple"])
def test_a_candidate_that_returns_the_baselines_result_and_does_nothing_is_not_believed(kind):
    fill, kept = reused(kind)
    assert outcome(fill, lambda: kept)[:2][0] == "FAIL"
    copy = {
        "array": lambda: np.array(kept),
        "dict": lambda: dict(kept),
        "list": lambda: list(kept),
        "tuple": lambda: kept[:],
    }
    assert outcome(fill, copy[kind])[0] == "FAIL"
    assert fill() is kept  # what was spoiled is as it was
    assert np.isfinite(np.asarray(kept["scores"] if kind == "dict" else kept)).all()


def test_a_candidate_that_remembers_its_own_result_is_not_believed():
    cache = []

    def remembering():
        if not cache:
            cache.append(honest())
        return cache[0]

    said, reason, _ = outcome(base, remembering)
    assert said == "FAIL"
    assert "parity: computed anew" in reason


def test_a_result_that_cannot_be_written_to_and_is_the_same_object_again_is_not_believed():
    cache = []

    def remembering():
        if not cache:
            cache.append(honest())
            cache[0].flags.writeable = False
        return cache[0]

    said, reason, _ = outcome(base, remembering)
    assert said == "FAIL"
    assert "it cannot be checked" in reason


def test_a_candidate_that_returns_a_view_of_its_input_and_spoils_it_is_seen():
    table = ROWS.copy()

    def spoiling():
        table[:] = 0.0
        return table[:, :5]

    assert outcome(lambda: table[:, :5] + 0.0, spoiling)[0] == "FAIL"


@pytest.mark.parametrize("right_for", [2, 4, 9])
def test_a_candidate_that_is_right_at_first_is_found_after_the_last_round(right_for):
    count = itertools.count()

    def drifting():
        return honest() if next(count) < right_for else np.zeros((60, 5))

    said, reason, _ = outcome(base, drifting)
    assert said == "FAIL"
    assert "differ" in reason


def test_a_baseline_whose_result_changes_ends_the_comparison():
    count = itertools.count()
    results = paired(lambda: np.full(9, float(next(count))), lambda: np.zeros(9), config=CONFIG, same=Close(atol=5))
    assert results.outcome == "FAIL"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (np.full(64, 1e-7), np.zeros(64)),
        ({"big": np.ones(9), "small": np.full(64, -1e-8)}, {"big": np.ones(9), "small": np.full(64, 1e-8)}),
        ([np.full(8, 1e-9)], [np.full(8, 2e-9)]),
    ],
)
def test_values_that_only_the_absolute_tolerance_makes_equal_prove_nothing(ours, theirs):
    said, reason, row = outcome(lambda: ours, lambda: theirs)
    assert said == "FAIL"
    assert "all of them within atol of 0" in reason
    assert row.samples == ()
    assert Close()(ours, ours).changed == 0
    assert outcome(lambda: ours, lambda: theirs, same=Close(atol=0, rtol=0.1))[0] == "FAIL"  # they do differ


@pytest.mark.parametrize("nothing", [None, [], {}, (), np.zeros(0), [None, None]])
def test_outputs_that_hold_nothing_are_not_the_same(nothing):
    said, reason, _ = outcome(lambda: nothing, lambda: nothing)
    assert said == "FAIL"
    assert "nothing was compared" in reason


@pytest.mark.parametrize(
    "same",
    [
        lambda _ours, _theirs: True,
        lambda _ours, _theirs: None,
        lambda ours, theirs: ours.shape == theirs.shape,
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, atol=1e9),
        Metric(name="constant", score=lambda _output: 1.0),
        Metric(name="size", score=lambda output: float(output.size)),
    ],
)
def test_a_comparison_that_sees_nothing_is_not_believed(same):
    said, reason, _ = outcome(base, honest, same=same)
    assert said == "FAIL"
    assert "compares nothing" in reason or "measures nothing" in reason


@pytest.mark.parametrize(
    "same",
    [
        lambda ours, theirs: bool(np.allclose(ours, theirs)),
        np.testing.assert_allclose,
        Metric(name="norm", score=lambda output: -float(np.linalg.norm(output - base())), tolerance=1e-9),
    ],
)
def test_a_comparison_that_sees_is_believed(same):
    assert outcome(base, honest, same=same)[0] in {"REPORTED", "INVALID"}


@pytest.mark.parametrize(
    "output", [3.0, -1, True, "text", np.arange(6.0), np.array([1, 2]), np.array([True]), [1.0, {"a": (2, "b")}], 1 / 3]
)
def test_corrupted_values_are_other_values_everywhere(output):
    wrong = corrupted(output)

    def differs(ours, theirs):
        if isinstance(ours, dict):
            return all(differs(ours[key], theirs[key]) for key in ours)
        if isinstance(ours, list | tuple):
            return all(differs(one, other) for one, other in zip(ours, theirs, strict=True))
        return bool(np.all(np.asarray(ours) != np.asarray(theirs)))

    assert differs(output, wrong)
    assert corrupted(None) is None
    assert corrupted(object()) is None


def test_what_is_spoiled_is_other_in_the_block_and_as_it_was_after_it():
    array, numbers, table = np.arange(4.0), [1.0, [2.0]], {"a": np.array([1]), "b": 5, "c": bytearray(b"xy")}
    before = array.copy(), [1.0, [2.0]], {"a": np.array([1]), "b": 5, "c": bytearray(b"xy")}
    with spoiled((array, numbers), table):
        assert (array != before[0]).all()
        assert numbers == [None, [None]]
        assert table["a"][0] != 1
        assert (table["b"], table["c"]) == (None, bytearray(2))
    np.testing.assert_array_equal(array, before[0])
    assert numbers == before[1]
    assert (table["a"][0], table["b"], table["c"]) == (1, 5, bytearray(b"xy"))
    assert not same_object(array, array)  # it can be spoiled, so that says nothing
    assert not same_object(1.0, 1.0)


def test_nothing_is_timed_under_a_tracer_and_the_tracer_is_back_afterwards():
    calls = []

    def tracer(_frame, event, _argument):
        calls.append(event)
        return tracer

    def lines():
        total = 0
        for number in range(3000):
            total += number * 3
            total -= 1
        return total

    def one_line():
        return sum(range(3000)) * 3 - 3000

    older = sys.gettrace()
    sys.settrace(tracer)
    try:
        results = paired(lines, one_line, floor=None, config=CONFIG)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(older)
    assert calls
    row = results.variant("candidate")
    assert __name__ in row.observed["taken off while timed"]
    free = paired(lines, one_line, floor=None, config=CONFIG).variant("candidate")
    # Under the tracer lines() takes ten times as long and more; without it the two runs say the same.
    assert 0.3 < row.verdict.ratio / free.verdict.ratio < 3
    assert "taken off while timed" not in free.observed or older is not None


@pytest.mark.parametrize("watch", ["setprofile", "cProfile"])
def test_nothing_is_timed_under_a_profiler_and_it_is_back_afterwards(watch):
    """Each call costs under a profiler; the candidate makes one where the baseline makes three thousand."""
    profiler = cProfile.Profile() if watch == "cProfile" else lambda *_: None

    def calls():
        return sum(map(abs_of, range(3000)))

    def one_call():
        return sum(range(3000))

    older = sys.getprofile()
    profiler.enable() if watch == "cProfile" else sys.setprofile(profiler)
    try:
        row = paired(calls, one_call, floor=None, config=CONFIG).variant("candidate")
    finally:
        profiler.disable() if watch == "cProfile" else sys.setprofile(older)
    free = paired(calls, one_call, floor=None, config=CONFIG).variant("candidate")
    assert row.observed["taken off while timed"]
    assert 0.3 < row.verdict.ratio / free.verdict.ratio < 3


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.03, 0.11])
def test_what_sleeps_is_not_slower_than_itself(seconds):
    """Sleeps end late by what the machine does, a little; no red, whatever floor of 1 they are held to."""

    def sleeping():
        time.sleep(seconds)
        return np.ones(3)

    config = PairedConfig(gate=GateConfig(sets=6, rounds=3), seconds=60, seed=3)
    said, reason, row = outcome(sleeping, sleeping, floor=1.0, config=config)
    assert row.verdict.outcome in {"PASS", "INCONCLUSIVE"}
    assert said != "FAIL", reason
    assert row.verdict.ratio == pytest.approx(1, rel=0.1)


def test_work_that_is_set_up_anew_each_time_is_checked_too():
    given = np.arange(50.0)
    ours = Work(run=lambda values: np.array([value * 2 for value in values]), set_up=given.copy)
    assert outcome(ours, Work(run=lambda values: values * 2, set_up=given.copy))[0] in {"REPORTED", "INVALID"}
    assert outcome(ours, Work(run=lambda values: values, set_up=given.copy))[0] == "FAIL"


@dataclasses.dataclass
class Holder:
    held: object
    count: int = 3


@dataclasses.dataclass(slots=True)
class Slotted:
    held: object


def test_what_a_dataclass_holds_is_spoiled_and_as_it_was_afterwards():
    array, numbers = np.arange(4.0), [1.0]
    holder, slotted, fixed = Holder(array), Slotted(numbers), object()
    with spoiled([holder, slotted]):
        assert (array != np.arange(4.0)).all()
        assert (holder.count, numbers) == (None, [None])
    np.testing.assert_array_equal(array, np.arange(4.0))
    assert (holder.count, numbers) == (3, [1.0])
    assert same_object(Holder(fixed), [fixed])
    assert not same_object(Holder(object()), [fixed])
