import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nqperf.errors import ConfigError
from nqperf.statistics.comparison import SPEED_UPS, ComparisonConfig, Margins, compare
from nqperf.statistics.distribution import upper_quantile, upper_tail, welch_satterthwaite
from nqperf.statistics.estimation import estimates
from nqperf.statistics.holm import adjusted
from nqperf.statistics.sets import Row, Sets

ROWS = (*(Row(name=f"row{number}") for number in range(13)), Row(name="same", role="same"))


def sets_of(shifts=None, *, sets=6, sd=0.008, seed=0, rows=ROWS):
    generator = np.random.default_rng(seed)
    values = 0.5 + generator.normal(0, sd, (sets, len(rows)))
    for column, row in enumerate(rows):
        values[:, column] += (shifts or {}).get(row.name, 0.0) - 0.5 * (row.role == "same")
    return Sets(rows=rows, location=values, total=values.copy())


def compared(old, new, margins=SPEED_UPS):
    return compare([(old, new, margins)])


def outcomes(changes):
    return {change.name: change.change for change in changes}


def reference(old, new, margins, config):
    """Return the change of each row, row by row and test by test, from what the sets say of it."""
    before, after = estimates(old), estimates(new)
    names = [row.name for row in old.rows if row.role == "row"]
    tests = {}
    for name in names:
        one, other = (next(i for i, row in enumerate(run.rows) if row.name == name) for run in (old, new))
        for view in (0, 1):
            means = before.mean[view, one], after.mean[view, other]
            sets = before.error[view, one] ** 2, after.error[view, other] ** 2
            known = before.freedom[view, one], after.freedom[view, other]
            whole = sum(sets) + 2 * margins.run_sd**2
            freedom = whole**2 / (sets[0] ** 2 / known[0] + sets[1] ** 2 / known[1])
            t = stats.t(freedom)
            slower, changed = (means[0] - means[1]) / whole**0.5, math.log(margins.changed) / whole**0.5
            share = (1 - config.total_share, config.total_share)[view]
            tests[name, view] = {
                "slower": t.sf(slower) / share,
                "slower by the margin": t.sf(slower - changed) / share,
                "faster": t.sf(-slower) / share,
                "faster by the margin": t.sf(-slower - changed) / share,
                "surely": means[1] - means[0] - t.ppf((1 + config.confidence) / 2) * whole**0.5,
            }
    found = {}
    p_values = {
        "slower": {name: min(tests[name, view]["slower"] for view in (0, 1)) for name in names},
        "faster": {name: tests[name, 0]["faster"] for name in names},
    }
    surely = {
        which: {name for name, p in zip(names, adjusted(np.array([*by.values()])), strict=True) if p <= config.red_runs}
        for which, by in p_values.items()
    }
    for name in names:
        beyond = [tests[name, view]["slower by the margin"] <= config.beyond_alpha for view in (0, 1)]
        found[name] = ("INCONCLUSIVE", False)
        if tests[name, 0]["surely"] > -math.log(margins.same):
            found[name] = ("SAME", False)
        if name in surely["faster"] and tests[name, 0]["faster by the margin"] <= config.beyond_alpha:
            found[name] = ("FASTER", False)
        if name in surely["slower"] and any(beyond):
            found[name] = ("SLOWER", not beyond[0])
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([0.004, 0.01, 0.02]),
    st.tuples(st.integers(2, 7), st.integers(2, 7)),
    st.lists(st.floats(-0.08, 0.08), min_size=13, max_size=13),
    st.sampled_from([SPEED_UPS, Margins(changed=1.0, same=1.03, run_sd=0.0), Margins(changed=1.04, same=1.2)]),
)
def test_equal_to_the_slow_reference(seed, sd, sets, shifts, margins):
    old = sets_of(seed=[1, seed], sd=sd, sets=sets[0])
    new = sets_of({f"row{number}": shift for number, shift in enumerate(shifts)}, seed=[2, seed], sd=sd, sets=sets[1])
    new.total[:, :6] -= np.random.default_rng(seed).choice([0.0, 0.05], 6)
    config = ComparisonConfig(red_runs=0.02, beyond_alpha=0.1, confidence=0.95, total_share=0.2)
    found = {change.name: (change.change, change.by_total) for change in compare([(old, new, margins)], config)}
    assert found == reference(old, new, margins, config)


def test_unchanged_code_is_the_same():
    changes = compared(sets_of(seed=1), sets_of(seed=2))
    assert set(outcomes(changes)) == {row.name for row in ROWS if row.role == "row"}
    assert set(outcomes(changes).values()) == {"SAME"}
    assert all(change.interval[0] < change.factor < change.interval[1] for change in changes)
    assert all((change.old_sets, change.new_sets) == (6, 6) for change in changes)


def test_a_run_is_the_same_as_itself_however_noisy():
    noisy = sets_of(sd=0.3)
    assert set(outcomes(compared(noisy, noisy)).values()) == {"SAME"}


def test_a_run_is_the_same_as_itself_where_a_row_left_too():
    noisy = sets_of(sd=0.3)
    noisy.location[4:, 2] = noisy.total[4:, 2] = np.nan
    assert set(outcomes(compared(noisy, noisy)).values()) == {"SAME"}


def alone(location, total=None):
    """One row in one set."""
    values = [np.array([[value]]) for value in (location, location if total is None else total)]
    return Sets(rows=(Row(name="it"),), location=values[0], total=values[1], shared=False)


# The variance of one set is given, and runs scatter no more: the difference of two has the SD 1 % and is normal.
GIVEN = {"run_sd": 0.0, "set_sd": 0.01 / math.sqrt(2)}


@pytest.mark.parametrize("view", [0, 1])
@pytest.mark.parametrize(("changed", "alpha"), [(1.0, 0.01), (1.5, 0.05)])
def test_a_comparison_errs_as_rarely_as_it_says(view, changed, alpha):
    """One row, at either side of 1 % for "slower at all" and 5 % for "by the margin"; total time has a tenth of it."""
    share = (0.9, 0.1)[view]
    for part, slower in ((0.99, True), (1.01, False)):
        slowdown = math.log(changed) + 0.01 * stats.norm.isf(part * share * alpha)
        new = alone(-slowdown) if view == 0 else alone(0.0, -slowdown)
        (change,) = compared(alone(0.0), new, Margins(changed=changed, same=1.001 * changed, **GIVEN))
        assert (change.change == "SLOWER", change.by_total) == (slower, slower and view == 1)


@pytest.mark.parametrize(("changed", "alpha"), [(1.0, 0.01), (1.5, 0.05)])
def test_faster_errs_as_rarely(changed, alpha):
    for part, faster in ((0.99, True), (1.01, False)):
        gain = math.log(changed) + 0.01 * stats.norm.isf(part * 0.9 * alpha)
        (change,) = compared(alone(0.0), alone(gain), Margins(changed=changed, same=1.001 * changed, **GIVEN))
        assert (change.change == "FASTER") == faster


def test_ratios_and_p_values_are_by_location():
    margins = Margins(**GIVEN)
    (change,) = compared(alone(math.log(2), math.log(3)), alone(math.log(1.98), math.log(1.5)), margins)
    assert (change.old_ratio, change.new_ratio, change.factor) == pytest.approx((2, 1.98, 0.99))
    assert change.p_slower == pytest.approx(stats.norm.sf(-math.log(0.99) / 0.01), rel=1e-4)


def test_half_a_per_cent_between_runs_is_taken_where_none_is_known():
    (change,) = compared(alone(0.0), alone(0.0), Margins(set_sd=1e-6))
    assert math.log(change.interval[1]) == pytest.approx(stats.norm.isf(0.005) * 0.005 * math.sqrt(2), rel=1e-4)


def test_slower_and_faster_are_told():
    changes = {
        change.name: change for change in compared(sets_of(seed=1), sets_of({"row3": -0.06, "row5": 0.06}, seed=2))
    }
    assert (changes["row3"].change, changes["row5"].change) == ("SLOWER", "FASTER")
    assert changes["row3"].interval[0] < math.exp(-0.06) < changes["row3"].interval[1]
    assert changes["row3"].p_slower < 0.001
    assert not changes["row3"].by_total
    assert sum(change.change == "SAME" for change in changes.values()) == 11


def test_rare_slow_batches_are_slower_by_total_time():
    new = sets_of(seed=2)
    new.total[:, 4] -= 0.1
    found = compared(sets_of(seed=1), new)[4]
    assert (found.change, found.by_total) == ("SLOWER", True)


def test_the_baselines_own_seconds_are_judged_too():
    rows = (Row(name="baseline seconds"),)
    seconds = [
        Sets(rows=rows, location=-np.log(times), total=-np.log(times), shared=False)
        for times in (np.array([[0.30], [0.31], [0.30], [0.305]]), np.array([[0.90], [0.93], [0.90], [0.91]]))
    ]
    pairs = [(sets_of(seed=1), sets_of(seed=2), SPEED_UPS), (seconds[0], seconds[1], Margins(changed=1.25, same=1.5))]
    changes = outcomes(compare(pairs))
    assert changes["baseline seconds"] == "SLOWER"
    assert {outcome for name, outcome in changes.items() if name != "baseline seconds"} == {"SAME"}


def test_noise_is_inconclusive_and_runs_that_scatter_weigh_less():
    old, new = sets_of(seed=1), sets_of({"row3": -0.06}, seed=2)
    assert outcomes(compared(old, new, Margins(run_sd=0.03)))["row3"] == "INCONCLUSIVE"
    noisy = sets_of({"row3": -0.06}, sd=0.1, seed=2)
    assert outcomes(compared(old, noisy))["row3"] == "INCONCLUSIVE"


def test_rows_have_the_margins_of_their_kind():
    old, new = sets_of(seed=1), sets_of({"row3": -0.06}, seed=2)
    assert outcomes(compared(old, new, Margins(changed=1.1, same=1.2)))["row3"] == "SAME"
    assert outcomes(compared(old, new))["row3"] == "SLOWER"


def test_of_a_single_set_as_much_is_known_as_is_given():
    margins = Margins(changed=1.25, same=1.5, run_sd=0.035, set_sd=0.05)
    rows = (Row(name="baseline"),)
    one = Sets(rows=rows, location=np.zeros((1, 1)), total=np.zeros((1, 1)), shared=False)
    found = {}
    for slowdown in (0.0, 0.25, 1.1):
        other = Sets(rows=rows, location=one.location - slowdown, total=one.total - slowdown, shared=False)
        (found[slowdown],) = compared(one, other, margins)
    assert [change.change for change in found.values()] == ["SAME", "INCONCLUSIVE", "SLOWER"]
    # Two runs, two sets: the normal's 99 % of the four variances that are given.
    half = stats.norm.ppf(0.995) * math.sqrt(2 * 0.035**2 + 2 * 0.05**2)
    assert found[1.1].interval == pytest.approx((math.exp(-1.1 - half), math.exp(-1.1 + half)), rel=1e-4)


@pytest.mark.parametrize("set_sd", [None, 0.3])
def test_what_runs_scatter_is_known_and_what_sets_scatter_is_not(set_sd):
    """Two sets a run: one degree of freedom each, but the larger part of the variance is given; no single set's is."""
    rows = (Row(name="baseline"),)
    old, new = (
        Sets(rows=rows, location=np.array(values)[:, None], total=np.array(values)[:, None], shared=False)
        for values in ([0.0, 0.01], [-1.1, -1.11])
    )
    (change,) = compared(old, new, Margins(changed=1.25, same=1.5, run_sd=0.035, set_sd=set_sd))
    assert change.change == "SLOWER"
    sets, runs = 0.01**2 / 4, 2 * 0.035**2  # the variance of each mean, and that of two runs
    freedom = (2 * sets + runs) ** 2 / (2 * sets**2)
    half = stats.t.ppf(0.995, freedom) * math.sqrt(2 * sets + runs)
    assert change.interval == pytest.approx((math.exp(-1.11 - half), math.exp(-1.11 + half)))


def test_one_set_has_no_interval():
    changes = compared(sets_of(sets=1, seed=1), sets_of(sets=1, seed=2))
    assert all(change.change == "INCONCLUSIVE" and change.interval is None for change in changes)


def test_rows_are_matched_by_name_and_the_rest_left_out():
    new = sets_of({"row1": -0.2}, seed=2)
    order = [5, 1, 13, 2]
    part = Sets(rows=tuple(ROWS[one] for one in order), location=new.location[:, order], total=new.total[:, order])
    found = outcomes(compared(sets_of(seed=1), part))
    assert set(found) == {"row1", "row2", "row5"}
    assert found["row1"] == "SLOWER"
    assert compared(sets_of(rows=ROWS[:1]), sets_of(rows=ROWS[2:3])) == ()


def test_comparisons_of_unchanged_code_are_hardly_ever_red():
    red = sum(
        "SLOWER"
        in outcomes(
            compared(sets_of(sd=0.02, sets=4, seed=[1, seed]), sets_of(sd=0.02, sets=5, seed=[2, seed]))
        ).values()
        for seed in range(150)
    )
    assert red <= 4


@given(st.floats(-8, 8), st.floats(0.5, 80))
def test_the_tail_is_students(t, freedom):
    assert float(upper_tail(np.array(t), np.array(freedom))) == pytest.approx(stats.t.sf(t, freedom), rel=1e-6)


@given(st.floats(0.001, 0.999), st.floats(0.5, 80))
def test_the_quantile_is_the_tails_inverse(tail, freedom):
    quantile = upper_quantile(np.array(tail), np.array(freedom))
    assert float(upper_tail(quantile, np.array(freedom))) == pytest.approx(tail, rel=1e-6)


def test_welch_and_satterthwaite():
    one, other = np.array([4.0, 4.0, 1.0]), np.array([9.0, 0.0, 1.0])
    found = welch_satterthwaite(one, np.array([5.0, 7.0, 0.0]), other, np.array([3.0, np.inf, 3.0]))
    assert found.tolist() == pytest.approx([13**2 / (16 / 5 + 81 / 3), 7.0, 0.0])
    assert upper_tail(np.array([np.nan, 1.0]), np.array([3.0, 0.0])).tolist() == [1.0, 1.0]
    assert np.isnan(upper_quantile(np.array(0.1), np.array(0.0)))


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (Margins, {"changed": 1.1}),
        (Margins, {"changed": 0.9}),
        (Margins, {"changed": 1.05}),
        (Margins, {"same": math.inf}),
        (Margins, {"run_sd": -1.0}),
        (Margins, {"run_sd": math.inf}),
        (Margins, {"set_sd": -1.0}),
        (ComparisonConfig, {"red_runs": 0.0}),
        (ComparisonConfig, {"beyond_alpha": 0.7}),
        (ComparisonConfig, {"total_share": 0.5}),
        (ComparisonConfig, {"confidence": 1.0}),
        (ComparisonConfig, {"confidence": 0.5}),
    ],
)
def test_numbers_out_of_range_are_refused(kind, numbers):
    with pytest.raises(ConfigError, match="expected"):
        kind(**numbers)


def test_any_confidence_above_one_half_is_taken():
    assert (
        compare([(alone(0.0), alone(0.0), Margins(**GIVEN))], ComparisonConfig(confidence=0.51))[0].confidence == 0.51
    )
