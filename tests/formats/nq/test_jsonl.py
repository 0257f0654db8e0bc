import gzip
import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.nq.chunks import LinesSource
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.nq.example import NULL_SPAN, Span
from tests.documents import Page, annotation, original, river_examples, river_page, simplified, write_lines

LAYOUTS = pytest.mark.parametrize("layout", [simplified, original])


def read(path, *, what="examples", **selection):
    return list(getattr(NqReader(source=str(path), selection=Selection(**selection)), what)())


def ids_of(path, **selection):
    return [example.example_id for example in read(path, **selection)]


def failure(path, *, what="examples", **selection):
    with pytest.raises(FormatError) as caught:
        read(path, what=what, **selection)
    return caught.value


@pytest.mark.parametrize("name", ["one.jsonl", "one.jsonl.gz", "one.txt", "one.gz"])
@LAYOUTS
def test_both_layouts_hold_the_same_example(tmp_path, layout, name):
    page = river_page()
    said = [annotation(page, candidate=4, short=["Ada Quill"])]
    path = write_lines(tmp_path / name, [layout(page, example_id=-7, question="who", annotations=said)])
    (example,) = read(path)
    assert (example.example_id, example.question, example.tokens) == (-7, "who", page.tokens)
    assert example.is_html.tolist() == [token.startswith("<") for token in page.tokens]
    expected = [(one["start_token"], one["end_token"], one["top_level"]) for one in page.candidates]
    candidates = example.candidates
    assert list(zip(candidates.start_token, candidates.end_token, candidates.top_level, strict=True)) == expected
    (annotated,) = example.annotations
    start = page.tokens.index("Ada")
    assert annotated.short_answers == (Span(start_token=start, end_token=start + 2),)
    assert (annotated.candidate_index, annotated.long_answer.start_token) == (4, page.candidates[4]["start_token"])


def test_spaces_within_a_token_of_the_original_layout_are_removed(tmp_path):
    record = original(Page().paragraph("one two"))
    record["document_tokens"][1] |= {"token": "o n\u00a0e"}
    (example,) = read(write_lines(tmp_path / "a.jsonl", [record]))
    assert example.tokens == ["<P>", "on\u00a0e", "two", "</P>"]


def test_a_simplified_token_is_html_where_it_has_an_angle_bracket(tmp_path):
    (example,) = read(write_lines(tmp_path / "a.jsonl", [simplified(Page().paragraph("a<b >  c"))]))
    assert example.tokens == ["<P>", "a<b", ">", "", "c", "</P>"]
    assert example.is_html.tolist() == [True, True, False, False, False, True]


def test_candidates_and_gold_are_those_of_the_examples(data_file):
    examples = read(data_file)
    for example, (example_id, candidates) in zip(examples, read(data_file, what="candidates"), strict=True):
        assert example_id == example.example_id
        assert candidates.start_token.tolist() == example.candidates.start_token.tolist()
        assert candidates.top_level.tolist() == example.candidates.top_level.tolist()
    assert read(data_file, what="gold") == [(example.example_id, example.annotations) for example in examples]


def test_null_spans_are_no_short_answers(tmp_path):
    said = annotation(river_page())
    said["short_answers"] = [{"start_token": -1, "end_token": -1}]
    path = write_lines(tmp_path / "a.jsonl", [simplified(river_page(), annotations=[said])])
    (example,) = read(path)
    assert (example.annotations[0].short_answers, example.annotations[0].long_answer) == ((), NULL_SPAN)


@pytest.mark.parametrize("written", ["5", "-5", 5])
def test_an_id_may_be_a_string_of_digits(tmp_path, written):
    path = write_lines(tmp_path / "a.jsonl", [simplified(river_page(), example_id=written)])
    assert ids_of(path) == [int(written)]


def test_limit_and_skip(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", river_examples(5))
    assert ids_of(path, limit=2) == [1000, 1001]
    assert ids_of(path, skip=3) == [1003, 1004]
    assert ids_of(path, skip=1, limit=2) == [1001, 1002]
    assert ids_of(path, limit=9) == [1000, 1001, 1002, 1003, 1004]
    assert "has 5 examples, and skip 5 passes over all of them" in str(failure(path, skip=5))


def test_lines_behind_the_limit_are_not_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(simplified(river_page())) + "\n{broken\n")
    assert ids_of(path, limit=1) == [1]


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": -1}, {"skip": -1}])
def test_a_selection_of_nothing_is_refused(fields):
    with pytest.raises(ConfigError, match="expected skip >= 0 and limit >= 1"):
        Selection(**fields)


def test_a_glob_reads_its_files_in_order(tmp_path):
    lines = river_examples(4)
    write_lines(tmp_path / "b.jsonl.gz", lines[2:])
    write_lines(tmp_path / "a.jsonl", lines[:2])
    assert ids_of(tmp_path / "*.jsonl*") == [1000, 1001, 1002, 1003]


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path):
    write_lines(tmp_path / "a1.jsonl", river_examples(1))
    assert ids_of(write_lines(tmp_path / "a[1].jsonl", river_examples(2))) == [1000, 1001]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(monkeypatch, pack):
    content = b"".join(json.dumps(line).encode() + b"\n" for line in river_examples(3))
    stdin = io.TextIOWrapper(io.BytesIO(pack(content)))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert ids_of("-", limit=2) == [1000, 1001]
    assert not stdin.closed


def test_blank_lines_and_a_last_line_without_an_end(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n \r\n" + json.dumps(simplified(river_page())).encode() + b"\r\n\n" + b" ")
    assert ids_of(path) == [1]
    path.write_bytes(json.dumps(simplified(river_page())).encode())
    assert ids_of(path) == [1]


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_an_empty_source_is_refused(tmp_path, content):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert "is empty; expected one example a line" in str(failure(path))


def test_a_source_that_is_not_there_is_refused(tmp_path):
    assert "none.jsonl: no such file" in str(failure(tmp_path / "none.jsonl"))
    assert "no file matches this pattern" in str(failure(tmp_path / "*.jsonl"))
    assert "is a folder; expected a Natural Questions" in str(failure(tmp_path))


def faulty(**fields):
    return {**simplified(river_page(), annotations=[annotation(river_page())]), **fields}


def without(field):
    record = faulty()
    del record[field]
    return record


def said(**fields):
    return faulty(annotations=[{**annotation(river_page()), **fields}])


FAULTS = {
    "example_id": [without("example_id"), faulty(example_id=1.5), faulty(example_id="x"), faulty(example_id=2**70)],
    "question_text": [without("question_text"), faulty(question_text=None)],
    "document_text": [without("document_text"), faulty(document_text=["a"])],
    "document_tokens[0].html_token": [{**without("document_text"), "document_tokens": [{"token": "a"}]}],
    "long_answer_candidates": [without("long_answer_candidates"), faulty(long_answer_candidates=7)],
    "long_answer_candidates.start_token": [faulty(long_answer_candidates={})],
    "long_answer_candidates[0]": [
        faulty(long_answer_candidates=[{"start_token": start, "end_token": end, "top_level": True}])
        for start, end in [(0, 10**4), (-1, 3), (-1, -1), (3, 3), (5, 2), (0, 2**40)]
    ],
    "long_answer_candidates[0].top_level": [faulty(long_answer_candidates=[{"start_token": 0, "end_token": 1}])],
    "annotations": [faulty(annotations=5), faulty(annotations="NONE")],
    "annotations[0].yes_no_answer": [said(yes_no_answer="MAYBE"), said(yes_no_answer=7)],
    "annotations[0].long_answer": [
        said(long_answer={"start_token": -1, "end_token": 4}),
        said(long_answer={"start_token": 2, "end_token": 10**4}),
    ],
    "annotations[0].short_answers[0]": [
        said(short_answers=[{"start_token": 4, "end_token": 1}]),
        said(short_answers=[{"start_token": 4, "end_token": 10**4}]),
    ],
    "annotations[0].short_answers[0].end_token": [said(short_answers=[{"start_token": 4, "end_token": "5"}])],
}


@pytest.mark.parametrize(
    ("field", "record"), [(field, record) for field, records in FAULTS.items() for record in records]
)
def test_a_faulty_line_is_named_with_its_field(tmp_path, field, record):
    good = simplified(river_page(), example_id=99)
    path = write_lines(tmp_path / "a.jsonl", [good, record])
    error = failure(path)
    assert (error.path, error.line, error.field) == (str(path), 2, field)
    reader = NqReader(source=str(path), selection=Selection(on_error="skip"))
    assert [example.example_id for example in reader.examples()] == [99]
    assert [(skipped.line, skipped.field) for skipped in reader.skipped] == [(2, field)]


def test_an_evaluation_needs_annotations(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [faulty(annotations=[])])
    assert failure(path, what="gold").field == "annotations"


def test_an_id_that_stands_twice_is_refused_across_files(tmp_path):
    write_lines(tmp_path / "a.jsonl", river_examples(2))
    write_lines(tmp_path / "b.jsonl", river_examples(1))
    error = failure(tmp_path / "*.jsonl")
    assert (error.path, error.line, error.field) == (str(tmp_path / "b.jsonl"), 1, "example_id")
    assert f"first in {tmp_path / 'a.jsonl'}, line 1" in str(error)


def test_a_faulty_line_does_not_take_the_id_of_the_next(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [faulty(question_text=1), faulty(annotations=7), faulty()])
    assert ids_of(path, on_error="skip") == [1]


def test_with_on_error_skip_every_pass_leaves_out_the_same_lines(tmp_path):
    bad = [records[0] for records in FAULTS.values()]
    lines = [{**record, "example_id": record.get("example_id", 0)} for record in bad]
    path = write_lines(
        tmp_path / "a.jsonl", [line for pair in zip(lines, river_examples(len(bad)), strict=True) for line in pair]
    )
    kept = ids_of(path, on_error="skip", limit=5, skip=1)
    assert [one for one, _ in read(path, what="candidates", on_error="skip", limit=5, skip=1)] == kept
    assert [one for one, _ in read(path, what="gold", on_error="skip", limit=5, skip=1)] == kept


def test_a_source_of_faulty_lines_alone_is_refused(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [faulty(question_text=1), faulty(question_text=2)])
    assert "none of its 2 lines is an example; the first: " in str(failure(path, on_error="skip"))


def test_a_deep_nesting_is_a_fault_of_the_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"example_id": 1, "x": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    assert (failure(path).line, failure(path).field) == (1, "x")


def test_bytes_that_are_no_utf8_are_named_by_the_key_before_them(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(faulty(question_text="XX")).encode().replace(b"XX", b"\xff\xfe"))
    assert failure(path).field == "question_text"


LINES = [
    json.dumps(record).encode() + b"\n" for layout in (simplified, original) for record in river_examples(2, layout)
]


def survives(path, content):
    """Read damaged content: it ends well, or in an error that says where."""
    path.write_bytes(content)
    for what in ("examples", "candidates", "gold"):
        try:
            found, error = read(path, what=what), None
        except FormatError as refused:
            found, error = [], refused
        whole = ("is empty", "has annotations")  # a fault of no line
        at_line = error and error.line and error.field
        located = error and error.path == str(path) and (at_line or any(one in str(error) for one in whole))
        assert found or located


@given(data=st.data(), packed=st.booleans())
def test_readers_survive_any_truncation(tmp_path_factory, data, packed):
    content = LINES[1] + LINES[0].replace(b"1000", b"1002") + LINES[2]
    content = gzip.compress(content) if packed else content
    end = data.draw(st.integers(0, len(content)))
    survives(tmp_path_factory.mktemp("cut") / "a.jsonl", content[:end])


@given(data=st.data(), packed=st.booleans(), line=st.sampled_from(LINES))
def test_readers_survive_any_damaged_byte(tmp_path_factory, data, packed, line):
    content = bytearray(gzip.compress(line) if packed else line)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    survives(tmp_path_factory.mktemp("flip") / "a.jsonl", bytes(content))


def test_urls_are_read_as_files_are(tmp_path):
    pytest.importorskip("fsspec")
    records = [simplified(Page().paragraph("a b"), example_id=number) for number in range(4)]
    for number in range(2):
        write_lines(tmp_path / f"part-{number}.jsonl.gz", records[2 * number : 2 * number + 2])
    for source in (f"file://{tmp_path}/part-*.jsonl.gz", f"{tmp_path}/part-*.jsonl.gz"):
        assert [one.example_id for one in NqReader(source=source).examples()] == [0, 1, 2, 3]
    assert len(list(NqReader(source=f"file://{tmp_path}/part-1.jsonl.gz").examples())) == 2
    for source, message in {
        f"file://{tmp_path}/none.jsonl": "no such file",
        f"file://{tmp_path}/none-*.jsonl": "no such file",
        "nonsense://bucket/a.jsonl": "cannot be read .Protocol not known",
    }.items():
        with pytest.raises(FormatError, match=message):
            list(NqReader(source=source).examples())


def test_lots_hold_the_lines_and_tell_other_data_apart(tmp_path):
    records = [simplified(Page().paragraph("a b"), example_id=number) for number in range(5)]
    source = LinesSource(reader=NqReader(source=str(write_lines(tmp_path / "a.jsonl", records))))
    chunks = list(source.chunks(2))
    assert [chunk.ids for chunk in chunks] == [(0, 1), (2, 3), (4,)]
    assert [one.example_id for chunk in chunks for one in chunk.examples()] == [0, 1, 2, 3, 4]
    assert [chunk.checksum for chunk in source.chunks(2)] == [chunk.checksum for chunk in chunks]
    records[3]["question_text"] = "why"
    write_lines(tmp_path / "a.jsonl", records)
    assert [chunk.checksum == old.checksum for chunk, old in zip(source.chunks(2), chunks, strict=True)] == [
        True,
        False,
        True,
    ]
