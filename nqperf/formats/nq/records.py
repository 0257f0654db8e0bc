"""The fields of a Natural Questions line, written once, and what they become.

The layouts are told apart by `document_text` (simplified), `document_tokens` (original) and `document` (Hugging Face's
datasets and TFDS, which keep lists of records as records of lists).
"""

# Long: one record a layout of Natural Questions, with what converts it.
from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np

from nqperf.nq.candidates import candidates_of
from nqperf.nq.context import html_tokens
from nqperf.nq.example import Annotation, BoolArray, Candidates, Example, Span, YesNo

# An example's features are numbered from its id on, in int64; no document comes near this many windows.
_LARGEST_ID = 2**63 - 2**31
_SMALLEST_ID = -(2**63)
# The labels of Hugging Face's datasets and of TFDS are numbers.
_YES_NO: dict[str | int, YesNo] = {"YES": "YES", "NO": "NO", "NONE": "NONE", 1: "YES", 0: "NO", -1: "NONE"}
# A document of 100 times the longest page; a line of blanks would make a token of each.
_MOST_TOKENS = 1 << 23


class RecordError(ValueError):
    """A line is JSON of the right types, and yet no example: `message` says why, `field` is the JSON path at fault."""

    def __init__(self, message: str, *, field: str) -> None:
        self.field = field
        super().__init__(message)


class _Candidate(msgspec.Struct, gc=False):
    start_token: int
    end_token: int
    top_level: bool


class _CandidateColumns(msgspec.Struct):
    start_token: list[int]
    end_token: list[int]
    top_level: list[bool]


class _Span(msgspec.Struct, gc=False):
    start_token: int
    end_token: int
    start_byte: int = -1
    end_byte: int = -1


class _SpanColumns(msgspec.Struct):
    start_token: list[int]
    end_token: list[int]
    start_byte: list[int] | None = None
    end_byte: list[int] | None = None
    candidate_index: list[int] | None = None


class _SpanLists(msgspec.Struct):
    start_token: list[list[int]]
    end_token: list[list[int]]
    start_byte: list[list[int]] | None = None
    end_byte: list[list[int]] | None = None


class _LongAnswer(_Span, gc=False):
    candidate_index: int = -1


class _Annotation(msgspec.Struct):
    long_answer: _LongAnswer
    short_answers: list[_Span] | _SpanColumns
    yes_no_answer: str | int


class _AnnotationColumns(msgspec.Struct):
    long_answer: list[_LongAnswer] | _SpanColumns
    short_answers: list[list[_Span] | _SpanColumns] | _SpanLists
    yes_no_answer: list[str | int]


class _Token(msgspec.Struct, gc=False):
    token: str
    html_token: bool


class _TokenColumns(msgspec.Struct):
    token: list[str]
    is_html: list[bool]


class _TokenRow(msgspec.Struct, gc=False):
    token: str
    is_html: bool


class _Document(msgspec.Struct):
    # Versions of datasets since 4 hand a sequence of records out as it is.
    tokens: _TokenColumns | list[_TokenRow]


class _Question(msgspec.Struct):
    text: str


_SpanRecord = TypeVar("_SpanRecord", _Span, _LongAnswer)
_Annotations = list[_Annotation] | _AnnotationColumns | None


class _Identified(msgspec.Struct):
    example_id: int | str | msgspec.UnsetType = msgspec.UNSET
    id_: int | str | msgspec.UnsetType = msgspec.field(name="id", default=msgspec.UNSET)

    @property
    def derives_candidates(self) -> bool:
        """Whether the candidates are told from the document's tags, for the line has none."""
        return False

    def id(self) -> int:
        """Return the example id as an integer; some tools write it as a string of digits."""
        given = self.id_ if self.example_id is msgspec.UNSET else self.example_id
        if given is msgspec.UNSET:
            raise _missing("example_id")
        try:
            number = int(given)
        except ValueError:
            raise RecordError(f"got {given!r:.40}, expected an integer", field="example_id") from None
        if not _SMALLEST_ID <= number <= _LARGEST_ID:
            raise RecordError(f"got {number}, expected an integer of 64 bits", field="example_id")
        return number


class HeadRecord(_Identified):
    """What tells a line apart, and how it is scored: its `annotations` in any layout, None where it has none."""

    annotations: _Annotations = None

    def annotated(self) -> tuple[Annotation, ...]:
        """Return the annotations, if there are any; RecordError when one contradicts itself."""
        return _annotations(self.annotations)


class CandidateRecord(_Identified):
    """What answering reads of a line beside the features.

    `long_answer_candidates` are a list of records, or a record of lists; a line without them has a `document`, whose
    tags tell them.
    """

    long_answer_candidates: list[_Candidate] | _CandidateColumns | None = None
    document: _Document | msgspec.UnsetType = msgspec.UNSET

    @property
    def derives_candidates(self) -> bool:
        """Whether the candidates are told from the document's tags, for the line has none."""
        return self.long_answer_candidates is None and self.document is not msgspec.UNSET

    def candidates(self) -> Candidates:
        """Return the candidates."""
        if self.long_answer_candidates is not None:
            return _candidates(self.long_answer_candidates, None)
        if self.document is msgspec.UNSET:
            raise _missing("long_answer_candidates")
        return candidates_of(*_columns_document(self.document))


class ExampleRecord(_Identified):
    """A whole line in any layout.

    `question_text`, or in one layout `question`, is what is asked. The page is in `document_text` (simplified),
    `document_tokens` (original) or `document` (Hugging Face's datasets, TFDS). `long_answer_candidates` are a list of
    records, a record of lists, or told from the document's tags; `annotations` are None where there are none.
    """

    question_text: str | msgspec.UnsetType = msgspec.UNSET
    question: _Question | str | msgspec.UnsetType = msgspec.UNSET
    long_answer_candidates: list[_Candidate] | _CandidateColumns | None = None
    document_text: str | msgspec.UnsetType = msgspec.UNSET
    document_tokens: list[_Token] | msgspec.UnsetType = msgspec.UNSET
    document: _Document | msgspec.UnsetType = msgspec.UNSET
    annotations: _Annotations = None

    @property
    def derives_candidates(self) -> bool:
        """Whether the candidates are told from the document's tags, for the line has none."""
        return self.long_answer_candidates is None and self.document is not msgspec.UNSET

    def example(self) -> Example:
        """Return the example; RecordError when a span lies outside the document or contradicts itself."""
        question = self._question()
        tokens, is_html = self._document()
        annotations = _annotations(self.annotations)
        for number, annotation in enumerate(annotations):
            for name, span in _named_spans(annotation):
                if span.end_token > len(tokens):
                    raise RecordError(
                        f"span [{span.start_token}, {span.end_token}) lies outside the document of "
                        f"{len(tokens)} tokens",
                        field=f"annotations[{number}].{name}",
                    )
        return Example(
            example_id=self.id(),
            question=question,
            tokens=tokens,
            is_html=is_html,
            candidates=self._known_candidates(tokens, is_html),
            annotations=annotations,
        )

    def _question(self) -> str:
        if self.question_text is not msgspec.UNSET:
            return self.question_text
        if self.question is msgspec.UNSET:
            raise _missing("question_text")
        return self.question if isinstance(self.question, str) else self.question.text

    def _known_candidates(self, tokens: list[str], is_html: BoolArray) -> Candidates:
        if self.long_answer_candidates is not None:
            return _candidates(self.long_answer_candidates, len(tokens))
        if self.document is msgspec.UNSET:
            raise _missing("long_answer_candidates")
        return candidates_of(tokens, is_html)

    def _document(self) -> tuple[list[str], BoolArray]:
        if self.document_text is not msgspec.UNSET:
            if len(self.document_text) >= _MOST_TOKENS <= self.document_text.count(" "):
                raise RecordError(f"has more than {_MOST_TOKENS} tokens", field="document_text")
            tokens = self.document_text.split(" ")
            return tokens, html_tokens(tokens)
        if self.document_tokens is not msgspec.UNSET:
            tokens = [token.token.replace(" ", "") for token in self.document_tokens]
            return tokens, np.array([token.html_token for token in self.document_tokens], dtype=np.bool_)
        if self.document is not msgspec.UNSET:
            return _columns_document(self.document)
        raise RecordError(
            "neither document_text (simplified layout), document_tokens (original) nor document (Hugging Face's "
            "datasets, TFDS) is there",
            field="document_text",
        )


def _missing(name: str) -> RecordError:
    return RecordError(f"missing required field `{name}`; expected a line of Natural Questions", field=name)


def _columns_document(document: _Document) -> tuple[list[str], BoolArray]:
    columns = document.tokens
    if isinstance(columns, list):
        columns = _TokenColumns(token=[row.token for row in columns], is_html=[row.is_html for row in columns])
    _same_length("document.tokens", token=columns.token, is_html=columns.is_html)
    tokens = [token.replace(" ", "") for token in columns.token]
    return tokens, np.array(columns.is_html, dtype=np.bool_)


def _same_length(where: str, **columns: Sequence[object] | None) -> None:
    """Raise unless all columns that are there have as many rows."""
    counts = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise RecordError(f"has columns of different lengths ({found})", field=where)


def _candidates(records: list[_Candidate] | _CandidateColumns, document_length: int | None) -> Candidates:
    if isinstance(records, list):
        starts, ends = [one.start_token for one in records], [one.end_token for one in records]
        tops = [one.top_level for one in records]
    else:
        starts, ends, tops = records.start_token, records.end_token, records.top_level
        _same_length("long_answer_candidates", start_token=starts, end_token=ends, top_level=tops)
    try:
        start, end = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
    except OverflowError:
        raise RecordError("a token index beyond 2**63", field="long_answer_candidates") from None
    longest = np.iinfo(np.int32).max if document_length is None else document_length
    wrong = np.flatnonzero((start < 0) | (start >= end) | (end > longest))
    if len(wrong):
        document = "the document" if document_length is None else f"the document of {document_length} tokens"
        raise RecordError(
            f"candidate [{start[wrong[0]]}, {end[wrong[0]]}) is empty or lies outside {document}",
            field=f"long_answer_candidates[{wrong[0]}]",
        )
    top_level = np.array(tops, dtype=np.bool_)
    start_token, end_token = start.astype(np.int32), end.astype(np.int32)
    for array in (start_token, end_token, top_level):
        array.flags.writeable = False
    return Candidates(start_token=start_token, end_token=end_token, top_level=top_level)


def _annotations(records: _Annotations) -> tuple[Annotation, ...]:
    if records is None:
        return ()
    if not isinstance(records, list):
        records = _annotation_rows(records)
    return tuple(_annotation(record, f"annotations[{number}]") for number, record in enumerate(records))


def _annotation_rows(columns: _AnnotationColumns) -> list[_Annotation]:
    """Return one record an annotator of columns, whose entries may be columns again."""
    long, short = columns.long_answer, columns.short_answers
    if not isinstance(long, list):
        long = _span_rows(long, "annotations.long_answer", _LongAnswer)
    if not isinstance(short, list):
        names = [name for name in short.__struct_fields__ if getattr(short, name) is not None]
        lists = {name: getattr(short, name) for name in names}
        _same_length("annotations.short_answers", **lists)
        short = [_SpanColumns(**dict(zip(names, row, strict=True))) for row in zip(*lists.values(), strict=True)]
    _same_length("annotations", long_answer=long, short_answers=short, yes_no_answer=columns.yes_no_answer)
    return [
        _Annotation(long_answer=one, short_answers=spans, yes_no_answer=yes_no)
        for one, spans, yes_no in zip(long, short, columns.yes_no_answer, strict=True)
    ]


def _span_rows(columns: _SpanColumns, where: str, record: type[_SpanRecord]) -> list[_SpanRecord]:
    lists = {name: column for name in record.__struct_fields__ if (column := getattr(columns, name, None)) is not None}
    _same_length(where, **lists)
    return [record(**dict(zip(lists, row, strict=True))) for row in zip(*lists.values(), strict=True)]


def _annotation(record: _Annotation, where: str) -> Annotation:
    said = record.yes_no_answer
    yes_no = _YES_NO.get(said.upper() if isinstance(said, str) else said)
    if yes_no is None:
        raise RecordError(
            f"got {said!r:.40}, expected YES, NO or NONE, or of datasets' labels 1, 0 or -1",
            field=f"{where}.yes_no_answer",
        )
    spans = record.short_answers
    if not isinstance(spans, list):
        spans = _span_rows(spans, f"{where}.short_answers", _Span)
    short = [_span(span, f"{where}.short_answers[{number}]") for number, span in enumerate(spans)]
    return Annotation(
        long_answer=_span(record.long_answer, f"{where}.long_answer"),
        short_answers=tuple(span for span in short if not span.is_null),
        yes_no_answer=yes_no,
        candidate_index=record.long_answer.candidate_index,
    )


def _span(record: _Span, where: str) -> Span:
    try:
        return Span(
            start_token=record.start_token,
            end_token=record.end_token,
            start_byte=record.start_byte,
            end_byte=record.end_byte,
        )
    except ValueError as error:
        raise RecordError(str(error), field=where) from None


def _named_spans(annotation: Annotation) -> list[tuple[str, Span]]:
    short = [(f"short_answers[{number}]", span) for number, span in enumerate(annotation.short_answers)]
    return [("long_answer", annotation.long_answer), *short]
