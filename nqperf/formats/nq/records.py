"""The fields of a Natural Questions line, written once, and what they become.

The two layouts are told apart by `document_text` (simplified) and `document_tokens` (original).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from nqperf.nq.context import html_tokens
from nqperf.nq.example import Annotation, BoolArray, Candidates, Example, Span, YesNo

# An example's features are numbered from its id on, in int64; no document comes near this many windows.
_LARGEST_ID = 2**63 - 2**31
_SMALLEST_ID = -(2**63)
_YES_NO: dict[str, YesNo] = {"YES": "YES", "NO": "NO", "NONE": "NONE"}


class RecordError(ValueError):
    """A line is JSON of the right types, and yet no example; `field` is the JSON path at fault."""

    def __init__(self, message: str, *, field: str) -> None:
        self.field = field
        super().__init__(message)


class _Candidate(msgspec.Struct, gc=False):
    start_token: int
    end_token: int
    top_level: bool


class _Span(msgspec.Struct, gc=False):
    start_token: int
    end_token: int
    start_byte: int = -1
    end_byte: int = -1


class _LongAnswer(_Span, gc=False):
    candidate_index: int = -1


class _Annotation(msgspec.Struct):
    long_answer: _LongAnswer
    short_answers: list[_Span]
    yes_no_answer: str


class _Token(msgspec.Struct, gc=False):
    token: str
    html_token: bool


class _Identified(msgspec.Struct):
    example_id: int | str

    def id(self) -> int:
        """Return the example id as an integer; some tools write it as a string of digits."""
        try:
            number = int(self.example_id)
        except ValueError:
            raise RecordError(f"got {self.example_id!r}, expected an integer", field="example_id") from None
        if not _SMALLEST_ID <= number <= _LARGEST_ID:
            raise RecordError(f"got {number}, expected an integer of 64 bits", field="example_id")
        return number


class GoldRecord(_Identified):
    """What an evaluation reads of a line."""

    annotations: list[_Annotation]

    def annotated(self) -> tuple[Annotation, ...]:
        """Return the annotations; RecordError when there is none, or one contradicts itself."""
        if not self.annotations:
            raise RecordError("no annotation; an evaluation needs at least one", field="annotations")
        return _annotations(self.annotations)


class HeadRecord(_Identified):
    """What tells a line apart, and how it is scored."""

    annotations: list[_Annotation] = []

    def annotated(self) -> tuple[Annotation, ...]:
        """Return the annotations, if there are any; RecordError when one contradicts itself."""
        return _annotations(self.annotations)


class CandidateRecord(_Identified):
    """What answering reads of a line beside the features."""

    long_answer_candidates: list[_Candidate]

    def candidates(self) -> Candidates:
        """Return the candidates."""
        return _candidates(self.long_answer_candidates, None)


class ExampleRecord(_Identified):
    """A whole line in either layout."""

    question_text: str
    long_answer_candidates: list[_Candidate]
    document_text: str | msgspec.UnsetType = msgspec.UNSET
    document_tokens: list[_Token] | msgspec.UnsetType = msgspec.UNSET
    annotations: list[_Annotation] = []

    def example(self) -> Example:
        """Return the example; RecordError when a span lies outside the document or contradicts itself."""
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
            question=self.question_text,
            tokens=tokens,
            is_html=is_html,
            candidates=_candidates(self.long_answer_candidates, len(tokens)),
            annotations=annotations,
        )

    def _document(self) -> tuple[list[str], BoolArray]:
        if self.document_text is not msgspec.UNSET:
            tokens = self.document_text.split(" ")
            return tokens, html_tokens(tokens)
        if self.document_tokens is not msgspec.UNSET:
            tokens = [token.token.replace(" ", "") for token in self.document_tokens]
            return tokens, np.array([token.html_token for token in self.document_tokens], dtype=np.bool_)
        raise RecordError(
            "neither document_text (simplified layout) nor document_tokens (original layout) is there",
            field="document_text",
        )


def _candidates(records: Sequence[_Candidate], document_length: int | None) -> Candidates:
    try:
        start = np.array([record.start_token for record in records], dtype=np.int64)
        end = np.array([record.end_token for record in records], dtype=np.int64)
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
    top_level = np.array([record.top_level for record in records], dtype=np.bool_)
    start_token, end_token = start.astype(np.int32), end.astype(np.int32)
    for array in (start_token, end_token, top_level):
        array.flags.writeable = False
    return Candidates(start_token=start_token, end_token=end_token, top_level=top_level)


def _annotations(records: Sequence[_Annotation]) -> tuple[Annotation, ...]:
    return tuple(_annotation(record, f"annotations[{number}]") for number, record in enumerate(records))


def _annotation(record: _Annotation, where: str) -> Annotation:
    yes_no = _YES_NO.get(record.yes_no_answer.upper())
    if yes_no is None:
        raise RecordError(f"got {record.yes_no_answer!r}, expected YES, NO or NONE", field=f"{where}.yes_no_answer")
    short = [_span(span, f"{where}.short_answers[{number}]") for number, span in enumerate(record.short_answers)]
    try:
        return Annotation(
            long_answer=_span(record.long_answer, f"{where}.long_answer"),
            short_answers=tuple(span for span in short if not span.is_null),
            yes_no_answer=yes_no,
            candidate_index=record.long_answer.candidate_index,
        )
    except RecordError:
        raise
    except ValueError as error:
        raise RecordError(str(error), field=where) from None


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
