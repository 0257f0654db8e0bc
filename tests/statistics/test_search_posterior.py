"""The posterior of the search against a slow reference: the same model, added up on one even and fine grid."""

import functools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.statistics.search_posterior import Noise, Posterior

NOISE = Noise(sd=0.02, freedom=2.0)
SIZES = np.linspace(-0.8, 0.8, 1601)
SCALES = np.geomspace(0.002, 0.6, 26)


def posterior_of(commits, places, values):
    return Posterior.of(np.arange(1, commits + 1), np.array(places, np.int64), np.array(values, float), NOISE)


# The density of each log scale where the variance is scaled inverse chi-squared, up to a constant.
PRIOR = SCALES * stats.invgamma.pdf(SCALES**2, NOISE.freedom / 2, scale=NOISE.freedom * NOISE.sd**2 / 2) * SCALES
# [a step in between, the bad commit's]: whether the first is a part of the second, and neither nearly none nor all.
PART = (SIZES[:, None] > 0) & (SIZES[:, None] > 0.2 * SIZES) & (SIZES[:, None] < 0.8 * SIZES)


@functools.lru_cache(maxsize=64)
def likelihood_of(value):
    """Return how likely a measured value is [by scale, by size]."""
    return stats.t.pdf(value - SIZES, 4, scale=SCALES[:, None])


def likelihood(values):
    """Return how likely all values are [by scale, by size]."""
    return math.prod(map(likelihood_of, values), start=np.ones((len(SCALES), len(SIZES))))


def reference(commits, places, values):
    """Return the probability of each commit."""
    nothing = np.flatnonzero(np.isclose(SIZES, 0))[0]
    weights = []
    for first in range(1, commits + 1):
        slow = [value for place, value in zip(places, values, strict=True) if place >= first]
        fast = [value for place, value in zip(places, values, strict=True) if place < first]
        weights.append((PRIOR * likelihood(fast)[:, nothing] * likelihood(slow).sum(axis=1)).sum())
    return np.array(weights) / sum(weights)


def of_scales(places, values):
    """Return how likely each scale is by what each commit's own measurements scatter."""
    by_commit = [
        [value for at, value in zip(places, values, strict=True) if at == place] for place in sorted({*places})
    ]
    weights = PRIOR * math.prod(likelihood(own).sum(axis=1) for own in by_commit)
    return weights / weights.sum()


def density(places, values, commit):
    """Return how likely each size of one commit is [by scale, by size], by its own measurements."""
    density = likelihood([value for place, value in zip(places, values, strict=True) if place == commit])
    return density / density.sum(axis=1, keepdims=True)


@st.composite
def measurements(draw):
    commits = draw(st.integers(1, 6))
    others = draw(st.lists(st.integers(1, commits), max_size=8))
    places = [commits, commits, *others]
    # As far apart as the even grid can tell.
    values = draw(st.lists(st.integers(-60, 60), min_size=len(places), max_size=len(places)))
    return commits, places, [value / 200 for value in values]


@settings(max_examples=30, deadline=None)
@given(measurements())
def test_commits_are_as_likely_as_by_the_reference(case):
    commits, places, values = case
    got = posterior_of(commits, places, values).probabilities
    assert got == pytest.approx(reference(commits, places, values), abs=0.02)


@settings(max_examples=30, deadline=None)
@given(measurements(), st.integers(-10, 30))
@example((1, [1, 1, 1, 1], [0.0, 0.005, 0.15, 0.15]), 13)
@example((1, [1, 1], [0.0, 0.055]), 6)
@example((1, [1, 1], [0.185, -0.285]), 0)
def test_the_bad_commit_is_as_slow_as_by_the_reference(case, percent):
    commits, places, values = case
    posterior = posterior_of(commits, places, values)
    by_scale = density(places, values, commits)
    below = of_scales(places, values) @ (by_scale.cumsum(axis=1) - by_scale / 2)
    expected = 1 - np.interp(percent / 100, SIZES, below)
    assert posterior.bad_beyond(percent / 100) == pytest.approx(expected, abs=0.03)
    # By its probability: where measurements are far apart, sizes that are too are as good a median.
    middle = math.log(posterior.factors(commits, (0.5,))[0])
    assert np.interp(middle, SIZES, below) == pytest.approx(0.5, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(measurements())
def test_a_step_in_between_is_as_likely_as_by_the_reference(case):
    commits, places, values = case
    posterior = posterior_of(commits, places, values)
    bad, scales = density(places, values, commits), of_scales(places, values)
    for commit in {*places} - {commits}:
        own = density(places, values, commit)
        expected = scales @ ((own @ PART.astype(float)) * bad).sum(axis=1)
        assert posterior.between(commit) == pytest.approx(expected, abs=0.03)


def test_a_set_far_from_the_others_counts_for_little():
    """Six equal processes, one of them disturbed: by normal noise the commit would be as likely slow as not."""
    values = [0.1, 0.11, 0.09, 0.0, 0.01, -0.01, 0.3, 0.0, 0.01]
    posterior = posterior_of(2, [2, 2, 2, 1, 1, 1, 1, 1, 1], values)
    assert posterior.probabilities[1] > 0.999
    assert posterior.between(1) < 0.1


def test_nothing_measured_leaves_all_as_likely():
    posterior = posterior_of(4, [], [])
    assert posterior.probabilities == pytest.approx([0.25] * 4)
    with pytest.raises(ValueError, match="no commit from 1 on"):
        posterior.factors(1, (0.5,))


def test_three_times_the_time_is_three_times():
    posterior = posterior_of(3, [3, 3, 1, 1, 2, 2], [*[math.log(3)] * 2, 0.0, 0.0, *[math.log(3)] * 2])
    assert posterior.factors(2, (0.5,))[0] == pytest.approx(3.0, rel=1e-3)
    assert posterior.probabilities == pytest.approx([0, 1, 0], abs=1e-3)
