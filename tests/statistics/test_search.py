import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.search import Measured, SearchConfig, search


def searched(slowdowns, sd, seed=0, **settings_):
    """Return the finding and the measurements of a search through commits of such log slowdowns."""
    generator = np.random.default_rng(seed)
    measured = []
    while True:
        found = search(len(slowdowns), measured, **settings_)
        if found.next_commit is None:
            return found, measured
        slowdown = slowdowns[found.next_commit - 1] + generator.normal(0, sd)
        measured.append(Measured(commit=found.next_commit, slowdown=slowdown))


def step(commits, first, factor=1.08):
    return np.where(np.arange(1, commits + 1) >= first, math.log(factor), 0.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.data())
def test_without_noise_the_commit_is_always_found(commits, data):
    first = data.draw(st.integers(1, commits))
    found, measured = searched(step(commits, first), 0.0)
    assert found.commits == (first,)
    assert found.factor == pytest.approx(1.08, rel=1e-4)
    assert found.sets == len(measured) <= 12


def test_ten_commits_with_noise():
    found = [searched(step(10, 7), 0.015, seed)[0] for seed in range(60)]
    assert sum(one.commits == (7,) for one in found) >= 59
    assert np.mean([one.sets for one in found]) < 10
    assert sum(one.interval[0] <= 1.08 <= one.interval[1] for one in found) >= 57


def test_a_hundred_commits_take_few_more():
    found = [searched(step(100, 50), 0.01, seed)[0] for seed in range(10)]
    assert all(one.commits == (50,) for one in found)
    assert max(one.sets for one in found) < 25


def test_commits_that_cannot_be_measured_are_told_apart_from_none():
    found, measured = searched(step(10, 7), 0.01, unusable={5, 6})
    assert found.commits == (5, 6, 7)
    assert found.probabilities[4] == found.probabilities[5] == 0
    assert not {5, 6} & {one.commit for one in measured}


def test_a_search_goes_on_from_its_measurements():
    _, measured = searched(step(10, 4), 0.01, seed=3)
    for count in range(len(measured)):
        assert search(10, measured[:count]).next_commit == measured[count].commit


def test_nothing_slower_is_said():
    found, _ = searched(np.zeros(10), 0.005)
    assert found.commits == ()
    assert "not 2% slower" in found.reason


def test_two_steps_in_one_slowdown_are_said():
    slowdowns = step(10, 4, 1.04) + step(10, 8, 1.04)
    found = [searched(slowdowns, 0.005, seed)[0] for seed in range(30)]
    told = [one for one in found if one.steps]
    assert len(told) >= 28
    assert all(set(one.steps) <= {4, 5, 6, 7} and "several steps" in one.reason for one in told)


def test_one_disturbed_set_is_no_step():
    """Commit 3 is as fast as the good one; its first set was disturbed by something else on the machine."""
    slow, measured, disturbed = step(5, 4, 3.0), [], False
    while (found := search(5, measured)).next_commit is not None:
        slowdown = slow[found.next_commit - 1]
        if found.next_commit == 3 and not disturbed:
            slowdown, disturbed = 0.4, True
        measured.append(Measured(commit=found.next_commit, slowdown=slowdown))
    assert disturbed
    assert found.commits == (4,)
    assert found.steps == ()


def test_too_much_noise_ends_without_an_answer():
    found, measured = searched(step(10, 7, 1.03), 0.2, config=SearchConfig(most=20))
    assert found.commits == ()
    assert len(measured) <= 20


def test_the_bad_commit_comes_first():
    found = search(10, [])
    assert (found.next_commit, found.factor, found.interval) == (10, None, None)
    assert sum(found.probabilities) == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: search(3, [], unusable={3}), "expected the bad one"),
        (lambda: search(3, [Measured(commit=2, slowdown=0.0)], unusable={2}), "cannot be measured"),
        (lambda: search(3, [Measured(commit=2, slowdown=math.nan)]), "finite"),
        (lambda: SearchConfig(confidence=0.4), "confidence 0.4"),
        (lambda: SearchConfig(first=0), "first 0"),
        (lambda: SearchConfig(factor=1.0), "factor 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
