import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.statistics.judge import look
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.two_margins import TwoMargins
from nqperf.statistics.verdicts import JudgeConfig, Plan

ROW = Row(name="work", floor=Floor(ratio=1.0))
# Ten values with mean 0 and SD 1: what they are scaled by is what is asked about.
UNIT = np.array([-1.4, 0.3, 1.1, -0.7, 0.9, -1.2, 0.6, 1.3, -0.4, -0.5])
UNIT = (UNIT - UNIT.mean()) / UNIT.std(ddof=1)


def sets_of(slowdown, sd):
    """Ten sets of one row that is slower by `slowdown`, a share."""
    values = (-math.log1p(slowdown) + sd * UNIT)[:, None]
    return Sets(rows=(ROW,), location=values, total=values.copy(), shared=False)


def judged(sets, *, margin=0.02, wide=0.05, room=0, upto=None):
    """What is said of the row after each look at `sets`, where there is `room` for so many more after the last."""
    judge = TwoMargins(margin=margin, wide=wide, red_runs=0.01)
    count = upto or len(sets.location)
    said = []
    for number in range(1, count + 1):
        judge.look(sets.first(number), Plan(sets=count, time_is_up=number == count and not room), count + room - number)
        by = judge.verdict("work")
        said.append((by.verdict.outcome, by.margin, by.verdict.decided))
    return said, judge.verdict("work").verdict


def test_before_the_first_look_nothing_is_said():
    assert TwoMargins(margin=0.02, wide=0.05, red_runs=0.01).verdict("work") is None


def test_sets_that_tell_the_margin_pass_by_it():
    said, verdict = judged(sets_of(0.0, 0.005))
    assert said[-1] == ("PASS", 0.02, True)
    assert verdict.more_sets is None
    assert {margin for _, margin, _ in said} == {0.02}


def test_sets_that_cannot_tell_the_margin_pass_by_the_wide_one_when_the_time_is_up():
    said, verdict = judged(sets_of(0.0, 0.027))
    assert said[-1] == ("PASS", 0.05, True)
    assert verdict.more_sets > 10


def test_no_set_is_taken_for_what_the_time_has_no_room_for():
    said, verdict = judged(sets_of(0.0, 0.022), upto=9, room=5)
    assert said[-1] == ("PASS", 0.05, True)
    assert verdict.more_sets > 15


def test_a_row_stays_open_where_the_time_has_room_to_tell_the_margin():
    said, verdict = judged(sets_of(0.0, 0.022), upto=9, room=100)
    assert said[-1] == ("INCONCLUSIVE", 0.02, False)
    assert 0 < verdict.more_sets <= 100


def test_noise_that_hides_the_wide_margin_is_inconclusive_with_what_it_takes():
    said, verdict = judged(sets_of(0.0, 0.06))
    assert said[-1] == ("INCONCLUSIVE", 0.02, True)
    assert (
        verdict.more_sets == look(sets_of(0.0, 0.06), Plan(sets=10, time_is_up=True), config=_wide()).rows[0].more_sets
    )


def _wide():
    return JudgeConfig(fail_margin=1.008, pass_margin=1.05, red_runs=0.01, first_look=2, confirming=1)


@given(slowdown=st.floats(-0.05, 0.15), sd=st.floats(0.0, 0.08), room=st.integers(0, 50))
def test_what_fails_is_what_fails_by_the_margin_alone(slowdown, sd, room):
    """The wide margin adds a PASS, of a row whose interval lies below it, and takes no FAIL away."""
    sets = sets_of(slowdown, sd)
    said, verdict = judged(sets, room=room)
    alone, _ = judged(sets, wide=0.02, room=room)
    assert [one[0] == "FAIL" for one in said] == [one[0] == "FAIL" for one in alone]
    for mine, other in zip(said, alone, strict=True):
        assert mine == other or (mine[0], mine[1], other[0]) == ("PASS", 0.05, "INCONCLUSIVE")
    if said[-1][0] == "PASS":
        assert 1 / verdict.interval[0] - 1 < said[-1][1]


def test_what_is_slower_by_the_wide_margin_does_not_pass():
    """3 % of noise a set, 300 rows that are exactly 5 % slower: at most 0.5 % may pass, and some are found."""
    generator = np.random.default_rng(7)
    outcomes = []
    for _ in range(300):
        values = -math.log(1.05) + generator.normal(0, 0.03, (6, 1))
        sets = Sets(rows=(ROW,), location=values, total=values.copy(), shared=False)
        outcomes.append(judged(sets)[0][-1][0])
    assert outcomes.count("PASS") <= 0.005 * 300 + 3 * math.sqrt(0.005 * 300)
    assert outcomes.count("FAIL") > 30


@pytest.mark.parametrize(("margin", "wide"), [(0.0, 0.05), (0.05, 0.02)])
def test_margins_that_make_no_sense_are_refused(margin, wide):
    with pytest.raises(ConfigError, match="the wide one no smaller"):
        TwoMargins(margin=margin, wide=wide, red_runs=0.01)
