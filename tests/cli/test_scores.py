import pytest

from nqperf.cli.scores import scores_table
from nqperf.nq.evaluation import NonNullThresholds, evaluate
from nqperf.nq.example import NULL_SPAN, Annotation, Prediction, Span

GOLD = Span(start_token=3, end_token=9)
WRONG = Span(start_token=1, end_token=2)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, True),
        ({"short_answers": (NULL_SPAN,)}, True),
        ({"long_answer": GOLD}, False),
        ({"long_answer": WRONG}, False),
        ({"short_answers": (WRONG,)}, False),
    ],
)
def test_a_score_of_no_answers_at_all_says_so(answer, told):
    """An F1 of 0 of wrong answers is another thing than that of a model whose scores are below its thresholds."""
    given = {"long_answer": NULL_SPAN, "short_answers": (), **answer}
    prediction = Prediction(example_id=1, long_answer_score=1.0, short_answers_score=1.0, **given)
    gold = {1: [Annotation(long_answer=GOLD, short_answers=(), yes_no_answer="NONE")]}
    table = scores_table(evaluate(gold, [prediction], non_null_threshold=1), NonNullThresholds.of(1))
    assert ("no prediction gives an answer" in table) == told
