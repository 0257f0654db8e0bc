import math

import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.statistics.judge import judge, look
from nqperf.statistics.location import SetEstimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Plan

ROWS = (
    *(Row(name=f"row{number}", floor=Floor(ratio=1.0)) for number in range(5)),
    Row(name="free"),
    Row(name="same", role="same"),
    Row(name="planted", role="planted", planted=0.1),
)


def sets_of(shifts=None, *, sets=8, sd=0.002, seed=1):
    """Sets of ROWS whose log ratios are `shifts` by name, 0 by default, but the planted work's."""
    generator = np.random.default_rng(seed)
    values = generator.normal(0, sd, (sets, len(ROWS)))
    for column, row in enumerate(ROWS):
        values[:, column] += (shifts or {}).get(row.name, -math.log(1.1) if row.role == "planted" else 0.0)
    return Sets(rows=ROWS, location=values, total=values.copy())


def outcomes(judgement):
    return {row.name: row.outcome for row in judgement.rows}


def test_rows_without_change_pass_and_are_decided_at_the_first_look():
    first = judge(sets_of(sets=3), Plan(sets=8))
    assert outcomes(first) == {
        **dict.fromkeys(["row0", "row1", "row2", "row3", "row4", "same", "planted"], "PASS"),
        "free": "REPORTED",
    }
    assert first.open_rows == ()
    assert all(row.interval[0] < row.ratio < row.interval[1] for row in first.rows)


def test_before_the_first_look_every_row_has_a_ratio_and_none_a_verdict():
    found = judge(sets_of(sets=1), Plan(sets=8))
    assert {row.outcome for row in found.rows} == {"INCONCLUSIVE", "REPORTED"}
    assert all(row.ratio is not None and row.interval is None for row in found.rows)
    assert len(found.open_rows) == len(ROWS)
    second = judge(sets_of(sets=2), Plan(sets=8))
    assert second.looks == ()
    assert all(row.interval is not None for row in second.rows)


def test_a_slower_row_fails_once_two_new_sets_have_shown_it_too():
    sets = sets_of({"row2": -0.05})
    judgement = None
    seen = []
    for number in range(1, 6):
        judgement = look(sets.first(number), Plan(sets=8), before=judgement)
        seen.append((judgement.row("row2").outcome, judgement.row("row2").suspected_at))
    assert seen == [
        ("INCONCLUSIVE", None),
        ("INCONCLUSIVE", None),
        ("INCONCLUSIVE", 3),
        ("INCONCLUSIVE", 3),
        ("FAIL", None),
    ]
    assert {row.name for row in judgement.rows if row.outcome == "FAIL"} == {"row2"}
    assert judge(sets.first(5), Plan(sets=8)) == judgement


def test_a_slowdown_that_new_sets_do_not_show_is_no_fail():
    sets = sets_of({"row2": -0.05})
    sets.location[3:, 2] += 0.06
    sets.total[3:, 2] += 0.06
    found = judge(sets)
    assert found.row("row2").outcome != "FAIL"


def test_rare_slow_batches_fail_by_total_time():
    sets = sets_of()
    sets.total[:, 1] -= 0.08
    found = judge(sets).row("row1")
    assert (found.outcome, found.by_total) == ("FAIL", True)
    assert found.total_ratio < 0.93 < found.ratio


def test_the_control_is_wrong_on_both_sides():
    for shift in (-0.05, 0.05):
        assert judge(sets_of({"same": shift})).row("same").outcome == "FAIL"


def test_planted_work_must_come_out_as_planted():
    assert judge(sets_of({"planted": 0.0})).row("planted").outcome == "FAIL"
    assert judge(sets_of({"planted": -0.2})).row("planted").outcome == "FAIL"


def test_time_that_is_up_is_no_fail_and_says_how_much_more():
    found = judge(sets_of({"row0": -0.05}, sets=4, sd=0.03)).row("row0")
    assert found.outcome == "INCONCLUSIVE"
    assert found.decided
    assert found.more_sets > 0


def test_a_floor_with_a_spread_is_held_less_sharply():
    rows = (Row(name="row", floor=Floor(ratio=1.5, sd=0.03)), *ROWS[1:])
    sets = sets_of({"row0": math.log(1.5 / 1.06)})
    sharp = judge(
        Sets(rows=(Row(name="row", floor=Floor(ratio=1.5)), *ROWS[1:]), location=sets.location, total=sets.total)
    )
    assert sharp.rows[0].outcome == "FAIL"
    assert judge(Sets(rows=rows, location=sets.location, total=sets.total)).rows[0].outcome == "INCONCLUSIVE"


def test_rows_that_leave_or_die_keep_what_they_have():
    sets = sets_of()
    sets.location[3:, 0] = sets.total[3:, 0] = np.nan
    sets.location[:, 1] = sets.total[:, 1] = np.nan
    found = judge(sets)
    assert (found.row("row0").outcome, found.row("row0").sets) == ("PASS", 3)
    assert (found.row("row1").outcome, found.row("row1").ratio) == ("INCONCLUSIVE", None)


def test_sets_are_made_of_estimates_by_name():
    one = SetEstimate(location=0.1, total=0.2, error=None, rounds=2)
    sets = Sets.of(ROWS[:2], [{"row1": one}, {"row0": one, "row1": one}])
    assert sets.location[1].tolist() == [0.1, 0.1]
    assert np.isnan(sets.location[0, 0])
    assert sets.total[0, 1] == 0.2


def test_margins_of_two_revisions():
    assert JudgeConfig.for_margin(0.05) == JudgeConfig()
    assert JudgeConfig.for_margin(0.02).fail_margin == 1.008


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JudgeConfig(fail_margin=1.1), "fail margin 1.1"),
        (lambda: JudgeConfig(red_runs=0.0), "red_runs is 0.0"),
        (lambda: JudgeConfig(confidence=1.0), "confidence is 1.0"),
        (lambda: JudgeConfig(first_look=1), "first look 1"),
        (lambda: Floor(ratio=0.0), "floor is 0.0"),
        (lambda: Floor(ratio=1.0, sd=-1.0), "SD is -1.0"),
        (lambda: Row(name="x", role="planted"), "row x"),
        (lambda: judge(sets_of(sets=0)), "no set"),
        (lambda: look(sets_of(), Plan(sets=8), before=judge(Sets.of(ROWS[:1], [{}]))), "other rows"),
        (lambda: Sets(rows=ROWS, location=np.zeros((2, 3)), total=np.zeros((2, 3))), "expected sets x 8 rows"),
        (lambda: Sets.of((ROWS[0], ROWS[0]), []), "each name once"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
