import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.errors import ConfigError
from nqperf.statistics.estimation import estimates
from nqperf.statistics.judge import judge, look
from nqperf.statistics.location import SetEstimate
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Plan
from tests.statistics.judge_reference import Reference

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


def test_planted_work_that_was_found_stays_found_however_rows_scatter_later():
    """Before: found after 3 sets and measured no further, it was lost again at the ninth, where others scattered."""
    found = sets_of({"planted": math.log(0.886)}, sets=9, sd=0.02)
    rows = [row.role == "planted" for row in ROWS]
    rest = np.random.default_rng(2).normal(0, 0.2, (6, len(ROWS)))
    for values in (found.location, found.total):
        values[3:] = rest
        values[3:, rows] = np.nan
    first, last = judge(found.first(3), Plan(sets=9)), judge(found)
    assert first.row("planted").outcome == "PASS"
    assert last.row("planted") == first.row("planted")
    assert last.row("free").interval[1] / last.row("free").interval[0] > 1.1, "the others scatter"
    again = sets_of({"planted": math.log(0.886)}, sets=9, sd=0.02)
    for values in (again.location, again.total):
        values[3:] = rest
    assert judge(again).row("planted").outcome != "PASS", "what is measured further is judged by all of its sets"


def test_an_interval_without_end_is_a_number():
    """Of two sets that scatter, at a confidence of 99.995 %, exp() of an end had ended the run."""
    values = np.array([[-0.9], [1.1]])
    sets = Sets(rows=KINDS[:1], location=values, total=values.copy(), shared=False)
    (row,) = judge(sets, Plan(sets=9), JudgeConfig(confidence=0.99999)).rows
    assert row.interval == (pytest.approx(1e-6), pytest.approx(1e6))
    assert (row.outcome, row.decided) == ("INCONCLUSIVE", False)


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
    assert JudgeConfig.for_margin(0.05) == JudgeConfig(first_look=2, confirming=1)
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


def drawn_sets(seed, sets=5, rows=ROWS, sd=0.01):
    generator = np.random.default_rng(seed)
    location = generator.normal(-0.02, sd, (sets, len(rows)))
    return Sets(rows=rows, location=location, total=location + generator.normal(0, sd / 4, location.shape))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.permutations(range(len(ROWS))))
def test_the_order_of_rows_does_not_matter(seed, order):
    sets = drawn_sets(seed)
    other = Sets(rows=tuple(ROWS[one] for one in order), location=sets.location[:, order], total=sets.total[:, order])
    found, turned = judge(sets), judge(other)
    assert outcomes(found) == outcomes(turned)
    for row in found.rows:
        assert turned.row(row.name).interval == pytest.approx(row.interval)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.permutations(range(5)))
def test_the_order_of_sets_does_not_change_the_estimate(seed, order):
    sets = drawn_sets(seed)
    other = Sets(rows=ROWS, location=sets.location[order], total=sets.total[order])
    for one, turned in zip(judge(sets).rows, judge(other).rows, strict=True):
        assert turned.ratio == pytest.approx(one.ratio)
        assert turned.interval == pytest.approx(one.interval)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.2))
def test_a_slower_row_is_never_judged_better(seed, extra):
    """One row is made slower in every set: its scatter, and all else, stays."""
    rank = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}
    sets = drawn_sets(seed)
    slower = Sets(rows=ROWS, location=sets.location.copy(), total=sets.total.copy())
    slower.location[:, 0] -= extra
    slower.total[:, 0] -= extra
    before, after = judge(sets).row("row0"), judge(slower).row("row0")
    assert rank[after.outcome] <= rank[before.outcome]
    assert after.ratio == pytest.approx(before.ratio * math.exp(-extra))
    assert after.p_fail <= before.p_fail + 1e-12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5))
def test_a_floor_and_its_row_may_be_on_any_scale(seed, ratio):
    sets = drawn_sets(seed)
    rows = tuple(
        Row(name=row.name, floor=Floor(ratio=ratio), role=row.role, planted=row.planted) if row.floor else row
        for row in ROWS
    )
    shift = np.array([math.log(ratio) if row.floor else 0.0 for row in ROWS])
    moved = Sets(rows=rows, location=sets.location + shift, total=sets.total + shift)
    assert outcomes(judge(moved)) == outcomes(judge(sets))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_looks_one_by_one_and_saved_sets_give_the_same(seed):
    sets = drawn_sets(seed, sets=6)
    judgement = None
    for number in range(1, 7):
        judgement = look(sets.first(number), Plan(sets=6, time_is_up=number == 6), before=judgement)
    assert judge(sets) == judgement


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_verdict_reads_like_its_interval(seed):
    for row in judge(drawn_sets(seed, sets=6)).rows:
        if row.role == "row" and row.outcome == "FAIL" and not row.by_total:
            assert row.interval[1] < 1
        if row.role == "row" and row.outcome == "PASS":
            assert row.interval[0] > 1 / 1.05


def test_rows_without_controls_and_of_two_revisions_are_judged_too():
    rows = tuple(Row(name=f"stage{number}", floor=Floor(ratio=1.0)) for number in range(4))
    values = np.random.default_rng(1).normal(0, 0.002, (6, 4))
    values[:, 2] -= 0.05
    found = judge(Sets(rows=rows, location=values, total=values.copy(), shared=False))
    assert [row.outcome for row in found.rows] == ["PASS", "PASS", "FAIL", "PASS"]


def test_one_row_alone_is_judged_by_its_own_sets():
    values = np.array([[0.0], [0.002], [-0.001], [0.001], [0.0]])
    row = Row(name="only", floor=Floor(ratio=1.0))
    found = judge(Sets(rows=(row,), location=values, total=3 * values, shared=False)).rows[0]
    assert found.outcome == "PASS"
    assert found.sd == pytest.approx(float(np.std(values, ddof=1)))


def test_a_control_that_scatters_says_so():
    sets = sets_of(sd=0.002)
    sets.location[:, 3] += np.array([0.1, -0.1] * 4)
    found = judge(sets)
    assert [row.name for row in found.rows if row.scatters] == ["row3"]
    assert found.row("row3").outcome == "INCONCLUSIVE"
    assert found.row("row0").outcome == "PASS"


CONFIGS = (JudgeConfig(), JudgeConfig.for_margin(0.05), JudgeConfig(first_look=2, confirming=0))
KINDS = (
    Row(name="it", floor=Floor(ratio=1.0)),
    Row(name="it", floor=Floor(ratio=1.5)),
    Row(name="it", role="same"),
    Row(name="it", role="planted", planted=0.1),
    Row(name="it"),
)


def one_row(seed):
    """A row of some kind in 1 to 10 sets, off its floor by a step, and by another one from some set on."""
    drawn = np.random.default_rng(seed)
    row, count = KINDS[seed % len(KINDS)], int(drawn.integers(1, 11))
    steps = drawn.choice([-0.2, -0.1, -0.06, -0.045, -0.03, -0.02, 0.0, 0.0, 0.02, 0.06], 2)
    turn = int(drawn.choice([count, count, drawn.integers(0, count + 1)]))
    level = math.log(row.floor.ratio) if row.floor else 0.0
    noise = drawn.normal(0, drawn.choice([0.001, 0.005, 0.02]), count)
    location = level + np.where(np.arange(count) < turn, *steps) + noise
    total = location + drawn.choice([0.0, 0.0, -0.03, -0.1]) + drawn.normal(0, 0.003, count)
    plan = Plan(sets=int(drawn.choice([count, 2, 6, 12])), time_is_up=bool(drawn.integers(2)))
    return row, location, total, plan, CONFIGS[int(drawn.integers(len(CONFIGS)))]


@pytest.mark.slow(10)
def test_one_row_alone_is_judged_as_the_reference_does():
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(800):
        row, location, total, plan, config = one_row(seed)
        found = judge(Sets(rows=(row,), location=location[:, None], total=total[:, None], shared=False), plan, config)
        reference = Reference(
            row, {"location": location.tolist(), "total": total.tolist()},
            planned=plan.sets, up=plan.time_is_up, config=config,
        )  # fmt: skip
        (got,), expected = found.rows, reference.judge()
        what = f"seed {seed}"
        for name in ("outcome", "decided", "suspected_at", "by_total"):
            assert getattr(got, name) == getattr(expected, name), f"{what}: {name}"
        assert [(look.sets[0], look.spent_on_fail, look.spent) for look in found.looks] == reference.looks, what
        assert (got.interval is None) == (expected.interval is None), what
        if expected.interval is not None:
            assert np.log(got.interval) == pytest.approx(expected.interval, abs=1e-9), what
        if expected.p_fail is not None:
            assert (got.p_fail, got.p_pass) == pytest.approx((expected.p_fail, expected.p_pass), abs=1e-9), what
            assert got.surely_slower == expected.surely_slower, what
        assert got.more_sets == expected.more_sets, what
        seen[row.role, "more sets"] += (expected.more_sets or 0) > 1
        seen[row.role, expected.outcome + (" by total" if expected.by_total else "")] += 1
        seen[row.role, "suspected"] += expected.suspected_at is not None
    kinds = {"row": ["FAIL", "FAIL by total", "PASS", "INCONCLUSIVE", "REPORTED", "suspected", "more sets"]}
    kinds |= {"same": ["FAIL", "FAIL by total", "PASS", "INCONCLUSIVE", "more sets"]}
    kinds |= {"planted": ["FAIL", "PASS", "INCONCLUSIVE", "more sets"]}
    for role, outcomes_of in kinds.items():
        assert all(seen[role, outcome] >= 3 for outcome in outcomes_of), seen


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_a_fail_is_confirmed_at_its_views_share_of_alpha(share):
    """What all sets show must be as sure as that view's part of alpha asks: both sides of the boundary are tried."""
    values = np.array([-0.06, -0.061, -0.059, -0.04, -0.041])
    sets = Sets(rows=KINDS[:1], location=values[:, None], total=values[:, None], shared=False)
    error = float(np.std(values, ddof=1)) / math.sqrt(5)
    p = float(stats.t.sf((-values.mean() - math.log(JudgeConfig().fail_margin)) / error, 4))
    for alpha, outcome in ((p / (1 - share) * 1.001, "FAIL"), (p / (1 - share) * 0.999, "INCONCLUSIVE")):
        config = JudgeConfig(total_share=share, beyond_alpha=alpha)
        judgement = None
        for count in range(1, 6):
            judgement = look(sets.first(count), Plan(sets=8), before=judgement, config=config)
            assert count != 3 or judgement.rows[0].suspected_at == 3
        assert judgement.rows[0].outcome == outcome


@pytest.mark.parametrize(("row", "sign"), [(KINDS[0], -1), (KINDS[2], -1), (KINDS[2], 1)])
@pytest.mark.parametrize(("new", "outcome"), [(0.001, "FAIL"), (0.0, "INCONCLUSIVE"), (-0.001, "INCONCLUSIVE")])
def test_new_sets_alone_must_point_to_the_slowdown(row, sign, new, outcome):
    """Twelve sets are 6 % off, and so sure that two new ones cannot change it; but they must not speak against it."""
    values = sign * np.array([*np.random.default_rng(1).normal(0.06, 0.002, 12), new, new])[:, None]
    sets, plan = Sets(rows=(row,), location=values, total=values.copy(), shared=False), Plan(sets=20)
    suspected = look(sets.first(12), plan)
    assert suspected.rows[0].suspected_at == 12
    assert look(sets, plan, before=suspected).rows[0].outcome == outcome


def test_what_both_views_show_beyond_all_doubt_is_not_by_total_alone():
    """A floor whose spread is known leaves normal tails, and 20 % off it both p-values are 0."""
    values = np.array([-0.2, -0.2001, -0.1999, -0.2, -0.2001, -0.1999])[:, None]
    row = Row(name="it", floor=Floor(ratio=1.0, sd=0.003))
    found = judge(Sets(rows=(row,), location=values, total=values.copy(), shared=False)).rows[0]
    assert (found.outcome, found.p_fail, found.by_total) == ("FAIL", 0.0, False)


def test_more_rows_that_are_judged_ask_for_more_sets():
    """A row in doubt is corrected for all that are judged, the control among them, and for no other."""
    drawn, config = np.random.default_rng(3).normal(0, 0.05, (4, 7)), JudgeConfig()
    drawn[:, 0] -= 0.09
    judged = [Row(name=f"row{number}", floor=Floor(ratio=1.0)) for number in range(4)]
    free = [Row(name=f"free{number}") for number in range(4)]
    for others, family in ((judged, 5), (free, 1), ([*judged, Row(name="same", role="same")], 6)):
        values = drawn[:, : 1 + len(others)]
        sets = Sets(rows=(KINDS[0], *others), location=values, total=values.copy())
        found, freedom = judge(sets, Plan(sets=9)).rows[0], float(estimates(sets).freedom[0, 0])
        slower = -math.log(found.ratio)
        sure, lax = (1.1 * stats.norm.isf(alpha) + 0.84 for alpha in (config.red_runs / family, config.beyond_alpha))
        sd = found.sd * math.sqrt(freedom / stats.chi2.ppf(0.2, freedom))
        needed = max((sure * sd / slower) ** 2, (lax * sd / (slower - math.log(config.fail_margin))) ** 2)
        assert found.more_sets == math.ceil(needed) - 4


def test_what_it_takes_to_decide_a_row_is_told_by_its_location_alone():
    """A row whose total times scatter has fewer degrees of freedom there, which say nothing of its location."""
    sets = sets_of(sets=4, sd=0.03)
    scattered = sets.total.copy()
    scattered[:, 0] += [0.5, -0.5, 0.5, -0.5]
    other = Sets(rows=ROWS, location=sets.location, total=scattered)
    freedom = [estimates(each).freedom[1, 0] for each in (sets, other)]
    assert freedom[1] < freedom[0]
    told = [judge(each, Plan(sets=8)).row("row0").more_sets for each in (sets, other)]
    assert told[0] == told[1] > 0
