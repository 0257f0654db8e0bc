import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.search import Measured, SearchConfig, search
from nqperf.statistics.search_posterior import Noise, Posterior


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


def sets(**by_commit):
    """Return measurements by commit: c10=[0.08, 0.08] are two of commit 10."""
    return [Measured(commit=int(name[1:]), slowdown=one) for name, values in by_commit.items() for one in values]


SLOW = math.log(1.08)


def test_the_bad_commit_is_measured_as_often_as_asked_before_any_other():
    assert [search(9, sets(c9=[SLOW] * count)).next_commit for count in range(3)] == [9, 9, 4]
    asked = [search(9, sets(c9=[SLOW] * count), config=SearchConfig(first=3)).next_commit for count in range(4)]
    assert asked == [9, 9, 9, 4]


def test_the_bad_commit_is_measured_as_often_as_the_others_are_on_the_average():
    """100 commits: the middle of what is in doubt is measured, but the bad one again where its square is below all."""
    measured = sets(c100=[SLOW] * 2, c25=[0.0], c75=[SLOW])
    assert search(100, measured).next_commit == 50
    assert search(100, [*measured, Measured(commit=50, slowdown=SLOW)]).next_commit == 100


@pytest.mark.parametrize(("most", "enough"), [(100, 5), (4, 4)])
def test_that_nothing_is_slower_is_said_after_five_sets_or_all(most, enough):
    config = SearchConfig(most=most)
    found = [search(9, sets(c9=[-0.1] * count), config=config) for count in (enough - 1, enough)]
    assert [one.next_commit is None for one in found] == [False, True]
    assert "not 2% slower" in found[1].reason


def test_both_sides_of_the_step_are_measured_twice():
    def found(before, after):
        return search(10, sets(c10=[0.6] * 3, c6=[0.0] * before, c7=[0.6] * after))  # far beyond all noise

    assert found(2, 2).commits == (7,)
    assert (found(1, 2).next_commit, found(2, 1).next_commit) == (6, 7)
    assert "both sides" in found(1, 2).reason


@pytest.mark.parametrize(("half", "bad", "following"), [(3, 3, None), (2, 3, 5), (3, 2, 10)])
def test_a_step_in_between_is_said_after_three_sets_of_it_and_of_the_bad_one(half, bad, following):
    large = 0.6  # far beyond all noise
    measured = sets(c10=[large] * bad, c5=[large / 2] * half)
    found = search(10, measured)
    assert (found.next_commit, found.steps) == (following, () if following else (5,))
    used_up = search(10, measured, config=SearchConfig(most=len(measured)))
    assert (used_up.next_commit, used_up.steps) == (None, found.steps)
    assert used_up.reason == ("the slowdown came in several steps" if found.steps else "5 sets do not tell which")


def test_no_more_sets_are_asked_for_than_at_most():
    measured = sets(c9=[SLOW] * 2, c5=[0.0])
    assert search(9, measured, config=SearchConfig(most=4)).next_commit is not None
    ended = search(9, measured, config=SearchConfig(most=3))
    assert (ended.next_commit, ended.commits, ended.reason) == (None, (), "3 sets do not tell which")


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_interval_is_as_sure_as_asked_and_of_the_commits_that_are_surely_slow(confidence):
    measured = sets(c10=[0.07, 0.08, 0.09], c7=[0.075, 0.085], c6=[0.0, 0.01], c1=[0.0])
    found = search(10, measured, config=SearchConfig(confidence=confidence))
    places, values = (np.array([getattr(one, name) for one in measured]) for name in ("commit", "slowdown"))
    posterior = Posterior.of(np.arange(1, 11), places, values, Noise(sd=0.02, freedom=2.0))
    tail = (1 - confidence) / 2
    low, middle, high = posterior.factors(7, (tail, 0.5, 1 - tail))
    assert (*found.interval, found.factor) == pytest.approx((low, high, middle))
    assert found.probabilities == pytest.approx(posterior.probabilities)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: search(3, [], unusable={3}), "expected the bad one"),
        (lambda: search(3, [Measured(commit=2, slowdown=0.0)], unusable={2}), "cannot be measured"),
        (lambda: search(3, [Measured(commit=2, slowdown=math.nan)]), "finite"),
        (lambda: SearchConfig(confidence=0.4), "confidence 0.4"),
        (lambda: SearchConfig(confidence=0.5), "confidence 0.5"),
        (lambda: SearchConfig(confidence=1.0), "confidence 1.0"),
        (lambda: SearchConfig(sd=0.0), "SD 0.0"),
        (lambda: SearchConfig(sd_freedom=0.0), "freedom 0.0"),
        (lambda: SearchConfig(first=0), "first 0"),
        (lambda: SearchConfig(first=3, most=2), "first 3, most 2"),
        (lambda: SearchConfig(factor=1.0), "factor 1.0"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
