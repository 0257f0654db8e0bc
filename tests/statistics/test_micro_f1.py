"""The interval of a difference in micro-F1: against a slow reference, and how often it holds the truth."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.errors import ConfigError
from nqperf.statistics.micro_f1 import micro_f1, score_difference


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


def slow_f1(rows):
    right, given_, gold = (sum(row[column] for row in rows) for column in range(3))
    return 2 * right / (given_ + gold) if given_ + gold else 0.0


def slow_difference(ours, theirs, confidence):
    """Example after example: what each moves the score by, two imagined examples more, and Student's interval."""

    def part(rows, row):
        mean = sum(given_ + gold for _, given_, gold in rows) / len(rows)
        return (2 * row[0] - slow_f1(rows) * (row[1] + row[2])) / mean if mean else 0.0

    value = slow_f1(theirs) - slow_f1(ours)
    moves = [value + part(theirs, b) - part(ours, a) for a, b in zip(ours, theirs, strict=True)]
    answers = (sum(a[1] + a[2] for a in ours) + sum(b[1] + b[2] for b in theirs)) / 2
    whole = 2 * len(ours) / max(1.0, answers)
    count = len(moves) + 2
    mean = sum(moves) / count
    squares = sum(move**2 for move in moves) + whole**2 + whole**2 - count * mean**2
    half = stats.t.ppf((1 + confidence) / 2, count - 1) * math.sqrt(max(0.0, squares)) / count
    return value, max(-1.0, mean - half), min(1.0, mean + half), math.sqrt(max(0.0, squares)) / count, count - 1


@settings(max_examples=60, deadline=None)
@given(pairs(), st.floats(0.5, 0.99))
def test_equal_to_the_slow_reference(drawn, confidence):
    ours, theirs = drawn
    found = score_difference(ours, theirs, confidence)
    expected = slow_difference(ours.tolist(), theirs.tolist(), confidence)
    assert (found.value, *found.interval, found.error, found.freedom) == pytest.approx(expected, abs=1e-9)


@given(counts())
def test_equal_answers_on_a_sample_are_not_known_to_be_equal_everywhere(drawn):
    found = score_difference(drawn, drawn)
    assert found.value == 0
    assert found.interval[0] < 0 < found.interval[1]


@given(pairs())
def test_the_other_way_round_is_the_negative(drawn):
    ours, theirs = drawn
    there, back = score_difference(ours, theirs), score_difference(theirs, ours)
    assert (there.value, *there.interval) == pytest.approx((-back.value, -back.interval[1], -back.interval[0]))


@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_examples_does_not_matter(drawn, random):
    ours, theirs = drawn
    order = list(range(len(ours)))
    random.shuffle(order)
    one, other = score_difference(ours, theirs), score_difference(ours[order], theirs[order])
    assert one.interval == pytest.approx(other.interval)


@pytest.mark.parametrize("examples", [13, 79, 400])
@pytest.mark.parametrize(("changed", "worse"), [(0.02, 0.5), (0.1, 0.0), (0.2, 0.9), (0.4, 0.5)])
def test_the_interval_holds_the_truth_as_often_as_it_says(examples, changed, worse):
    """At 95 %, over 400 samples: in no fewer than 92 %; where few change it cannot be narrower and holds more often."""
    generator = np.random.default_rng([examples, int(100 * changed)])

    def sample(count):
        right = generator.random(count) < 0.8
        other = np.where(generator.random(count) < changed, generator.random(count) < 0.8 * (1 - worse), right)
        ones = np.ones(count, int)
        return tuple(np.stack([values.astype(int), ones, ones], axis=1) for values in (right, other))

    truth = -changed * 0.8 * worse
    found = [score_difference(*sample(examples)).interval for _ in range(400)]
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.92


def test_nothing_given_and_nothing_gold_scores_0():
    assert micro_f1(np.array([[0, 0, 0], [2, 2, 2], [0, 2, 0]])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("shapes", [((3, 3), (4, 3)), ((3, 2), (3, 2)), ((0, 3), (0, 3)), ((3,), (3,))])
def test_counts_that_do_not_belong_together_are_refused(shapes):
    with pytest.raises(ConfigError, match=r"expected .* of the same examples"):
        score_difference(*(np.zeros(shape, np.int64) for shape in shapes))


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_numbers_out_of_range_are_refused(confidence):
    with pytest.raises(ConfigError, match="confidence"):
        score_difference(np.ones((2, 3), int), np.ones((2, 3), int), confidence)
