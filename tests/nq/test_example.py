import pytest

from nqperf.nq.example import NULL_SPAN, Annotation, Span


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


def test_yes_or_no_beside_short_answers_is_refused():
    with pytest.raises(ValueError, match="YES together with 1 short"):
        Annotation(long_answer=NULL_SPAN, short_answers=(Span(start_token=1, end_token=2),), yes_no_answer="YES")
