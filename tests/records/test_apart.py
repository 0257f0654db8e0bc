"""Two rows of one run beside each other: an interval of their own, from the sets that they share."""

import msgspec
import numpy as np
import pytest

from nqperf.records.apart import beside
from nqperf.records.results import Pairs
from tests import runs


def moody(name, ratio, *, numbers=range(6), scatter=0.002, mood=0.03):
    """Return a row that is `ratio` times as fast as the baseline, whose sets all rows' moods move alike."""
    moods = np.random.default_rng(5).normal(0, mood, 100)
    own = np.random.default_rng([7, *name.encode()]).normal(0, scatter, 100)
    samples = tuple(
        Pairs(
            baseline_seconds=(0.1,) * 4,
            variant_seconds=(0.1 / ratio / float(np.exp(moods[number] + own[number])),) * 4,
            number=number,
        )
        for number in numbers
    )
    row = runs.measured(name, ratio)
    return msgspec.structs.replace(row, samples=samples, verdict=runs.judged(samples))


def test_what_moves_both_rows_is_no_part_of_their_ratio():
    fast, slow = moody("xla", 1.10), moody("grappler", 1.07)
    assert slow.verdict.interval[1] > fast.verdict.interval[0], "their speed-ups alone do not tell them apart"
    found = beside(runs.run(fast, slow), "xla")["grappler"]
    assert found.told_apart
    low, high = found.interval
    assert 1 < low < found.ratio < high
    assert found.ratio == pytest.approx(1.10 / 1.07, abs=0.01)


def test_rows_that_scatter_by_themselves_are_not_told_apart():
    found = beside(runs.run(moody("xla", 1.10, scatter=0.03), moody("grappler", 1.09, scatter=0.03)), "xla")["grappler"]
    assert not found.told_apart
    assert found.interval[0] < 1 < found.interval[1]


def test_either_way_round_it_is_the_same_ratio():
    run = runs.run(moody("xla", 1.10), moody("grappler", 1.07), moody("eager", 0.8))
    assert beside(run, "xla")["grappler"].ratio == pytest.approx(1 / beside(run, "grappler")["xla"].ratio)
    assert set(beside(run, "xla")) == {"grappler", "eager"}


def test_without_common_sets_the_intervals_of_the_speed_ups_must_not_overlap():
    fast = moody("xla", 1.2, mood=0.003)
    for ratio, apart in ((1.0, True), (1.2, False)):
        other = moody("grappler", ratio, numbers=range(10, 16), mood=0.003)
        found = beside(runs.run(fast, other), "xla")["grappler"]
        assert found.interval is None
        assert found.told_apart is apart


def test_a_row_without_a_verdict_is_beside_none():
    assert beside(runs.run(runs.measured("xla", 1.1), runs.broken()), "no such row") == {}
    assert beside(runs.run(runs.broken()), runs.broken().name) == {}
