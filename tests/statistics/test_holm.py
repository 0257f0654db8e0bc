import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.statistics.holm import adjusted, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=10)


def slow_holm(values, alpha):
    """From the smallest on, each against alpha over those that are left."""
    rejected = set()
    for place, index in enumerate(sorted(range(len(values)), key=lambda one: values[one])):
        if values[index] > alpha / (len(values) - place):
            break
        rejected.add(index)
    return [index in rejected for index in range(len(values))]


@given(p_values, st.floats(0.001, 0.2))
def test_equal_to_the_slow_reference(values, alpha):
    found = holm(np.array(values), lambda count: alpha / count)
    assert found.tolist() == slow_holm(values, alpha)


@given(p_values, st.floats(0.001, 0.2))
def test_the_adjusted_value_is_the_least_alpha_that_rejects(values, alpha):
    found = adjusted(np.array(values))
    clear = np.abs(found - alpha) > 1e-9
    assert (np.array(slow_holm(values, alpha)) == (found <= alpha))[clear].all()


def test_what_was_rejected_before_leaves_its_share():
    values = np.array([0.9, 0.008, np.nan])
    assert holm(values, lambda count: 0.02 / count).tolist() == [False, False, False]
    before = np.array([True, False, False])
    assert holm(values, lambda count: 0.02 / count, before).tolist() == [True, True, False]
    assert before.tolist() == [True, False, False]


def test_each_hypothesis_may_have_a_level_of_its_own():
    levels = np.array([0.001, 0.1])
    assert holm(np.array([0.01, 0.04]), lambda count: levels / count).tolist() == [False, True]


def test_nobody_is_tested():
    assert holm(np.array([]), lambda count: 0.1 / count).tolist() == []
    assert adjusted(np.array([0.02])) == pytest.approx([0.02])
    assert adjusted(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
