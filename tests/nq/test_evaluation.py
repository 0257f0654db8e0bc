from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.evaluation import answer_counts, default_non_null_threshold, evaluate
from nqperf.nq.example import NULL_SPAN, Annotation, Prediction, Span
from tests.reference_files import REFERENCE, needs_reference
from tests.references import nq_eval


def read_span(record):
    return Span(
        start_token=record["start_token"],
        end_token=record["end_token"],
        start_byte=record.get("start_byte", -1),
        end_byte=record.get("end_byte", -1),
    )


def read_answers(record):
    spans = [read_span(short) for short in record["short_answers"]]
    return {
        "long_answer": read_span(record["long_answer"]),
        "short_answers": tuple(span for span in spans if not span.is_null),
        "yes_no_answer": record["yes_no_answer"],
    }


def read_reference(gold_name, predictions_name):
    with gzip.open(REFERENCE / gold_name) as file:
        examples = [json.loads(line) for line in file]
    gold = {int(e["example_id"]): [Annotation(**read_answers(a)) for a in e["annotations"]] for e in examples}
    records = json.loads((REFERENCE / predictions_name).read_text())["predictions"]
    predictions = [
        Prediction(
            example_id=int(record["example_id"]),
            long_answer_score=record["long_answer_score"],
            short_answers_score=record["short_answers_score"],
            **read_answers(record),
        )
        for record in records
    ]
    return gold, predictions


@needs_reference
@pytest.mark.parametrize("implementation", [evaluate, nq_eval.evaluate], ids=["evaluate", "slow-reference"])
@pytest.mark.parametrize("non_null_threshold", [1, 2])
def test_five_way_metrics_are_the_official_ones_to_the_last_digit(implementation, non_null_threshold):
    gold, predictions = read_reference("five-way-gold.jsonl.gz", "five-way-predictions.json")
    expected = json.loads((REFERENCE / "five-way-metrics.json").read_text())[str(non_null_threshold)]
    metrics = implementation(gold, predictions, non_null_threshold=non_null_threshold)
    assert json.dumps(metrics) == json.dumps(expected)  # the same names in the same order, 0 and 0.0 told apart


@needs_reference
def test_thesis_metrics_are_the_recorded_ones_to_the_last_digit():
    gold, predictions = read_reference("thesis-examples.jsonl.gz", "thesis-predictions.json")
    expected = json.loads((REFERENCE / "thesis-metrics.json").read_text())
    metrics = evaluate(gold, predictions, non_null_threshold=1)
    assert json.dumps({name: metrics[name] for name in expected}) == json.dumps(expected)


# A few offsets and scores only, so that spans meet, miss by one unit and tie.
bounds = st.sampled_from([(-1, -1), (1, 2), (1, 3), (2, 3)])
maybe_null = st.builds(
    lambda tokens, offsets: Span(
        start_token=tokens[0], end_token=tokens[1], start_byte=offsets[0], end_byte=offsets[1]
    ),
    bounds,
    bounds,
)
spans = maybe_null.filter(lambda span: not span.is_null)
shorts = st.tuples(st.lists(spans, max_size=3).map(tuple), st.just("NONE")) | st.tuples(
    st.just(()), st.sampled_from(["YES", "NO"])
)
annotations = st.builds(
    lambda long, short: Annotation(long_answer=long, short_answers=short[0], yes_no_answer=short[1]), maybe_null, shorts
)
scores = st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 0.1, 2.0, math.inf]) | st.floats(allow_nan=False)
answers = st.builds(
    lambda long, long_score, short, short_score, null: Prediction(
        example_id=0,
        long_answer=long,
        long_answer_score=long_score,
        short_answers=short[0] + null,
        short_answers_score=short_score,
        yes_no_answer=short[1],
    ),
    maybe_null,
    scores,
    shorts,
    scores,
    st.sampled_from([(), (NULL_SPAN,)]),
)


@st.composite
def evaluations(draw):
    pairs = draw(st.lists(st.tuples(st.lists(annotations, max_size=5), answers), min_size=1, max_size=12))
    most = max(len(labels) for labels, _ in pairs)
    if not most:
        pairs[0] = ([draw(annotations)], pairs[0][1])
    gold = {10 * row - 3: labels for row, (labels, _) in enumerate(pairs)}
    predictions = [replace(answer, example_id=10 * row - 3) for row, (_, answer) in enumerate(pairs)]
    return gold, predictions, draw(st.integers(1, max(most, 1)))


@given(evaluations())
def test_equal_to_the_slow_reference(drawn):
    gold, predictions, non_null_threshold = drawn
    metrics = evaluate(gold, predictions, non_null_threshold=non_null_threshold)
    event(f"something is right: {metrics['all-answer-f1'] > 0}")
    expected = nq_eval.evaluate(gold, predictions, non_null_threshold=non_null_threshold)
    assert metrics == expected
    assert list(metrics) == list(expected)
    assert [type(value) for value in metrics.values()] == [type(value) for value in expected.values()]


@given(evaluations())
def test_the_counts_of_examples_add_up_to_the_score(drawn):
    gold, predictions, non_null_threshold = drawn
    metrics = evaluate(gold, predictions, non_null_threshold=non_null_threshold)
    counts = answer_counts(gold, predictions[::-1], non_null_threshold=non_null_threshold)
    assert counts.shape == (len(gold), 3)
    right, given, wanted = counts.sum(axis=0).tolist()
    assert metrics["all-answer-precision"] == (right / given if given else 0)
    assert metrics["all-answer-recall"] == (right / wanted if wanted else 0)
    for example_id, row in zip(gold, counts.tolist(), strict=True):
        own = [one for one in predictions if one.example_id == example_id]
        assert row[1] == (not own[0].long_answer.is_null) + (
            own[0].yes_no_answer != "NONE" or not all(span.is_null for span in own[0].short_answers)
        )


@given(evaluations(), st.randoms(use_true_random=False))
def test_the_order_of_both_sides_does_not_matter(drawn, random):
    gold, predictions, non_null_threshold = drawn
    metrics = evaluate(gold, predictions, non_null_threshold=non_null_threshold)
    shuffled_gold, shuffled_predictions = list(gold.items()), list(predictions)
    random.shuffle(shuffled_gold)
    random.shuffle(shuffled_predictions)
    again = evaluate(dict(shuffled_gold), shuffled_predictions, non_null_threshold=non_null_threshold)
    assert repr(again) == repr(metrics)  # repr tells 0.0 from -0.0


LONG = Span(start_token=4, end_token=20, start_byte=40, end_byte=200)
SHORT = Span(start_token=5, end_token=6, start_byte=50, end_byte=60)


def make_annotation(**changed):
    return Annotation(**{"long_answer": LONG, "short_answers": (SHORT,), "yes_no_answer": "NONE", **changed})


def make_prediction(example_id=1, **changed):
    fields = {"long_answer": LONG, "long_answer_score": 2.0, "short_answers": (SHORT,), "short_answers_score": 3.0}
    return Prediction(example_id=example_id, **{**fields, **changed})


def test_perfect_answers_score_one():
    metrics = evaluate({1: [make_annotation()]}, [make_prediction()], non_null_threshold=1)
    assert metrics["all-answer-f1"] == metrics["long-best-threshold-f1"] == 1.0
    assert metrics["all-answer-n"] == 2
    assert (metrics["long-best-threshold"], metrics["short-best-threshold"]) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("predicted", "right"),
    [
        (Span(start_token=4, end_token=20), True),
        (Span(start_token=-1, end_token=-1, start_byte=40, end_byte=200), True),
        (Span(start_token=4, end_token=21, start_byte=40, end_byte=200), True),
        (
            Span(start_token=4, end_token=20, start_byte=40, end_byte=201),
            True,
        ),  # the official script falls back on tokens
        (Span(start_token=4, end_token=21), False),
        (Span(start_token=-1, end_token=-1, start_byte=41, end_byte=200), False),
        (NULL_SPAN, False),
    ],
)
def test_spans_are_equal_in_bytes_or_in_tokens(predicted, right):
    metrics = evaluate({1: [make_annotation()]}, [make_prediction(long_answer=predicted)], non_null_threshold=1)
    assert metrics["long-answer-recall"] == right


def test_a_threshold_counts_all_predictions_of_its_score():
    gold = {number: [make_annotation()] for number in range(4)}
    wrong = Span(start_token=1, end_token=2)
    predictions = [
        make_prediction(0, long_answer_score=9.0),
        make_prediction(1, long_answer_score=5.0, long_answer=wrong),
        make_prediction(2, long_answer_score=5.0),
        make_prediction(3, long_answer_score=5.0, long_answer=wrong),
    ]
    metrics = evaluate(gold, predictions, non_null_threshold=1)
    assert metrics["long-recall-at-precision>=0.5"] == 0.5
    assert metrics["long-precision-at-precision>=0.5"] == 0.5
    assert metrics["long-recall-at-precision>=0.75"] == 0.25


def test_minus_zero_and_zero_are_one_threshold():
    gold = {number: [make_annotation()] for number in (1, 2)}
    predictions = [make_prediction(1, long_answer_score=0.0), make_prediction(2, long_answer_score=-0.0)]
    metrics = evaluate(gold, predictions, non_null_threshold=1)
    assert repr(metrics["long-best-threshold"]) == "0.0"
    assert metrics["long-best-threshold-recall"] == 1.0


GOLD = {1: [make_annotation()], 2: [make_annotation()]}
BOTH = [make_prediction(1), make_prediction(2)]


@pytest.mark.parametrize(
    ("gold", "predictions", "threshold", "said"),
    [
        ({}, [], 1, "nothing to evaluate: got 0 gold examples and 0 predictions; check"),
        (GOLD, BOTH[:1], 1, r"differ: 1 only in the gold \(2\); expected the same ids .*: evaluate against"),
        (GOLD, [], 1, r"differ: 2 only in the gold \(1, 2\); expected"),
        ({}, BOTH, 1, r"differ: 2 only in the predictions \(1, 2\); expected"),
        (
            GOLD,
            [make_prediction(n) for n in (1, 9, 8, 7, 6)],
            1,
            r"1 only in the gold \(2\) and 4 only in the predictions \(6, 7, 8, \.\.\.\); expected",
        ),
        (GOLD, [*BOTH, BOTH[0]], 1, "1 of 3 predictions repeat an example id; expected one .*: drop"),
        (GOLD, BOTH, 0, "non_null_threshold is 0, and no gold .* more than 1 annotations; expected 1 for gold by one"),
        (GOLD, BOTH, 2, "non_null_threshold is 2, and no gold example has more than 1 annotations; expected"),
        ({1: [], 2: []}, BOTH, 1, "no gold example has more than 0 annotations; expected"),
        (
            GOLD,
            [BOTH[0], make_prediction(2, yes_no_answer="YES")],
            1,
            r"1 predictions give yes/no together with short answers \(example ids 2\); expected .*: drop one",
        ),
        (
            GOLD,
            [BOTH[0], make_prediction(2, long_answer_score=math.nan)],
            1,
            r"long_answer_score is NaN in 1 predictions \(example ids 2\); expected numbers: check",
        ),
        (GOLD, [BOTH[0], make_prediction(2, short_answers_score=math.nan)], 1, "short_answers_score is NaN"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(gold, predictions, threshold, said):
    with pytest.raises(ConfigError, match=said) as caught:
        evaluate(gold, predictions, non_null_threshold=threshold)
    assert "\n" not in str(caught.value)


def test_two_of_several_annotators_must_agree_and_the_only_one_alone():
    one = Annotation(long_answer=NULL_SPAN, short_answers=(), yes_no_answer="NONE")
    assert default_non_null_threshold([(one,), (one,)]) == 1
    assert default_non_null_threshold([(one,) * 2, (one,) * 5]) == 2
    assert default_non_null_threshold([(one,), (one,) * 5]) == 1
