"""The layouts and wrappings in which people have Natural Questions: each is read as the plain line is, or named."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.compression import Limits
from nqperf.formats.nq.jsonl import NqReader, example_of
from nqperf.nq.example import Span
from tests.documents import river_examples, write_lines

CASES = Path(__file__).with_name("cases") / "data"
PLAIN = (CASES / "plain.jsonl").read_bytes()
RECORD = json.loads(PLAIN)
COLUMNS = json.loads((CASES / "hf_datasets.jsonl").read_bytes())
QUESTION = "where does the kea live"


def read(path, **limits):
    return list(NqReader(source=str(path), limits=Limits(**limits)).examples())


def same_as_plain(example, *, byte=(-1, -1)):
    tokens = RECORD["document_text"].split(" ")
    (annotation,) = example.annotations
    short = Span(start_token=5, end_token=7, start_byte=byte[0], end_byte=byte[1])
    assert (example.example_id, example.question, example.tokens) == (7, QUESTION, tokens)
    assert (annotation.long_answer.start_token, annotation.long_answer.end_token) == (0, 12)
    assert (annotation.short_answers, annotation.yes_no_answer) == ((short,), "NONE")
    assert example.candidates.start_token.tolist() == [0, 12]
    assert example.candidates.end_token.tolist() == [12, 19]
    assert example.is_html.tolist() == [token.startswith("<") for token in tokens]


def refusal(path, **limits):
    with pytest.raises(FormatError) as caught:
        read(path, **limits)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    assert len(message.replace(str(path), "")) < 300
    return message


READ = ["plain.jsonl", "bom.jsonl", "kaggle.jsonl.zip", "bz.jsonl.bz2", "double.jsonl.gz", "yesno_int.jsonl"]


@pytest.mark.parametrize("name", READ)
def test_these_are_read_as_the_plain_line(name):
    (example,) = read(CASES / name)
    same_as_plain(example)


def test_the_columns_of_hugging_face_are_read():
    (example,) = read(CASES / "hf_datasets.jsonl")
    same_as_plain(example, byte=(21, 32))
    ((identifier, candidates),) = NqReader(source=str(CASES / "hf_datasets.jsonl")).candidates()
    assert (identifier, candidates.end_token.tolist()) == (7, [12, 19])
    ((_, annotations),) = NqReader(source=str(CASES / "hf_datasets.jsonl")).gold()
    assert annotations == example.annotations


def test_half_a_surrogate_pair_is_the_replacement_character():
    (example,) = read(CASES / "lone_surrogate.jsonl")
    assert example.tokens[10] == "gr\N{REPLACEMENT CHARACTER}n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pretty.json", "line 1, field $: is JSON over several lines; expected one example a line: write it anew with"),
        ("jsonl_that_is_an_array.json", "is a JSON array; expected one example a line: write it anew with `jq -c"),
        ("trailing_comma.jsonl", "line 1, field $: ends with ',' behind its JSON"),
    ],
)
def test_these_are_named_for_what_they_are(name, said):
    assert said in refusal(CASES / name)


def zipped(content, *, names=("train.jsonl",)):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._train.jsonl", b"\0")
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


def zstd(content):
    return pytest.importorskip("backports.zstd").compress(content)


WRAPPINGS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": zipped,
    "gzip in gzip in gzip": lambda content: gzip.compress(gzip.compress(gzip.compress(content))),
    "xz in zip": lambda content: zipped(lzma.compress(content)),
    "two members of gzip": lambda content: gzip.compress(content[:100]) + gzip.compress(content[100:]),
    "two streams of bz2": lambda content: bz2.compress(content[:100]) + bz2.compress(content[100:]),
    "two streams of xz": lambda content: lzma.compress(content[:100]) + b"\0" * 4 + lzma.compress(content[100:]),
    "two frames of zstd": lambda content: zstd(content[:100]) + zstd(content[100:]),
    "zstd as pzstd writes it": lambda content: b"\x50\x2a\x4d\x18\4\0\0\0abcd" + zstd(content),
    "a zip with other files": lambda content: zipped(content, names=("a/train.jsonl", "sample_submission.csv", "a/")),
}


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz", "data"])
@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_a_file_is_unpacked_by_its_content_and_not_by_its_name(tmp_path, wrap, name):
    (tmp_path / name).write_bytes(wrap(PLAIN))
    (example,) = read(tmp_path / name)
    same_as_plain(example)


@pytest.mark.parametrize("wrap", ["gzip", "bz2", "xz", "zstd", "zip"])
def test_a_packed_file_that_is_cut_off_or_damaged_is_refused(tmp_path, wrap):
    rng = np.random.default_rng(0)
    content = b"".join(json.dumps(one).encode() + b"\n" for one in river_examples(30))
    packed = bytearray(WRAPPINGS[wrap](content))
    path = tmp_path / "data.jsonl"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    assert "broken" in refusal(path)
    for _ in range(50):
        damaged = packed.copy()
        damaged[int(rng.integers(30, len(packed)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            read(path)
        except FormatError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017  # or the flipped bit changes nothing


def test_a_zip_of_several_files_names_them_and_how_to_read_one(tmp_path):
    path = tmp_path / "both.zip"
    path.write_bytes(zipped(PLAIN, names=("train.jsonl", "test.jsonl")))
    assert (
        f"is a zip of 2 files (train.jsonl, test.jsonl); expected one: unpack it, or name one as zip://NAME::{path}"
        in (refusal(path))
    )
    pytest.importorskip("fsspec")
    (example,) = NqReader(source=f"zip://test.jsonl::{path}").examples()
    same_as_plain(example)


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zipped(PLAIN))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says so, in both headers of each file
        at = -1
        while (at := content.find(magic, at + 1)) >= 0:
            content[at + flags] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert "encrypted" in refusal(tmp_path / "a.zip")


def test_what_unpacks_to_too_much_is_refused(tmp_path):
    path = tmp_path / "data.jsonl.bz2"
    path.write_bytes(bz2.compress((b" " * 1000 + b"\n") * 20_000) + bz2.compress(PLAIN))
    assert "unpacks to more than 250 times its size; if that is right, raise --max-expansion" in refusal(path)
    (example,) = read(path, expansion=10**7)
    same_as_plain(example)
    for _ in range(5):
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert "is packed more than 4 times" in refusal(path)


def test_a_line_that_is_too_long_is_refused(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(PLAIN)
    assert "line 1, field $: is longer than 100 bytes" in refusal(path, line_bytes=100)
    same_as_plain(read(path, line_bytes=len(PLAIN))[0])
    with pytest.raises(ConfigError, match="expected 1 or more"):
        Limits(line_bytes=0)


def test_a_packed_file_of_blank_lines_has_an_end(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(bz2.compress(b"\n" * (1 << 21)))
    assert "is one of more than 1048576 blank lines" in refusal(path)


def test_a_document_of_blanks_alone_is_refused(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [{**RECORD, "document_text": " " * (1 << 23)}])
    assert "field document_text: has more than 8388608 tokens" in refusal(path)


ROWS = [RECORD, {**RECORD, "example_id": 8}]
NAMED = {
    "an array over lines": (json.dumps(ROWS, indent=1), "is a JSON array"),
    "an array, a row a line": ("[" + ",\n".join(map(json.dumps, ROWS)) + "]", "is a JSON array"),
    "an array behind a BOM": ("\ufeff" + json.dumps(ROWS), "is a JSON array"),
    "pretty by four": (json.dumps(RECORD, indent=4), "is JSON over several lines"),
    "pretty, two of them": ("\n".join(json.dumps(one, indent=2) for one in ROWS), "is JSON over several lines"),
    "pretty, opened on the first line": (json.dumps(RECORD, indent=1).replace("{\n ", "{ ", 1), "over several lines"),
    "what Python prints": (str(RECORD), "is what Python prints, not JSON"),
    "two on a line": (json.dumps(RECORD) + json.dumps(RECORD), "holds more than one JSON value"),
    "a table of text": ("example_id,PredictionString\n1_long,3:5\n", "is no JSON but other text ('example_id,Pred"),
    "a page of a server": ("<!DOCTYPE html><html><body>403</body></html>", "is a web page (HTML or XML)"),
    "an answer of S3": ('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page"),
    "a pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer"),
    "predictions": ('{"predictions": []}', "is a predictions file"),
    "SQuAD": ('{"version": "1.1", "data": []}', "is a file of SQuAD"),
    "an article of SQuAD": ('{"title": "T", "paragraphs": []}', "is an article of SQuAD"),
    "a row of another set": ('{"question": "q", "context": "c", "answers": {}}', "is a row of another data set"),
    "a row of an open set": ('{"question": "q", "answer": ["a"]}', "is a row of another data set"),
    "a row of TFDS's long texts": ('{"id": "1", "question": "q", "context": "c", "answer": ""}', "of another data set"),
    "rows of a server": ('{"features": [], "rows": [{"row_idx": 0, "row": {}}]}', "Hugging Face's datasets server"),
    "an error of a server": ('{"error": "gated"}', "is an error that a server told, not the file itself"),
    "a mark and nothing": ("\ufeff\n", "is empty; expected one example a line"),
    "cut off": (json.dumps(RECORD)[:200], "not JSON: Input data was truncated; the line is damaged or cut off"),
    "two braces": (
        "{" + json.dumps(RECORD),
        "not JSON: object keys must be strings (byte 1); the line is damaged or cut off",
    ),
}


@pytest.mark.parametrize(("text", "said"), NAMED.values(), ids=NAMED.keys())
def test_what_people_name_by_mistake_is_named_for_what_it_is(tmp_path, text, said):
    path = tmp_path / "data.jsonl"
    path.write_text(text, encoding="utf-8")
    assert said in refusal(path)


BINARY = {
    "UTF-16 with a mark": (PLAIN.decode().encode("utf-16"), "is not UTF-8 but UTF-16 (write it anew with `iconv"),
    "UTF-16 without": (PLAIN.decode().encode("utf-16-be"), "is not UTF-8 but UTF-16"),
    "a document": (b"%PDF-1.7\n", "is a PDF document"),
    "a database": (b"SQLite format 3\0", "is an SQLite database"),
    "a tar": (b"a.jsonl".ljust(257, b"\0") + b"ustar\x0000", "is a tar archive: unpack it"),
    "a tar in gzip": (gzip.compress(b"a.jsonl".ljust(257, b"\0") + b"ustar\x0000"), "is a tar archive"),
    "an array": (b"\x93NUMPY\x01\0", "is a NumPy array"),
    "Latin-1": (PLAIN.replace(b"where", b"wh\xe9re"), "is not UTF-8 (byte 2"),
    "features": (b"\x10\x01\0\0\0\0\0\0abcd", "is a TFRecord file, as `nqperf prepare` makes it"),
    "weights": (b"\x10\0\0\0\0\0\0\0" + b'{"a":{}}', "is a safetensors file"),
    "an empty zip": (b"PK\x05\x06" + bytes(18), "is an empty zip"),
    "a Z": (b"\x1f\x9d\x90abc", "is packed by compress (.Z): unpack it"),
    "an lz4": (b"\x04\x22\x4d\x18abc", "is packed by lz4: unpack it"),
    "an lzma": (lzma.compress(PLAIN, format=lzma.FORMAT_ALONE), "is packed by lzma in its older form: unpack it"),
    "a 7z": (b"7z\xbc\xaf\x27\x1c\0\4", "is a 7z archive"),
}


@pytest.mark.parametrize(("content", "said"), BINARY.values(), ids=BINARY.keys())
def test_a_file_of_another_kind_is_named(tmp_path, content, said):
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    assert said in refusal(path)


def test_files_of_several_layouts_are_one_source(tmp_path):
    (tmp_path / "1.jsonl").write_bytes(b"\xef\xbb\xbf" + PLAIN)
    write_lines(tmp_path / "2.jsonl.gz", [{**COLUMNS, "id": "8"}])
    (tmp_path / "3.jsonl").write_bytes(bz2.compress(PLAIN.replace(b'"example_id": 7', b'"example_id": "-9"')))
    assert [one.example_id for one in read(tmp_path / "*")] == [7, 8, -9]


SPANS = COLUMNS["annotations"]["long_answer"][0]


def test_annotations_may_be_records_of_columns_too():
    short = COLUMNS["annotations"]["short_answers"][0]
    record = {"long_answer": SPANS, "short_answers": short, "yes_no_answer": 0}
    (one,) = example_of({**COLUMNS, "annotations": [record]}, where="a row").annotations
    assert (one.short_answers[0].end_token, one.yes_no_answer) == (7, "NO")
    listed = {
        **COLUMNS["annotations"],
        "short_answers": [[{"start_token": 5, "end_token": 7}]],
        "yes_no_answer": ["YES"],
    }
    (one,) = example_of({**COLUMNS, "annotations": listed}, where="a row").annotations
    assert (one.short_answers[0].end_token, one.yes_no_answer) == (7, "YES")


def tfds_row():
    """A row as TFDS hands it out: columns within columns, text as bytes, arrays of NumPy, and no candidates."""
    tokens = COLUMNS["document"]["tokens"]
    columns = {key: np.array([SPANS[key]] * 2) for key in ("start_token", "end_token", "start_byte", "end_byte")}
    short = {"start_token": [np.array([5]), np.array([], int)], "end_token": [np.array([7]), np.array([], int)]}
    return {
        "id": b"7",
        "document": {
            "tokens": {
                "token": np.array([token.encode() for token in tokens["token"]], dtype=object),
                "is_html": np.array(tokens["is_html"]),
            },
            "title": b"Kea",
            "html": b"<P>",
        },
        "question": {"text": QUESTION.encode(), "tokens": np.array([b"where"], dtype=object)},
        "annotations": {
            "id": np.array([b"1", b"2"], dtype=object),
            "long_answer": columns,
            "short_answers": short,
            "yes_no_answer": np.array([-1, 1]),
        },
    }


def test_a_row_of_tfds_is_read_and_its_candidates_are_told_from_the_tags(caplog):
    example = example_of(tfds_row(), where="a row of TFDS")
    assert (example.example_id, example.question) == (7, QUESTION)
    assert example.tokens == RECORD["document_text"].split(" ")
    first, second = example.annotations
    assert ([one.start_token for one in first.short_answers], first.yes_no_answer) == ([5], "NONE")
    assert (second.short_answers, second.yes_no_answer) == ((), "YES")
    candidates = example.candidates
    spans = zip(candidates.start_token, candidates.end_token, candidates.top_level, strict=True)
    assert list(spans) == [(0, 13, True), (13, 21, True), (14, 20, False)]
    assert "a row of TFDS: has no long_answer_candidates" in caplog.text


def test_columns_of_different_lengths_are_refused():
    for changed, field in {
        "document.tokens": {"document": {"tokens": {"token": ["a"], "is_html": []}}},
        "long_answer_candidates": {
            "long_answer_candidates": {"start_token": [0], "end_token": [], "top_level": [True]}
        },
        "annotations": {"annotations": {**COLUMNS["annotations"], "yes_no_answer": [1, 1]}},
        "annotations[0].short_answers": {
            "annotations": {**COLUMNS["annotations"], "short_answers": [{"start_token": [1], "end_token": []}]}
        },
    }.items():
        with pytest.raises(FormatError, match="has columns of different lengths") as caught:
            example_of({**COLUMNS, **field}, where="a row")
        assert caught.value.field == changed


def test_rows_of_numpy_and_pandas_are_read():
    same_as_plain(example_of({**RECORD, "example_id": np.int64(7), "question_text": np.str_(QUESTION)}, where="a row"))
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([RECORD, {**RECORD, "example_id": 8, "annotations": None}])
    frame["document_title"] = [float("nan"), pandas.NA]
    frame["seen"] = pandas.Timestamp("2026-01-01")
    same_as_plain(example_of(frame.iloc[0].to_dict(), where="a row"))
    second = example_of(frame.to_dict("records")[1], where="a row")
    assert (second.example_id, second.annotations) == (8, ())


def test_a_row_of_pandas_is_read_as_it_comes():
    pandas = pytest.importorskip("pandas")
    columns = {"document_tokens": None, "document": float("nan"), "document_title": pandas.NA}
    frame = pandas.DataFrame([{**RECORD, **columns}, {"example_id": None}])
    assert frame["example_id"].dtype == float
    same_as_plain(example_of(frame.iloc[0], where="a row"))
    candidates = pandas.DataFrame(RECORD["long_answer_candidates"])
    same_as_plain(example_of({**RECORD, "long_answer_candidates": candidates}, where="a row"))


def test_tokens_may_be_a_list_of_records():
    """As versions of datasets since 4 hand them out."""
    tokens = COLUMNS["document"]["tokens"]
    rows = [{"token": token, "is_html": html} for token, html in zip(tokens["token"], tokens["is_html"], strict=True)]
    same_as_plain(example_of({**COLUMNS, "document": {"tokens": rows}}, where="a row"), byte=(21, 32))


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow")


def table_files(pa, rows, folder):
    """Write rows as Parquet, as an Arrow file and as an Arrow stream, which Hugging Face's datasets keep."""
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "a.parquet", row_group_size=2)
    with pa.ipc.new_file(str(folder / "file.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(str(folder / "stream.arrow"), table.schema) as writer:
        writer.write_table(table)
    return [folder / name for name in ("a.parquet", "file.arrow", "stream.arrow")]


@pytest.mark.parametrize("record", [COLUMNS, RECORD], ids=["columns", "simplified"])
def test_parquet_and_arrow_are_read_row_by_row(tmp_path, arrow, record):
    name = "id" if record is COLUMNS else "example_id"
    rows = [{**record, "annotations": record["annotations"], name: str(number)} for number in range(5)]
    if record is RECORD:  # its annotation's own id is more than Arrow's integers hold
        rows = [{**row, "annotations": [{**row["annotations"][0], "annotation_id": "1"}]} for row in rows]
    for path in table_files(arrow, rows, tmp_path):
        found = read(path)
        assert [one.example_id for one in found] == [0, 1, 2, 3, 4]
        assert found[3].tokens == RECORD["document_text"].split(" ")
        assert found[3].annotations == example_of(record, where="a row").annotations


def test_damaged_tables_are_refused(tmp_path, arrow):
    rng = np.random.default_rng(1)
    for path in table_files(arrow, [{**COLUMNS, "id": str(number)} for number in range(5)], tmp_path):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        assert refusal(path)
        for _ in range(60):
            damaged = bytearray(content)
            damaged[int(rng.integers(8, len(content)))] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            try:
                read(path)
            except FormatError as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017  # or the flipped bit changes nothing


def test_tables_whose_rows_share_their_values_have_an_end(tmp_path, arrow):
    views = arrow.ListViewArray.from_arrays([0] * 9, [5] * 9, arrow.array(range(5)))
    text = arrow.DictionaryArray.from_arrays([0] * 9, arrow.array(["x" * 5000]))
    for values, said in ((views, "has a column of the type list_view"), (text, "is longer than 4096 bytes")):
        table = arrow.record_batch([values], names=["question_text"])
        with arrow.ipc.new_stream(str(tmp_path / "a.arrow"), table.schema) as writer:
            writer.write_batch(table)
        assert said in refusal(tmp_path / "a.arrow", line_bytes=4096)


def test_a_table_through_a_pipe_is_refused(tmp_path, arrow):
    path = table_files(arrow, [COLUMNS], tmp_path)[0]
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert "is a Parquet or Arrow file, which cannot be read from a pipe" in refusal(path)


def test_standard_input_that_is_closed_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(FormatError, match="standard input is closed"):
        read("-")
