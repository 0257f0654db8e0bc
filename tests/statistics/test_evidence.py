"""The tests of one look: p-values against t tests one by one, and levels that are known without looks before."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.statistics.estimation import Estimates
from nqperf.statistics.evidence import Evidence, crossed, evidence, half_width, levels_at
from nqperf.statistics.sets import Floor, Row
from nqperf.statistics.spending import nominal_level
from nqperf.statistics.verdicts import JudgeConfig, Look

CONFIG = JudgeConfig(total_share=0.25)
ROWS = (
    Row(name="exact", floor=Floor(ratio=1.5)),
    Row(name="spread", floor=Floor(ratio=0.8, sd=0.02, freedom=5.0)),
    Row(name="free"),
    Row(name="same", role="same"),
)


def found_of(mean, error, freedom, sets=4):
    """Estimates of rows, [2, rows] each, whatever made them."""
    rows = mean.shape[1]
    return Estimates(
        sets=np.full(rows, sets), mean=mean, error=error, freedom=freedom, sd=error * math.sqrt(sets),
        scatters=np.zeros(rows, bool), held=np.repeat(mean[:, None], sets, axis=1),
    )  # fmt: skip


def tail(row, beyond, mean, error, freedom):
    """Return how likely an estimate so far below the floor is, were the row exactly `beyond` slower than it."""
    ratio, sd, known = (row.floor.ratio, row.floor.sd, row.floor.freedom) if row.floor else (1.0, 0.0, math.inf)
    variances = error**2, sd**2
    welch = sum(variances) ** 2 / (variances[0] ** 2 / freedom + variances[1] ** 2 / known)
    return stats.t.sf((math.log(ratio) - mean - beyond) / math.sqrt(sum(variances)), welch)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equal_to_t_tests_one_by_one(seed):
    drawn = np.random.default_rng(seed)
    mean, error = drawn.normal(0, 0.05, (2, 4)), drawn.uniform(0.005, 0.1, (2, 4))
    mean[:, :2] += np.log([1.5, 0.8])
    freedom = drawn.uniform(1, 20, (2, 4))
    seen = evidence(ROWS, found_of(mean, error, freedom), CONFIG)
    fail, near = math.log(CONFIG.fail_margin), math.log(CONFIG.pass_margin)
    for column, row in enumerate(ROWS):
        for view in (0, 1):
            what = mean[view, column], error[view, column], freedom[view, column]
            for margin, got in ((0.0, seen.slower[view, column]), (fail, seen.beyond[view, column])):
                slower, faster = tail(row, margin, *what), 1 - tail(row, -margin, *what)
                two_sided = min(1.0, 2 * min(slower, faster))
                expected = 1.0 if row.name == "free" else two_sided if row.role == "same" else slower
                assert got == pytest.approx(expected, abs=1e-9)
        what = mean[0, column], error[0, column], freedom[0, column]
        sides = [1 - tail(row, near, *what), tail(row, -near, *what)]
        expected = 1.0 if row.name == "free" else max(sides) if row.role == "same" else sides[0]
        assert seen.within[column] == pytest.approx(expected, abs=1e-9)


# One look at the end has all of alpha.
LAST = (Look(sets=(8, 8), spent_on_fail=1.0, spent=1.0),)
NONE = np.zeros(2, bool)


def crossed_by(slower=(1.0, 1.0), beyond=((1.0, 1.0), (1.0, 1.0)), within=(1.0, 1.0), before=NONE, looks=LAST):
    seen = Evidence(slower=np.array([slower, (1.0, 1.0)]), beyond=np.array(beyond), within=np.array(within))
    return crossed(seen, looks, before, CONFIG)


@pytest.mark.parametrize(
    ("slower", "before", "surely"),
    [
        ((0.74, 1.0), (False, False), (True, False)),  # in %, of which the location has three quarters
        ((0.76, 1.0), (False, False), (False, False)),
        ((0.74, 99.0), (False, False), (False, False)),  # a row of which something is known has its half
        ((0.37, 0.74), (False, False), (True, True)),
        ((0.74, 1.0), (False, True), (True, True)),  # one that was surely slower leaves its half to the other
        ((99.0, 99.0), (True, True), (True, True)),
    ],
)
def test_rows_of_which_something_is_known_share_alpha(slower, before, surely):
    p_values = [1.0 if value == 1 else value / 100 for value in slower]
    assert tuple(crossed_by(slower=p_values, before=np.array(before)).surely_slower) == surely


@pytest.mark.parametrize(("on_fail", "others"), [(1.0, 1.0), (1.0, 0.5), (0.5, 1.0)])
def test_a_p_value_at_its_level_is_significant(on_fail, others):
    """Slowdowns have the level that is spent on FAIL, passing that of all others."""
    looks = (Look(sets=(8, 8), spent_on_fail=on_fail, spent=others),)
    sure, margin = (nominal_level([8], [on_fail], alpha) for alpha in (CONFIG.red_runs, CONFIG.beyond_alpha))
    inside = nominal_level([8], [others], (1 - CONFIG.confidence) / 2)
    above = np.nextafter([margin, inside], 1)
    beyond = ((1.0, 1.0), (margin / 4, above[0] / 4))
    assert crossed_by(beyond=beyond, looks=looks).beyond.tolist() == [[False, False], [True, False]]
    assert crossed_by(within=(inside, above[1]), looks=looks).within.tolist() == [True, False]
    for part, surely in ((0.999, True), (1.001, False)):
        assert crossed_by(slower=(0.75 * part * sure, 1.0), looks=looks).surely_slower.tolist() == [surely, False]


def test_what_is_not_known_has_the_p_value_1():
    nothing = np.full((2, 4), np.nan)
    seen = evidence(ROWS, found_of(nothing, nothing, np.zeros((2, 4)), sets=0), CONFIG)
    assert seen.slower.tolist() == seen.beyond.tolist() == np.ones((2, 4)).tolist()
    assert seen.within.tolist() == [1.0] * 4


def test_no_row_passes_while_its_total_time_looks_slow():
    """That is, while it is a tenth or less likely that total time is no more than the fail margin slower."""
    found = crossed_by(beyond=((1.0, 1.0), (0.1, 0.101)), within=(0.0, 0.0))
    assert found.within.tolist() == [False, True]


def test_a_rows_level_hangs_on_the_looks_that_had_two_sets_of_it():
    looks = [
        Look(sets=(1, 2, 0, 1), spent_on_fail=0.25, spent=0.2),
        Look(sets=(2, 4, 1, 3), spent_on_fail=0.5, spent=0.4),
        Look(sets=(4, 8, 1, 4), spent_on_fail=1.0, spent=0.8),
    ]
    expected = [
        (([2, 4], [0.5, 1.0]), ([2, 4], [0.4, 0.8])),
        (([2, 4, 8], [0.25, 0.5, 1.0]), ([2, 4, 8], [0.2, 0.4, 0.8])),
        None,
        (([3, 4], [0.5, 1.0]), ([3, 4], [0.4, 0.8])),
    ]
    for place, on_fail in enumerate((True, False)):
        levels = [nominal_level(*one[place], 0.01) if one else 0.0 for one in expected]
        assert levels_at(looks, 4, 0.01, on_fail=on_fail).tolist() == levels
    assert levels_at(looks, 4, 0.01).tolist() == levels  # those of all else, where nothing is said


def test_an_interval_is_that_of_one_look_at_seven_tenths_of_its_error():
    error, freedom = np.array([[0.01], [0.05]]), np.array([[3.0], [9.0]])
    found = found_of(np.zeros((2, 1)), error, freedom, sets=2)
    assert half_width(found, CONFIG)[0] == pytest.approx(0.01 * stats.t.isf(0.7 * 0.005, 3))
    assert math.isnan(half_width(found_of(np.zeros((2, 1)), error, freedom, sets=1), CONFIG)[0])
