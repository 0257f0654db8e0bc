from dataclasses import replace

import numpy as np
import pytest

from nqperf.nq.example import NULL_SPAN, Candidates, Prediction, Span


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start_token": -1, "end_token": 3}, "half-null"),
        ({"start_token": 3, "end_token": -1}, "half-null"),
        ({"start_token": 3, "end_token": 2}, "ends before it starts"),
        ({"start_token": 1, "end_token": 2, "start_byte": 5, "end_byte": -1}, "start_byte 5"),
        ({"start_token": 1, "end_token": 2, "start_byte": 5, "end_byte": 4}, "ends before it starts"),
    ],
)
def test_a_span_that_contradicts_itself_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Span(**fields)


def test_a_span_is_null_without_tokens_and_bytes():
    assert NULL_SPAN.is_null
    assert not Span(start_token=-1, end_token=-1, start_byte=0, end_byte=4).is_null


def test_the_top_level_candidates_keep_their_order():
    candidates = Candidates(
        start_token=np.array([0, 1, 5], np.int32),
        end_token=np.array([9, 4, 8], np.int32),
        top_level=np.array([True, False, True]),
    )
    top = candidates.top()
    assert (top.start_token.tolist(), top.end_token.tolist(), top.top_level.tolist()) == ([0, 5], [9, 8], [True, True])


def test_predictions_agree_by_their_answers_and_not_by_their_scores():
    one = Prediction(
        example_id=1, long_answer=NULL_SPAN, long_answer_score=1.0, short_answers=(), short_answers_score=2.0
    )
    assert one.agrees(replace(one, long_answer_score=3.0, short_answers_score=4.0))
    span = Span(start_token=1, end_token=2)
    for change in ({"long_answer": span}, {"short_answers": (span,)}, {"yes_no_answer": "YES"}):
        assert not one.agrees(replace(one, **change))
