import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from nqperf.statistics.moderation import LARGEST_PRIOR, OUTLYING, effective_freedom, moderate, prior_freedom


def slow_effective(freedoms, shared):
    return sum(freedoms) / (1 + (len(freedoms) - 1) * shared**2)


def slow_moderate(table, shared):
    """Row by row with plain Python, and SciPy's F distribution; `table` has no gaps."""
    sets, rows = len(table), len(table[0])
    own = []
    for row in range(rows):
        values = [table[one][row] for one in range(sets)]
        mean = sum(values) / sets
        own.append(max(1e-12, sum((value - mean) ** 2 for value in values) / (sets - 1)))
    freedom = sets - 1
    outlying = set()
    for row in sorted(range(rows), key=lambda one: -own[one]):
        rest = [one for one in range(rows) if one not in outlying and one != row]
        if len(rest) < 2:
            break
        mean = sum(own[one] for one in rest) / len(rest)
        if stats.f.sf(own[row] / mean, freedom, slow_effective([freedom] * len(rest), shared)) > OUTLYING:
            break
        outlying.add(row)
    pool = [own[row] for row in range(rows) if row not in outlying]
    if len(pool) < 2:
        return own, [freedom] * rows
    pooled = sum(pool) / len(pool)
    prior = prior_freedom(np.array(pool), np.full(len(pool), float(freedom)))
    most = slow_effective([freedom] * len(pool), shared)
    variances = [
        own[row] if row in outlying else (prior * pooled + freedom * own[row]) / (prior + freedom)
        for row in range(rows)
    ]
    return variances, [freedom if row in outlying else min(prior + freedom, most) for row in range(rows)]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 8),
    st.integers(1, 15),
    st.floats(0, 0.6),
    st.floats(0, 1.5),
)
def test_equal_to_the_slow_reference(seed, sets, rows, shared, uneven):
    generator = np.random.default_rng(seed)
    table = generator.normal(0, 0.02, (sets, rows)) * np.exp(uneven * generator.standard_normal(rows))
    found = moderate(table, shared=shared)
    variances, freedoms = slow_moderate(table.tolist(), shared)
    assert found.variance.tolist() == pytest.approx(variances)
    assert found.freedom.tolist() == pytest.approx(freedoms)


@given(st.floats(0.5, 25))
def test_rows_that_are_unequal_by_a_known_measure_have_that_prior(prior):
    """Variances drawn so that the prior explains them: log variances of known spread, freedom large."""
    spread = math.sqrt(float(special.polygamma(1, prior / 2)) + float(special.polygamma(1, 500.0)))
    logs = np.array([-1.0, 1.0]) * spread / math.sqrt(2)
    assert prior_freedom(np.exp(logs), np.full(2, 1000.0)) == pytest.approx(prior, rel=1e-6)


@pytest.mark.parametrize("prior", [1.5, 4.0, 12.0])
def test_rows_with_other_numbers_of_sets_are_held_to_what_each_should_scatter(prior):
    """A variance of few degrees of freedom is expected to be smaller in its log, and to scatter more."""
    freedom = np.array([2.0, 5.0, 20.0, 60.0])
    expected = special.digamma(freedom / 2) - np.log(freedom / 2)
    own = float(np.mean(special.polygamma(1, freedom / 2)))
    shape = np.array([-1.0, 1.0, -1.0, 1.0])
    logs = shape * math.sqrt((float(special.polygamma(1, prior / 2)) + own) / np.var(shape, ddof=1))
    assert prior_freedom(np.exp(logs + expected), freedom) == pytest.approx(prior, rel=1e-6)
    assert prior_freedom(np.exp(expected), freedom) == LARGEST_PRIOR


def test_equal_rows_have_the_largest_prior():
    assert prior_freedom(np.full(5, 0.3), np.full(5, 4.0)) == LARGEST_PRIOR


def test_a_row_that_scatters_more_keeps_its_own():
    generator = np.random.default_rng(1)
    table = generator.normal(0, 0.01, (6, 13))
    calm = moderate(table)
    table[:, 4] *= 12
    found = moderate(table)
    assert found.outlying.tolist() == [column == 4 for column in range(13)]
    assert found.variance[4] == pytest.approx(np.var(table[:, 4], ddof=1))
    assert found.freedom[4] == 5
    others = [column for column in range(13) if column != 4]
    assert found.variance[others] == pytest.approx(calm.variance[others], rel=0.25)


def test_gaps_leave_the_rest_as_it_is():
    table = np.random.default_rng(2).normal(0, 0.01, (5, 4))
    with_gaps = np.concatenate([table, np.full((5, 2), np.nan)], axis=1)
    with_gaps[0, 4] = 0.1
    found = moderate(with_gaps)
    plain = moderate(table)
    assert found.variance[:4] == pytest.approx(plain.variance)
    assert found.freedom[:4] == pytest.approx(plain.freedom)
    # One set of its own says nothing, but the others' scatter is its too; without a set nothing depends on it.
    assert found.variance[4] == pytest.approx(np.var(table, axis=0, ddof=1).mean())
    assert found.freedom[4] > 0


def test_one_row_or_one_set_is_alone():
    one_row = moderate(np.array([[0.1], [0.2], [0.4]]))
    assert one_row.variance[0] == pytest.approx(np.var([0.1, 0.2, 0.4], ddof=1))
    assert one_row.freedom[0] == 2
    one_set = moderate(np.array([[0.1, 0.2]]))
    assert np.isnan(one_set.variance).all()
    assert one_set.freedom.tolist() == [0, 0]


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-5, 5))
def test_scale_and_place_do_not_matter(seed, scale, shift):
    table = np.random.default_rng(seed).normal(0, 1, (4, 6))
    one, other = moderate(table, shared=0.3), moderate(scale * table + shift, shared=0.3)
    assert other.variance == pytest.approx(scale**2 * one.variance, rel=1e-6)
    assert other.freedom == pytest.approx(one.freedom, rel=1e-6)
    assert (other.outlying == one.outlying).all()


def test_rows_that_share_a_baseline_know_less():
    freedom = np.full(13, 2.0)
    assert effective_freedom(freedom, 0.0) == 26
    assert effective_freedom(freedom, 0.5) == pytest.approx(6.5)
    # The reference: how much the pooled variance of such rows scatters.
    generator = np.random.default_rng(0)
    tables = generator.normal(size=(4000, 3, 1)) + generator.normal(size=(4000, 3, 13))
    pooled = tables.var(axis=1, ddof=1).mean(axis=1)
    assert 2 * pooled.mean() ** 2 / pooled.var() == pytest.approx(6.5, rel=0.1)


def test_rows_that_do_not_scatter_at_all_have_a_variance_above_nothing():
    found = moderate(np.zeros((4, 3)))
    assert (found.variance > 0).all()
    assert found.freedom.tolist() == [9, 9, 9]
