"""The losses of distillation against the slow references, and what they say of a student that is its teacher."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nqperf.training import losses
from tests.references import losses as reference

SIZES = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


def normal(seed, *shape, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def some(seed, *shape):
    """Draw which positions count, at least one."""
    chosen = np.random.default_rng(seed).integers(0, 2, shape).astype(np.float32)
    chosen.reshape(-1)[0] = 1
    return chosen


@settings(max_examples=30, deadline=None)
@given(seed=seeds, rows=SIZES, classes=SIZES, temperature=st.floats(0.5, 8), scale=st.floats(0.1, 10))
def test_soft_targets(seed, rows, classes, temperature, scale):
    ours, theirs = normal([seed, 0], rows, classes, scale=scale), normal([seed, 1], rows, classes, scale=scale)
    expected = reference.soft_targets(ours, theirs, temperature)
    assert float(losses.soft_targets(ours, theirs, temperature)) == pytest.approx(expected, rel=1e-3, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, rows=SIZES, size=SIZES)
@pytest.mark.parametrize("name", ["cosine_distance", "hidden_error"])
def test_states(name, seed, rows, size):
    ours, theirs, real = normal([seed, 0], rows, size), normal([seed, 1], rows, size), some(seed, rows)
    expected = getattr(reference, name)(ours, theirs, real)
    assert float(getattr(losses, name)(ours, theirs, real)) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, windows=SIZES, heads=SIZES, positions=SIZES)
def test_attention(seed, windows, heads, positions):
    shape = windows, heads, positions, positions
    ours, theirs, seen = normal([seed, 0], *shape), normal([seed, 1], *shape), some(seed, windows, positions, positions)
    expected = reference.attention_error(ours, theirs, seen)
    assert float(losses.attention_error(ours, theirs, seen)) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    logits, states, scores = normal(1, 3, 7), normal(2, 6, 4), normal(3, 2, 2, 3, 3)
    assert float(losses.soft_targets(logits, logits + 5.0, 2.0)) == pytest.approx(0, abs=1e-5)
    assert float(losses.cosine_distance(states, 3.0 * states, np.ones(6, np.float32))) == pytest.approx(0, abs=1e-6)
    assert float(losses.hidden_error(states, states, np.ones(6, np.float32))) == 0
    assert float(losses.attention_error(scores, scores, np.ones((2, 3, 3), np.float32))) == 0


def test_what_does_not_count_does_not_count():
    """Padding may hold anything, and a batch of nothing but padding has no loss."""
    ours, theirs = normal(1, 4, 3), normal(2, 4, 3)
    real = np.array([1, 1, 0, 0], np.float32)
    other = np.where(real[:, None] == 1, ours, 100.0).astype(np.float32)
    for loss in (losses.cosine_distance, losses.hidden_error):
        assert float(loss(other, theirs, real)) == float(loss(ours, theirs, real))
        assert float(loss(ours, theirs, 0 * real)) == 0


def test_states_without_length_give_no_nan():
    nothing = np.zeros((2, 3), np.float32)
    assert float(losses.cosine_distance(nothing, nothing, np.ones(2, np.float32))) == 1
