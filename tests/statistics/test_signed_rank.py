import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.statistics import signed_rank

DISTINCT = st.lists(st.integers(1, 400), min_size=1, max_size=40, unique=True)


def enumerated(differences):
    """P(sum of positive ranks >= the seen one), every sign equally likely."""
    ranks = stats.rankdata(np.abs(differences))
    sums = [np.dot(ranks, signs) for signs in itertools.product((0, 1), repeat=len(ranks))]
    return np.mean(np.array(sums) >= ranks[differences > 0].sum())


@settings(deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=9, unique=True), st.integers(0, 511))
def test_p_value_is_exact(sizes, signs):
    differences = np.array([size if signs >> i & 1 else -size for i, size in enumerate(sizes)], dtype=float)
    assert signed_rank.p_value(differences, "greater") == pytest.approx(enumerated(differences))
    assert signed_rank.p_value(-differences, "less") == pytest.approx(enumerated(differences))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=8))
def test_with_zeros_and_ties_every_level_is_kept(sizes):
    """Over all signs of the same sizes, a p-value of at most x comes up with probability of at most x."""
    signs = itertools.product((-1.0, 1.0), repeat=len(sizes))
    found = np.array([signed_rank.p_value(np.array(sizes) * np.array(sign), "greater") for sign in signs])
    for level in np.unique(found):
        assert np.mean(found <= level) <= level + 1e-12


def test_zeros_show_nothing_either_way():
    assert signed_rank.p_value(np.zeros(20), "greater") == 1
    assert signed_rank.p_value(np.zeros(20), "less") == 1
    mostly = np.array([0.0] * 8 + [1.0, 2.0])
    assert signed_rank.p_value(mostly, "greater") > 0.05


@pytest.mark.parametrize(("alpha", "pairs"), [(0.0033, 9), (0.01, 7), (0.5, 1), (0.25, 2)])
def test_fewest_pairs(alpha, pairs):
    assert signed_rank.fewest_pairs(alpha) == pairs
    assert signed_rank.p_value(np.arange(1.0, pairs + 1), "greater") <= alpha
    assert signed_rank.interval(np.arange(1.0, pairs + 1), alpha) is not None
    if pairs > 1:
        assert signed_rank.p_value(np.arange(1.0, pairs), "greater") > alpha
        assert signed_rank.interval(np.arange(1.0, pairs), alpha) is None


@settings(deadline=None)
@given(DISTINCT, st.randoms(use_true_random=False), st.sampled_from([0.0033, 0.05]))
def test_interval_is_what_the_test_leaves_standing(sizes, random, alpha):
    # Powers would tie no pairwise mean either, but overflow; noise far below the step does the same.
    differences = np.array([size * random.choice((-1, 1)) + random.random() * 1e-3 for size in sizes])
    bounds = signed_rank.interval(differences, alpha)
    if bounds is None:
        assert len(differences) < signed_rank.fewest_pairs(alpha)
        return
    low, high = bounds
    step = 1e-9
    assert signed_rank.p_value(differences - (low - step), "greater") <= alpha
    assert signed_rank.p_value(differences - (low + step), "greater") > alpha
    assert signed_rank.p_value(differences - (high + step), "less") <= alpha
    assert signed_rank.p_value(differences - (high - step), "less") > alpha
