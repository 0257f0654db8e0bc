from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nqperf.errors import FormatError
from nqperf.formats.nq.predictions_json import read_predictions, write_predictions
from nqperf.nq.example import NULL_SPAN, Prediction, Span
from tests.reference_files import REFERENCE, needs_reference

NULL = {"start_token": -1, "end_token": -1, "start_byte": -1, "end_byte": -1}
SPAN = {"start_token": 3, "end_token": 9, "start_byte": -1, "end_byte": -1}


def make_row(**changed):
    row = {
        "example_id": 7,
        "long_answer": SPAN,
        "long_answer_score": 3.5,
        "short_answers": [SPAN],
        "short_answers_score": 9.25,
        "yes_no_answer": "NONE",
    }
    return {key: value for key, value in {**row, **changed}.items() if value is not ...}


def make_prediction(**changed):
    fields = {
        "example_id": 7,
        "long_answer": NULL_SPAN,
        "long_answer_score": -10000.0,
        "short_answers": (),
        "short_answers_score": -10000.0,
    }
    return Prediction(**{**fields, **changed})


def read_rows(tmp_path, *rows):
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps({"predictions": list(rows)}))
    return read_predictions(path)


offsets = st.integers(0, 2**31 - 2)
bounds = st.tuples(offsets, offsets).map(lambda pair: (min(pair), max(pair) + 1))
nulls = st.just((-1, -1))
spans = (
    st.tuples(bounds | nulls, bounds | nulls)
    .filter(lambda pair: pair != ((-1, -1), (-1, -1)))
    .map(lambda p: Span(start_token=p[0][0], end_token=p[0][1], start_byte=p[1][0], end_byte=p[1][1]))
)
scores = st.floats(allow_nan=False, allow_infinity=False)
predictions = st.builds(
    lambda short, **fields: Prediction(short_answers=short[0], yes_no_answer=short[1], **fields),
    short=st.tuples(st.lists(spans, max_size=3).map(tuple), st.just("NONE"))
    | st.tuples(st.just(()), st.sampled_from(["YES", "NO"])),
    example_id=st.integers(-(2**63), 2**63 - 1),
    long_answer=spans | st.just(NULL_SPAN),
    long_answer_score=scores,
    short_answers_score=scores,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(predictions, max_size=5, unique_by=lambda p: p.example_id))
def test_what_is_written_is_read_back_in_ascending_order(tmp_path, written):
    path = tmp_path / "predictions.json"
    write_predictions(path, written)
    assert read_predictions(path) == sorted(written, key=lambda p: p.example_id)
    assert [p.name for p in tmp_path.iterdir()] == ["predictions.json"]


def test_null_answers_are_written_as_spans_of_minus_one(tmp_path):
    path = tmp_path / "predictions.json"
    write_predictions(path, [make_prediction()])
    (row,) = json.loads(path.read_text())["predictions"]
    assert row == {
        "example_id": 7,
        "long_answer": NULL,
        "long_answer_score": -10000.0,
        "short_answers": [NULL],
        "short_answers_score": -10000.0,
        "yes_no_answer": "NONE",
    }


@needs_reference
def test_the_reference_file_is_written_back_with_the_same_values(tmp_path):
    reference = REFERENCE / "thesis-predictions.json"
    write_predictions(tmp_path / "again.json", read_predictions(reference))
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(reference.read_text())


def test_other_spellings_of_the_same_answer_are_read(tmp_path):
    (plain,) = read_rows(tmp_path, make_row(short_answers=[], yes_no_answer="YES"))
    assert read_rows(
        tmp_path, make_row(example_id="7", short_answers=[NULL], yes_no_answer="yes", long_answer_score=3.5, extra=[1])
    ) == [plain]
    negative = {"start_token": -5, "end_token": -5, "start_byte": -2, "end_byte": -2}
    assert read_rows(tmp_path, make_row(long_answer=negative))[0].long_answer == NULL_SPAN


FAULTY_ROWS = {
    "half-null tokens": (make_row(long_answer={**NULL, "end_token": 4}), "predictions[0].long_answer", "half-null"),
    "half-null bytes": (
        make_row(short_answers=[{**SPAN, "start_byte": 4}]),
        "predictions[0].short_answers[",
        "half-null",
    ),
    "empty span": (make_row(long_answer={**NULL, "start_token": 4, "end_token": 4}), "[0].long_answer", "empty span"),
    "backwards": (make_row(long_answer={**NULL, "start_token": 4, "end_token": 3}), "[0].long_answer", "ends before"),
    "offset too large": (
        make_row(long_answer={**SPAN, "end_token": 2**63}),
        "long_answer.end_token",
        "9223372036854775807",
    ),
    "token is text": (make_row(long_answer={**SPAN, "end_token": "9"}), "long_answer.end_token", "Expected `int`"),
    "score is text": (make_row(long_answer_score="3.5"), "predictions[0].long_answer_score", "Expected `float`"),
    "score is null": (make_row(short_answers_score=None), "predictions[0].short_answers_score", "Expected `float`"),
    "yes/no is a number": (make_row(yes_no_answer=1), "predictions[0].yes_no_answer", "Expected `str`"),
    "yes/no is unknown": (make_row(yes_no_answer="maybe"), "predictions[0]", "YES, NO or NONE"),
    "yes/no and spans": (make_row(yes_no_answer="yes"), "predictions[0]", "together with 1 short_answers"),
    "id is text": (make_row(example_id="seven"), "predictions[0].example_id", "matching regex"),
    "id is a fraction": (make_row(example_id=7.5), "predictions[0].example_id", "got `float`"),
    "id is too large": (make_row(example_id=2**63), "predictions[0]", "64-bit"),
    "id text is too large": (make_row(example_id=str(2**63)), "predictions[0]", "64-bit"),
    "a score of NaN": (make_row(long_answer_score=math.nan), "predictions[0]", "expected numbers"),
    "no score": (make_row(short_answers_score=...), "predictions[0]", "missing required field `short_answers_score`"),
    "no byte": (make_row(long_answer={"start_token": 1, "end_token": 2}), "[0].long_answer", "field `start_byte`"),
}


@pytest.mark.parametrize(("row", "field", "said"), FAULTY_ROWS.values(), ids=FAULTY_ROWS.keys())
def test_a_faulty_prediction_is_refused_with_its_place(tmp_path, row, field, said):
    with pytest.raises(FormatError) as caught:
        read_rows(tmp_path, row)
    message = str(caught.value)
    assert field in message
    assert said in message
    assert message.startswith(str(tmp_path / "predictions.json"))
    assert "; expected" in message
    assert "correct the field" in message
    assert "\n" not in message


def test_of_an_example_answered_twice_the_last_answer_counts_and_that_is_said(tmp_path, caplog):
    (found,) = read_rows(tmp_path, make_row(), make_row(example_id="7", long_answer_score=4.5))
    assert found.long_answer_score == 4.5
    assert "1 of 2 predictions are for an example that has a later one, as example 7" in caplog.text


def test_what_nq_eval_does_without_may_be_missing(tmp_path):
    (found,) = read_rows(tmp_path, make_row(long_answer=..., short_answers=..., yes_no_answer=...))
    assert (found.long_answer, found.short_answers, found.yes_no_answer) == (NULL_SPAN, (), "NONE")


def test_numbers_of_python_that_json_has_not_are_read(tmp_path):
    path = tmp_path / "predictions.json"
    text = json.dumps({"predictions": [make_row(long_answer_score=-math.inf, short_answers_score=0)]})
    path.write_text(text.replace('"start_token": 1', '"start_token": 1.0').replace('_score": 0', '_score": 1e999'))
    (found,) = read_predictions(path)
    assert (found.long_answer_score, found.short_answers_score) == (-math.inf, math.inf)
    assert found == read_rows(tmp_path, make_row(long_answer_score=-math.inf, short_answers_score=math.inf))[0]


def test_a_byte_order_mark_and_half_a_surrogate_pair_are_no_matter(tmp_path):
    path = tmp_path / "predictions.json"
    content = json.dumps({"by": "a\ud83d", "predictions": [make_row()]}).encode()
    path.write_bytes(b"\xef\xbb\xbf" + content)
    assert read_predictions(path) == read_rows(tmp_path, make_row())


FAULTY_FILES = {
    "empty": (b"", "truncated"),
    "truncated": (json.dumps({"predictions": [make_row()]}).encode()[:-3], "truncated"),
    "a list": (b"[]", "Expected `object`"),
    "no predictions": (b"{}", "missing required field `predictions`"),
    "not UTF-8": (b'{"predictions": [], "by": "\xff"}', "is not UTF-8 (byte 27"),
    "a second value": (b'{"predictions": []}{}', "trailing characters"),
    "nested deeply": (b'{"predictions": [], "by": ' + b"[" * 100_000, "nested too deeply"),
    "a huge id": (b'{"predictions": [{"example_id": ' + b"9" * 5000 + b"}]}", "out of range"),
    "another constant": (b'{"predictions": [{"long_answer_score": Nan}]}', "malformed"),
    "UTF-16": ('{"predictions": []}'.encode("utf-16"), "is not UTF-8 but UTF-16"),
}


@pytest.mark.parametrize(("content", "said"), FAULTY_FILES.values(), ids=FAULTY_FILES.keys())
def test_what_is_no_predictions_file_is_refused(tmp_path, content, said):
    path = tmp_path / "predictions.json"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_predictions(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "write the file again" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"none\.json: no such file; expected a predictions file: check the path"):
        read_predictions(tmp_path / "none.json")


def small_file():
    rows = [make_row(), make_row(example_id="-12", short_answers=[NULL], yes_no_answer="NO", long_answer_score=-1e4)]
    return json.dumps({"predictions": rows}).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(place=st.integers(0, len(small_file()) - 1), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_is_refused_or_read_never_anything_else(tmp_path, place, value, cut):
    content = bytearray(small_file())
    content[place] = value
    path = tmp_path / "predictions.json"
    path.write_bytes(content[:place] if cut else content)
    try:
        read = read_predictions(path)
    except FormatError as error:
        assert error.path == str(path)  # noqa: PT017 - either end is right
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        assert not cut
        if all(math.isfinite(one.long_answer_score + one.short_answers_score) for one in read):
            write_predictions(path, read)
        assert read_predictions(path) == sorted(read, key=lambda p: p.example_id)


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        ([make_prediction(), make_prediction()], "two predictions for example 7"),
        ([make_prediction(long_answer_score=float("nan"))], "example 7 has long_answer_score nan"),
        ([make_prediction(short_answers_score=float("inf"))], "short_answers_score inf"),
        ([make_prediction(short_answers=(Span(start_token=1, end_token=2),), yes_no_answer="YES")], "YES together"),
    ],
    ids=["twice", "nan", "infinite", "yes/no and spans"],
)
def test_predictions_that_cannot_be_read_back_are_not_written(tmp_path, predictions, said):
    path = tmp_path / "predictions.json"
    path.write_text("as before")
    with pytest.raises(FormatError, match=said) as caught:
        write_predictions(path, predictions)
    assert str(caught.value).startswith(str(path))
    assert "not written" in str(caught.value)
    assert "; expected" in str(caught.value)
    assert path.read_text() == "as before"
    assert len(list(tmp_path.iterdir())) == 1
