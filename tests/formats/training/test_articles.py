from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from nqperf.errors import FormatError
from nqperf.formats.training.articles import read_qed, read_squad, read_titles
from nqperf.formats.training.state_file import read_arrays, write_arrays
from nqperf.training.articles import qed_examples

TEXT = "one two three. a river is long"


def squad(*labels):
    questions = [["how long", start, end] for start, end in labels]
    return {"title": "T", "paragraphs": [{"text": TEXT, "questions": questions}]}


def qed(*answers):
    return {"title": "T", "question": "how long", "paragraph": TEXT, "answers": answers}


def refusal(read, path, record):
    path.write_text(json.dumps(record))
    with pytest.raises(FormatError) as caught:
        list(read(str(path)))
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


@pytest.mark.parametrize("label", [(8, 3), (4, 4), (-1, 3), (-3, -1), (0, 31), (31, 40), (44, 7), (2**40, 2**41)])
def test_a_label_outside_its_text_is_refused(tmp_path, label):
    for read, record, field in (
        (read_squad, squad((4, 7), label), "paragraphs[0]"),
        (read_qed, qed((4, 7), label), None),
    ):
        error = refusal(read, tmp_path / "a.jsonl", record)
        assert f"the label [{label[0]}, {label[1]}) lies outside its text of 30 characters" in str(error)
        assert (error.line, error.field) == (1, field)


@pytest.mark.parametrize("label", [(3, 7), (4, 8), (14, 15)])
def test_a_label_that_begins_or_ends_with_a_blank_is_refused(tmp_path, label):
    assert "begins or ends with a blank" in str(refusal(read_squad, tmp_path / "a.jsonl", squad(label)))
    assert "begins or ends with a blank" in str(refusal(read_qed, tmp_path / "a.jsonl", qed(label)))


def test_a_label_of_minus_ones_in_qed_is_none(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(qed((-1, -1), (4, 7))).encode()))
    (question,) = read_qed(str(tmp_path / "a.jsonl.gz"))
    assert question.labels() == [(4, 7)]
    (example,) = qed_examples([question], seed=1)
    (span,) = example.annotations[0].short_answers
    assert example.tokens[span.start_token : span.end_token] == ["two"]


def test_articles_that_are_no_articles_are_refused_with_their_place(tmp_path):
    path = tmp_path / "a.jsonl"
    assert refusal(read_squad, path, {"title": 1, "paragraphs": []}).field == "title"
    assert refusal(read_squad, path, squad(("a", 2))).field == "paragraphs[0].questions[0][1]"
    assert "is empty" not in str(refusal(read_titles, path, {"example_id": 7}))
    path.write_bytes(b'{"title": "\xff"}\n')
    with pytest.raises(FormatError, match="line 1, field \\$: is no JSON"):
        list(read_squad(str(path)))
    path.write_bytes(b"\n")
    with pytest.raises(FormatError, match="is empty; expected an article of SQuAD"):
        list(read_squad(str(path)))
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(squad((4, 7))).replace("how", "\\ud83d").encode())
    assert next(read_squad(str(path))).paragraphs[0].questions[0][0] == "\N{REPLACEMENT CHARACTER} long"


def test_a_state_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "state.safetensors"
    write_arrays(path, {"step": np.array(3), "w": np.ones((2, 3), np.float32)})
    assert read_arrays(path, what="a state")["w"].shape == (2, 3)
    content = path.read_bytes()
    for damaged in (b"", content[:20], b"\xff" * 8 + content[8:], content[:-1], content.replace(b"F32", b"F99")):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="expected a state"):
            read_arrays(path, what="a state")
