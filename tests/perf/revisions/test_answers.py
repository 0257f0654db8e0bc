"""Answers of two revisions: scored by this tool, exact rows exactly, other shapes and other examples in one line."""

import copy

import numpy as np
import pytest

from nqperf.errors import ParityError
from nqperf.formats.nq.jsonl import NqReader
from nqperf.nq.example import Prediction, Span
from nqperf.perf.revisions.answers import SamePredictions, equal_values
from nqperf.perf.revisions.side_rows import plain_prediction
from tests.documents import river_examples, write_lines


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    data = write_lines(tmp_path_factory.mktemp("answers") / "rivers.jsonl", river_examples(5))
    return tuple(NqReader(source=str(data)).examples())


@pytest.fixture
def right(examples):
    """Return what a side answers that says what the first annotator does."""
    predictions = [
        Prediction(
            example_id=one.example_id,
            long_answer=one.annotations[0].long_answer,
            long_answer_score=5.0,
            short_answers=one.annotations[0].short_answers[:1],
            short_answers_score=5.0,
        )
        for one in examples
    ]
    return {
        "predictions": [plain_prediction(one) for one in predictions],
        "logits": {"start_logits": np.ones((7, 16), np.float32)},
    }


def other(answers, **first):
    changed = copy.deepcopy(answers)
    changed["predictions"][0] |= first
    return changed


def test_the_same_answers_are_the_same(examples, right):
    agreed, fault, note = SamePredictions(examples=examples, tolerance="exact")(right, copy.deepcopy(right))
    assert (agreed.changed, agreed.compared, fault, note) == (0, 5, None, None)
    assert agreed.value == agreed.baseline_value > 0


def test_one_changed_answer_fails_an_exact_row_with_its_words(examples, right):
    same = SamePredictions(examples=examples, tolerance="exact")
    agreed, fault, _ = same(right, other(right, short_answers=[(1, 2)]))
    assert agreed.changed == 1
    assert "1 of 5 predictions changed" in fault
    assert agreed.differences[0].subject == examples[0].question


def test_scores_may_be_others_and_logits_within_rounding(examples, right):
    same = SamePredictions(examples=examples, tolerance="exact")
    assert same(right, other(right, long_score=4.0))[1] is None
    moved = {**right, "logits": {"start_logits": np.full((7, 16), 1.0002, np.float32)}}
    assert same(right, moved)[1] is None
    moved["logits"]["start_logits"][3, 3] = 1.1
    assert "logits differ by up to 0.1" in same(right, moved)[1]
    moved["logits"]["start_logits"][3, 3] = np.nan
    assert "logits differ by up to nan" in same(right, moved)[1]


def test_few_changed_answers_of_a_narrow_row_are_undecided_and_none_hold(examples, right):
    same = SamePredictions(examples=examples, tolerance="sixteen_bit")
    assert same(right, copy.deepcopy(right))[1:] == (None, None)
    _, fault, note = same(right, other(right, short_answers=[(1, 2)]))
    assert fault is None
    assert note.startswith("answers undecided: 1 of 5")
    wrong = copy.deepcopy(right)
    for one in wrong["predictions"]:
        one |= {"long_answer": (-1, -1), "short_answers": []}
    assert "4 of 5 predictions changed, micro-F1 0.0000" in same(right, wrong)[1]


def test_other_shapes_and_other_counts_are_said_in_a_line(examples, right):
    same = SamePredictions(examples=examples, tolerance="exact")
    longer = {**right, "logits": {"start_logits": np.ones((7, 32), np.float32)}}
    assert same(right, longer)[1] == (
        "outputs of other shapes: start_logits [7, 16] and [7, 32]; expected the same in both"
    )
    fewer = {**right, "predictions": right["predictions"][:3]}
    assert "5 examples of the base and 3 of the change" in same(right, fewer)[1]


@pytest.mark.parametrize(
    "answers",
    [{}, {"predictions": [1], "logits": {}}, {"predictions": [], "logits": {}}, {"predictions": [{}], "logits": {}}],
    ids=str,
)
def test_answers_of_another_form_are_refused(examples, right, answers):
    with pytest.raises(ParityError, match="answers"):
        SamePredictions(examples=examples, tolerance="exact")(answers, right)


def test_stages_are_compared_bit_for_bit():
    base = {"input_ids": np.arange(6, dtype=np.int32)}
    assert equal_values(base, copy.deepcopy(base))[1] is None
    assert "1 of 6 values differ" in equal_values(base, {"input_ids": np.array([0, 1, 2, 3, 4, 6], np.int32)})[1]
    assert "differ" in equal_values(["a", "b"], ["a", "c"])[1]
    assert "differ" in equal_values(base, {"input_ids": np.arange(7, dtype=np.int32)})[1]


def test_spans_are_null_or_whole():
    span = Span(start_token=2, end_token=5)
    one = Prediction(example_id=1, long_answer=span, long_answer_score=1.0, short_answers=(), short_answers_score=0.0)
    assert plain_prediction(one)["long_answer"] == (2, 5)
