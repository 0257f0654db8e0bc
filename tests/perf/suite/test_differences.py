import dataclasses

import numpy as np

from nqperf.nq.example import NULL_SPAN, Candidates, Example, Prediction, Span
from nqperf.perf.suite.differences import difference, span_text

TOKENS = ["<P>", "Hello", "wide", "world", ".", "</P>", *(f"word{number}" for number in range(40))]
EXAMPLE = Example(
    example_id=7,
    question="who says hello",
    tokens=TOKENS,
    is_html=np.array([token.startswith("<") for token in TOKENS]),
    candidates=Candidates(
        start_token=np.array([0], np.int32), end_token=np.array([6], np.int32), top_level=np.array([True])
    ),
)
PREDICTION = Prediction(
    example_id=7,
    long_answer=Span(start_token=0, end_token=6),
    long_answer_score=4.0,
    short_answers=(Span(start_token=2, end_token=4),),
    short_answers_score=4.0,
)


def test_both_answers_are_told_with_their_spans_and_words():
    nothing = dataclasses.replace(PREDICTION, long_answer=NULL_SPAN, short_answers=())
    found = difference(EXAMPLE, PREDICTION, nothing)
    assert found.subject == "who says hello"
    assert found.baseline == "long [0, 6) “Hello wide world .”; short [2, 4) “wide world”"
    assert found.variant == "no answer"


def test_yes_and_no_are_answers():
    yes = dataclasses.replace(PREDICTION, short_answers=(), yes_no_answer="YES")
    assert difference(EXAMPLE, PREDICTION, yes).variant == "long [0, 6) “Hello wide world .”; YES"


def test_of_a_long_span_the_ends_are_told():
    text = span_text(EXAMPLE, Span(start_token=6, end_token=46))
    assert text.startswith("[6, 46) “word0 word1 ")
    assert text.endswith(" word38 word39”")
    assert len(text.split()) == 2 + 24 + 1
