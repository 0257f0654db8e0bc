"""The interval of a difference in micro-F1 against the slow reference, and what it must say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.bootstrap import BootstrapConfig, micro_f1, score_difference
from tests.references import bootstrap as reference


@st.composite
def counts(draw):
    """Draw the answers right, given and gold of examples; no more are right than given, or than gold."""
    rows = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12))
    return np.array([(min(row), row[1], row[2]) for row in rows])


@st.composite
def pairs(draw):
    ours = draw(counts())
    theirs = ours.copy()
    theirs[:, 1] = draw(st.lists(st.integers(0, 2), min_size=len(ours), max_size=len(ours)))
    theirs[:, 0] = np.minimum(theirs[:, 1], theirs[:, 2])
    return ours, theirs


@settings(max_examples=40, deadline=None)
@given(pairs(), st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0.5, 0.99))
def test_equal_to_the_slow_reference(drawn, seed, draws, confidence):
    ours, theirs = drawn
    found = score_difference(ours, theirs, BootstrapConfig(draws=draws, seed=seed, confidence=confidence))
    expected = reference.score_difference(ours.tolist(), theirs.tolist(), draws, seed, confidence)
    assert (found.value, *found.interval) == pytest.approx(expected, abs=1e-12)


def test_more_draws_than_are_made_at_once_are_the_same_draws():
    generator = np.random.default_rng(1)
    ours, theirs = (np.minimum.accumulate(generator.integers(0, 3, (9, 3)), axis=1)[:, ::-1] for _ in range(2))
    found = score_difference(ours, theirs, BootstrapConfig(draws=450))
    expected = reference.score_difference(ours.tolist(), theirs.tolist(), 450, 0, 0.95)
    assert (found.value, *found.interval) == pytest.approx(expected, abs=1e-12)


@given(counts())
def test_a_model_is_as_good_as_itself(drawn):
    found = score_difference(drawn, drawn, BootstrapConfig(draws=20))
    assert (found.value, *found.interval) == (0, 0, 0)


@given(pairs())
def test_the_other_way_round_is_the_negative(drawn):
    ours, theirs = drawn
    config = BootstrapConfig(draws=50)
    there, back = score_difference(ours, theirs, config), score_difference(theirs, ours, config)
    assert (there.value, *there.interval) == pytest.approx((-back.value, -back.interval[1], -back.interval[0]))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Two models that are right in 0.7 and 0.6 of the cases, and often in the same ones."""
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        hardness = generator.random(150)
        ours, theirs = (
            np.stack([hardness + generator.normal(0, 0.1, 150) < part, np.ones(150), np.ones(150)], axis=1).astype(int)
            for part in (0.7, 0.6)
        )
        low, high = score_difference(ours, theirs, BootstrapConfig(draws=300)).interval
        held += low <= -0.1 <= high
    assert held >= 180  # of 200 at 95 %


def test_nothing_given_and_nothing_gold_scores_0():
    assert micro_f1(np.array([[0, 0, 0], [2, 2, 2], [0, 2, 0]])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("shapes", [((3, 3), (4, 3)), ((3, 2), (3, 2)), ((0, 3), (0, 3)), ((3,), (3,))])
def test_counts_that_do_not_belong_together_are_refused(shapes):
    with pytest.raises(ConfigError, match=r"expected .* of the same examples"):
        score_difference(*(np.zeros(shape, np.int64) for shape in shapes))


@pytest.mark.parametrize("numbers", [{"draws": 0}, {"confidence": 0.0}, {"confidence": 1.0}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(ConfigError):
        BootstrapConfig(**numbers)
