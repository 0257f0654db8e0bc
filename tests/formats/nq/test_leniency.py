"""Predictions and gold are read as leniently as nq_eval reads them, and scored number for number."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.nq.example import NULL_SPAN, Annotation, Prediction, Span
from nqperf.nq.scoring import Thresholds, score
from tests.references import nq_eval

CASES = Path(__file__).with_name("cases") / "predictions"
NULL = {"start_token": -1, "end_token": -1, "start_byte": -1, "end_byte": -1}


def scored(gold, predictions, **asked):
    reader = NqReader(source=str(gold))
    annotations = dict(reader.gold())
    found = read_predictions(predictions)
    return score(annotations, found, thresholds=Thresholds(**asked), unannotated=reader.unannotated)


@pytest.mark.parametrize(
    ("name", "long", "short"),
    [
        ("no_long", 1.0, 0.857),
        ("no_short", 0.857, 1.0),
        ("no_yes_no", 0.857, 0.571),
    ],
)
def test_a_missing_answer_is_null(name, long, short):
    metrics = scored(CASES / "gold.jsonl.gz", CASES / f"{name}.json", both=2).metrics
    assert (round(metrics["long-answer-f1"], 3), round(metrics["short-answer-f1"], 3)) == (long, short)


def test_a_byte_order_mark_is_no_matter():
    assert read_predictions(CASES / "bom.json") == read_predictions(CASES / "base.json")


def span(record):
    return NULL_SPAN if max(record.values()) < 0 else Span(**{name: int(value) for name, value in record.items()})


SPANS = st.sampled_from(
    [
        NULL,
        {**NULL, "start_token": -4, "end_byte": -2},
        *(
            {"start_token": start, "end_token": start + 2, "start_byte": byte * start, "end_byte": byte * (start + 2)}
            for start in (1, 2, 3)
            for byte in (7, -1)
        ),
        {**NULL, "start_byte": 7, "end_byte": 21},
    ]
)
SCORES = st.sampled_from([-math.inf, -2, -0.0, 0, 0.5, 1, 1.0, 7.25, math.inf])
WORDS = st.sampled_from(["NONE", "none", "YES", "yes", "No"])
ANNOTATIONS = st.fixed_dictionaries(
    {"long_answer": SPANS, "short_answers": st.lists(SPANS, max_size=2), "yes_no_answer": WORDS}
)
ROWS = st.fixed_dictionaries(
    {"long_answer_score": SCORES, "short_answers_score": SCORES},
    optional={"long_answer": SPANS, "short_answers": st.lists(SPANS, max_size=3), "yes_no_answer": WORDS},
).filter(
    lambda row: (
        row.get("yes_no_answer", "none").lower() == "none" or not any(map(given_span, row["short_answers"]))
        if "short_answers" in row
        else True
    )
)


def given_span(record):
    return max(record.values()) >= 0


@st.composite
def evaluations(draw):
    """Draw annotations and predictions of some examples as their files have them, and two thresholds."""
    annotators = draw(st.integers(1, 4))
    gold = [
        {"example_id": number, "annotations": draw(st.lists(ANNOTATIONS, min_size=annotators, max_size=annotators))}
        for number in range(draw(st.integers(1, 6)))
    ]
    rows = [{"example_id": one["example_id"], **draw(ROWS)} for one in gold]
    again = draw(st.lists(st.sampled_from(rows).map(lambda row: {**row, "long_answer_score": 3}), max_size=1))
    return gold, draw(st.permutations(rows)) + again, draw(st.integers(1, annotators)), draw(st.integers(1, annotators))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(evaluations())
def test_every_figure_is_that_of_a_reader_who_takes_the_files_as_nq_eval_does(tmp_path, drawn):
    gold, rows, long, short = drawn
    (tmp_path / "gold.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, gold)).encode()))
    (tmp_path / "predictions.json").write_text(json.dumps({"predictions": rows}))
    annotations = {
        one["example_id"]: [
            Annotation(
                long_answer=span(said["long_answer"]),
                short_answers=tuple(span(each) for each in said["short_answers"] if given_span(each)),
                yes_no_answer=said["yes_no_answer"].upper(),
            )
            for said in one["annotations"]
        ]
        for one in gold
    }
    last = {row["example_id"]: row for row in rows}
    predictions = [
        Prediction(
            example_id=identifier,
            long_answer=span(row.get("long_answer", NULL)),
            long_answer_score=row["long_answer_score"],
            short_answers=tuple(span(each) for each in row.get("short_answers", [])),
            short_answers_score=row["short_answers_score"],
            yes_no_answer=row.get("yes_no_answer", "NONE").upper(),
        )
        for identifier, row in last.items()
    ]
    expected = nq_eval.evaluate(annotations, predictions, non_null_threshold=long, short_non_null_threshold=short)
    found = scored(tmp_path / "gold.jsonl.gz", tmp_path / "predictions.json", long=long, short=short)
    assert found.metrics == expected
    assert found.figures()["short-non-null-threshold"] == short


def test_gold_of_some_annotators_and_of_many_says_what_an_answer_takes(tmp_path):
    path = Path(__file__).with_name("cases") / "data" / "mixed_counts.jsonl"
    gold = dict(NqReader(source=str(path)).gold())
    rows = [
        {
            "example_id": identifier,
            "long_answer": {**NULL, "start_token": 0, "end_token": 12},
            "long_answer_score": 5,
            "short_answers": [{**NULL, "start_token": 5, "end_token": 7}],
            "short_answers_score": 5,
        }
        for identifier in gold
    ]
    (tmp_path / "p.json").write_text(json.dumps({"predictions": rows}))
    found = scored(path, tmp_path / "p.json")
    assert (found.thresholds.long, found.thresholds.short) == (1, 1)
    assert found.metrics["all-answer-f1"] == 1.0
    counts = ", ".join(f"{examples} with {number}" for number, examples in found.annotators.items())
    (note,) = found.notes()
    assert note.startswith(f"examples have different numbers of annotators ({counts}); an answer counts where 1 gave")
    assert scored(path, tmp_path / "p.json", both=2).metrics["all-answer-f1"] < 0.5


def test_examples_without_annotations_are_left_out_and_said(tmp_path):
    path = Path(__file__).with_name("cases") / "data" / "mixed_annotations.jsonl"
    rows = [{"example_id": number, "long_answer_score": 0, "short_answers_score": 0} for number in (7, 8, 9)]
    (tmp_path / "p.json").write_text(json.dumps({"predictions": rows}))
    found = scored(path, tmp_path / "p.json")
    assert (found.examples, found.annotated, found.metrics["long-answer-n"]) == (3, 1, 1)
    assert found.notes() == ["the score is of 1 of 3 examples: 2 have no annotations"]
