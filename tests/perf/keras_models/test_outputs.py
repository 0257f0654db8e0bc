"""Outputs of a model of which nothing else is known: what counts as the same, and what is surely broken."""

import numpy as np
import pytest

from nqperf.errors import ParityError
from nqperf.perf.keras_models.outputs import Supply, check_outputs, compare_outputs, evidence_fault, relative_limit

SCORES = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
ONE = {"output": SCORES}


def judged(baseline, row, tolerance):
    return check_outputs(baseline, row, compare_outputs(baseline, row), tolerance)


def test_the_same_outputs_agree_in_every_row():
    agreed = compare_outputs(ONE, ONE)
    assert (agreed.metric, agreed.value, agreed.compared, agreed.changed) == ("same decisions", 1.0, 64, 0)
    assert agreed.details == {"relative_error": 0.0, "max_abs_difference": 0.0}
    assert judged(ONE, ONE, "exact")


def test_another_order_of_sums_is_exact_and_rounding_to_16_bits_is_not():
    near = {"output": SCORES * (1 + 1e-6)}
    rounded = {"output": SCORES.astype(np.float16).astype(np.float32) + np.float32(0.01)}
    assert judged(ONE, near, "exact")
    with pytest.raises(ParityError, match=r"at most 0\.001"):
        judged(ONE, rounded, "exact")
    assert "0.01" in judged(ONE, rounded, "sixteen_bit")


def test_a_tenth_of_the_spread_is_too_much_for_16_bits():
    noise = np.random.default_rng(1).standard_normal(SCORES.shape).astype(np.float32)
    with pytest.raises(ParityError, match=r"expected 0\.1"):
        judged(ONE, {"output": SCORES + 0.2 * noise}, "sixteen_bit")


def test_changed_decisions_fail_only_where_they_are_surely_too_many():
    few, many = SCORES.copy(), SCORES.copy()
    ties = {"output": np.where(np.arange(64)[:, None] < 40, np.float32([0, 0, 0, 0, 1e-6]), SCORES)}
    few[0] = few[0][::-1]
    agreed = compare_outputs(ONE, {"output": few})
    assert agreed.changed <= 1
    many = {"output": ties["output"].copy()}
    many["output"][:40, 0] = 2e-6
    with pytest.raises(ParityError, match="40 of 64 decisions changed"):
        judged(ties, many, "sixteen_bit")


def test_a_single_flip_among_few_is_told_and_proves_nothing():
    ties = {"output": SCORES.copy()}
    ties["output"][0] = [0, 0, 0, 0, 1e-6]
    flipped = {"output": ties["output"].copy()}
    flipped["output"][0, 0] = 2e-6
    assert "1 of 64 decisions changed" in judged(ties, flipped, "sixteen_bit")
    assert "it takes 110 rows with 1 changed: --limit 110 draws them" in judged(ties, flipped, "sixteen_bit")
    assert compare_outputs(ties, flipped).differences[0].subject == "output 0"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_broken(value):
    broken = SCORES.copy()
    broken[3, 1] = value
    with pytest.raises(ParityError, match="1 of 320 values of output are NaN or infinite"):
        compare_outputs(ONE, {"output": broken})


def test_other_names_and_shapes_are_broken():
    with pytest.raises(ParityError, match="expected"):
        compare_outputs(ONE, {"output": SCORES[:, :4]})
    with pytest.raises(ParityError, match="expected"):
        compare_outputs(ONE, {"other": SCORES})


def test_values_stand_where_there_are_no_decisions():
    values = {"score": SCORES[:, 0]}
    agreed = compare_outputs(values, {"score": values["score"] + np.float32(1.0)})
    assert (agreed.metric, agreed.compared, agreed.changed) == ("same values", 64, 64)
    text = {"word": np.array([b"a", b"b"])}
    assert compare_outputs(text, {"word": np.array([b"a", b"c"])}).changed == 1


def test_outputs_that_depend_on_no_input_prove_nothing():
    assert evidence_fault(ONE) is None
    assert "proves nothing" in evidence_fault({"output": np.ones((4, 3), np.float32)})


def test_outputs_that_vary_by_rounding_alone_prove_nothing_and_break_no_row():
    """An untrained EfficientNetB0 gave 0.001 in every class, an image from the next a rounding apart."""
    even = np.full((80, 5), 1e-3, np.float32)
    even[::7, 2] = np.nextafter(np.float32(1e-3), np.float32(1))
    other = {"output": np.roll(even, 1, axis=0)}
    assert "proves nothing" in evidence_fault({"output": even})
    for tolerance in ("exact", "sixteen_bit"):
        assert judged({"output": even}, {"output": even.copy()}, tolerance).startswith("answers undecided: the outputs")
    assert judged({"output": even}, other, "exact").startswith("answers undecided: the outputs are the same")
    with pytest.raises(ParityError, match="expected at most"):
        judged({"output": even}, {"output": even * np.float32(1.01)}, "exact")
    assert evidence_fault({"output": even, "score": SCORES[:40].repeat(2, axis=0)}) is None


def test_outputs_that_hardly_depend_on_the_input_are_undecided_in_16_bits():
    faint = {"output": np.float32(0.05) + np.float32(5e-4) * SCORES}
    rounded = {"output": np.float32(0.05) + np.float32(4e-4) * SCORES}
    assert "answers undecided: output varies by 1.0% of its size" in judged(faint, rounded, "sixteen_bit")
    with pytest.raises(ParityError, match=r"expected 0\.1"):
        judged(faint, {"output": faint["output"] * np.float32(1.05)}, "sixteen_bit")
    with pytest.raises(ParityError, match=r"expected 0\.1"):  # another output decides
        judged({**faint, "sure": SCORES}, {**rounded, "sure": SCORES * np.float32(1.3)}, "sixteen_bit")


def test_none_changed_of_few_decisions_is_undecided():
    assert "answers undecided: 0 of 64" in judged(ONE, ONE, "sixteen_bit")
    many = {"output": np.concatenate([SCORES, SCORES])}
    assert not judged(many, many, "sixteen_bit").startswith("answers undecided")


@pytest.mark.parametrize(
    ("given", "batch_size", "said"),
    [
        (None, 4, "it takes 72 rows with none changed: --limit 72 draws them"),
        (64, 4, "it takes 72 rows with none changed: the inputs have 64, give 8 more"),
        (100, 4, "it takes 72 rows with none changed: --limit 72 takes them"),
        (100, 32, "it takes 72 rows with none changed: --limit 96 takes them"),
        (80, 32, "it takes 72 rows with none changed: the inputs have 80, give 16 more"),
    ],
)
def test_an_undecided_row_says_how_many_rows_it_takes_and_whence(given, batch_size, said):
    supply = Supply(given=given, batch_size=batch_size)
    assert f"; {said}; " in check_outputs(ONE, ONE, compare_outputs(ONE, ONE), "sixteen_bit", supply)
    count = int(said.split()[2])
    for rows, ends in ((count - 1, True), (count, False)):
        some = {"output": np.resize(SCORES, (rows, 5))}
        assert judged(some, some, "sixteen_bit").startswith("answers undecided") == ends


def test_rows_of_several_decisions_are_fewer():
    tags = {"tags": SCORES.reshape(16, 4, 5)}
    assert "it takes 18 rows with none changed" in judged(tags, tags, "sixteen_bit")


def test_the_limit_of_the_outputs_is_that_of_16_bits_where_they_prove_something():
    assert relative_limit(ONE, "sixteen_bit") == 0.1
    assert relative_limit(ONE, "exact") is None
    assert relative_limit({"output": np.ones((4, 3), np.float32)}, "sixteen_bit") is None
