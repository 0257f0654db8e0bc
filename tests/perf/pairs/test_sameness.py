import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, ParityError
from nqperf.perf.pairs.sameness import Close, Metric, agree
from nqperf.records.results import Agreement

NUMBERS = st.floats(-1e6, 1e6, width=32)
OUTPUTS = st.recursive(
    NUMBERS | st.text(max_size=3) | st.lists(NUMBERS, max_size=4).map(np.array),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(OUTPUTS)
def test_an_output_is_the_same_as_itself(output):
    agreement, fault = agree(Close(rtol=0, atol=0), output, output)
    assert fault == (
        None
        if agreement.compared
        else "nothing was compared: the outputs hold no values; let both return what they compute"
    )
    assert agreement.changed == 0
    assert agreement.value == 1.0


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20), st.floats(0, 0.1), st.floats(0, 10))
def test_as_many_differ_as_a_loop_finds(pairs, rtol, atol):
    ours, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    slow = sum(abs(two - one) > atol + rtol * abs(one) for one, two in zip(ours.tolist(), theirs.tolist(), strict=True))
    agreement, fault = agree(Close(rtol=rtol, atol=atol), ours, theirs)
    assert (agreement.changed, agreement.compared) == (slow, len(pairs))
    only_atol = not np.array_equal(ours, theirs) and bool((np.abs(ours) <= atol).all())
    assert (fault is None) == (slow == 0 and not only_atol)
    largest = max(abs(one - two) for one, two in pairs)
    assert agreement.details["max_abs_difference"] == pytest.approx(largest)


@pytest.mark.parametrize(("wrong", "share"), [(0, 1.0), (1, 0.75), (3, 0.25), (4, 0.0)])
def test_the_value_is_the_share_of_values_that_agree(wrong, share):
    baseline = np.arange(4.0)
    candidate = baseline + (np.arange(4) < wrong)
    agreement, fault = agree(Close(), baseline, candidate)
    assert (agreement.value, agreement.changed, agreement.compared) == (share, wrong, 4)
    assert (fault is None) == (wrong == 0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (np.ones(3), np.ones(4)),
        (np.ones(3), np.ones((3, 1))),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, [1]),
        ([1, 2], [1]),
        ("yes", "no"),
        (1.0, None),
        (1.0, math.nan),
        (1.0, math.inf),
        (np.array(["a"]), np.array(["b"])),
        (1 + 2j, 1 - 2j),
    ],
)
def test_what_differs_in_kind_is_not_the_same(ours, theirs):
    for one, other in ((ours, theirs), (theirs, ours)):
        assert agree(Close(), one, other)[1] is not None


def test_nan_at_the_same_place_is_the_same():
    assert agree(Close(), np.array([1, math.nan]), np.array([1, math.nan]))[1] is None
    mixed = np.array(["kea", math.nan], dtype=object)
    assert agree(Close(), mixed, mixed.copy())[1] is None
    assert agree(Close(), mixed, mixed[::-1].copy())[1] is not None


@pytest.mark.parametrize(("returned", "right"), [(True, True), (np.bool_(True), True), (None, True), (False, False)])
def test_a_function_of_ones_own(returned, right):
    agreement, fault = agree(lambda _one, other: returned if other == 2 else False, 1, 2)
    assert (fault is None, agreement.changed) == (right, int(not right))


def test_an_assertion_is_an_answer_and_its_first_words_are_told():
    _, fault = agree(np.testing.assert_allclose, np.ones(3), np.zeros(3))
    assert fault.startswith("Not equal to tolerance")
    assert "\n" not in fault


def test_an_agreement_of_ones_own_is_kept():
    mine = Agreement(metric="mine", value=0.5, baseline_value=1.0, compared=2, changed=1)
    assert agree(lambda _one, _other: mine, 1, 2) == (mine, "1 of 2 values differ")


def test_a_metric_may_fall_by_its_tolerance_and_rise_at_will():
    metric = Metric(name="score", score=float, tolerance=0.1)
    assert agree(metric, 1.0, 0.95)[1] is None
    assert agree(metric, 1.0, 2.0)[1] is None
    agreement, fault = agree(metric, 1.0, 0.8)
    assert fault == "score 0.8 against 1, expected 0.9 or more"
    assert (agreement.value, agreement.baseline_value, agreement.changed) == (0.8, 1.0, 1)
    with pytest.raises(ParityError, match=r"score is 1\.0 of the baseline and nan"):
        agree(metric, 1.0, math.nan)


def test_an_answer_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="same returned str 'yes'"):
        agree(lambda _one, _other: "yes", 1, 2)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), "8 of 8 values differ (shapes [2, 3] and [2, 4])"),
        ([1, 2], [1, 2, 3], "3 of 3 values differ (shapes [2] and [3])"),
        ([[1], [1, 2]], [[1], [1, 2], [3]], "3 of 3 values differ (shapes [2] and [3])"),
        ({"a": 1}, {}, "1 of 1 values differ (a part is missing in the second)"),
        (["ab", 1], ["ac", 1], "1 of 2 values differ (the first at [0]: ab and ac)"),
        ([1, 2.5], [1, 2], "1 of 2 values differ by up to 0.5 (the first at [1]: 2.5 and 2)"),
        (1.5, 1.0, "1 of 1 values differ by up to 0.5 (the first: 1.5 and 1.0)"),
        (
            {"ranks": [[("a", 2), ("b", 1)], np.array([[1.0, 2.0], [3.0, 4.0]])]},
            {"ranks": [[("a", 2), ("b", 1)], np.array([[1.0, 2.0], [3.0, 9.0]])]},
            "1 of 8 values differ by up to 5 (the first at [ranks][1][1][1]: 4.0 and 9.0)",
        ),
    ],
    ids=str,
)
def test_what_differs_is_told_by_its_distance_or_its_shape(ours, theirs, said):
    assert agree(Close(), ours, theirs)[1] == said


@given(OUTPUTS, OUTPUTS)
def test_equal_plain_values_are_found_without_an_array_of_each(ours, theirs):
    """The same as where each value is an array of its own."""

    def arrays(output):
        if isinstance(output, dict):
            return {key: arrays(value) for key, value in output.items()}
        return [arrays(value) for value in output] if isinstance(output, list) else np.asarray(output)

    for pair in ((ours, theirs), (ours, ours)):
        assert Close()(*pair) == Close()(*map(arrays, pair))
