"""predictions.json, the file that nq_eval reads: one answer an example, ascending by example id."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import decode_python_json
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole
from nqperf.nq.example import NULL_SPAN, Prediction, Span, YesNo

_LOG = logging.getLogger(__name__)
_YES_NO: dict[str, YesNo] = {"YES": "YES", "NO": "NO", "NONE": "NONE"}
_ID_LIMIT = 2**63

_Offset = Annotated[int, msgspec.Meta(ge=-_ID_LIMIT, le=_ID_LIMIT - 1)]
_Digits = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,19}\Z")]


class _Span(msgspec.Struct):
    start_token: _Offset
    end_token: _Offset
    start_byte: _Offset
    end_byte: _Offset

    def __post_init__(self) -> None:
        self.to_span()  # refuses what is half null or ends before it starts
        if self.start_token == self.end_token >= 0 or self.start_byte == self.end_byte >= 0:
            raise ValueError("empty span; expected start < end, or -1 in both for no answer")

    def to_span(self) -> Span:
        span = Span(
            start_token=self.start_token, end_token=self.end_token, start_byte=self.start_byte, end_byte=self.end_byte
        )
        return NULL_SPAN if span.is_null else span


_NO_SPAN = _Span(start_token=-1, end_token=-1, start_byte=-1, end_byte=-1)


class _Row(msgspec.Struct, kw_only=True):
    """One prediction; what nq_eval can do without is null where it is missing."""

    example_id: int | _Digits
    long_answer: _Span = msgspec.field(default_factory=lambda: _NO_SPAN)
    long_answer_score: float
    short_answers: list[_Span] = []
    short_answers_score: float
    yes_no_answer: str = "NONE"

    def __post_init__(self) -> None:
        if not -_ID_LIMIT <= int(self.example_id) < _ID_LIMIT:
            raise ValueError("example_id is out of range; expected a 64-bit integer")
        if math.isnan(self.long_answer_score) or math.isnan(self.short_answers_score):
            raise ValueError(f"{self.scores()}; expected numbers, which can be ordered")
        if self.yes_no_answer.upper() not in _YES_NO:
            raise ValueError(f"yes_no_answer {self.yes_no_answer[:20]!r}; expected YES, NO or NONE")
        if self.yes_no_answer.upper() != "NONE" and (given := self.given_short_answers()):
            together = f"yes_no_answer {self.yes_no_answer} together with {len(given)} short_answers"
            raise ValueError(f"{together}; expected one or the other")

    def scores(self) -> str:
        return f"long_answer_score {self.long_answer_score}, short_answers_score {self.short_answers_score}"

    def given_short_answers(self) -> tuple[Span, ...]:
        return tuple(span for short in self.short_answers if not (span := short.to_span()).is_null)


class _File(msgspec.Struct):
    predictions: list[_Row]


_EXPECTED = "predictions as nq_eval reads them: correct the field, or write the file again"


def read_predictions(path: Path) -> list[Prediction]:
    """Return the predictions of `path` in file order, read as leniently as nq_eval reads them.

    A missing answer is null, a score may be infinite, and of two predictions for one example the later one counts,
    which a warning says. Ids may be numbers or strings of digits, as NQ tools write both.

    Raises: FormatError naming the field when this is no predictions file.
    """
    found = [
        Prediction(
            example_id=int(row.example_id),
            long_answer=row.long_answer.to_span(),
            long_answer_score=row.long_answer_score,
            short_answers=row.given_short_answers(),
            short_answers_score=row.short_answers_score,
            yes_no_answer=_YES_NO[row.yes_no_answer.upper()],
        )
        for row in _rows(read_whole(path, what="a predictions file"), path)
    ]
    by_id = {prediction.example_id: prediction for prediction in found}
    if len(by_id) < len(found):
        twice = next(number for number, count in Counter(one.example_id for one in found).items() if count > 1)
        _LOG.warning(
            "%s: %d of %d predictions are for an example that has a later one, as example %d; the last one counts, "
            "as for nq_eval",
            path,
            len(found) - len(by_id),
            len(found),
            twice,
        )
    return list(by_id.values())


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write `predictions` to `path`, whole or not at all, one a line and ascending by example id.

    Raises: FormatError when two answer the same example, or one could not be read back (a score that is not finite,
    yes/no together with short answers).
    """
    write_whole(path, encode_predictions(predictions, path))


def encode_predictions(predictions: Sequence[Prediction], path: Path) -> bytes:
    """Return the content of the predictions file `path` that holds these `predictions`, by ascending example ids.

    Raises: FormatError for two predictions of one example, or one that the file cannot hold.
    """
    ascending = sorted(predictions, key=lambda prediction: prediction.example_id)
    for earlier, later in pairwise(ascending):
        if earlier.example_id == later.example_id:
            raise FormatError(
                f"not written: got two predictions for example {later.example_id}; expected one an example: drop one "
                "of them",
                path=path,
                field="example_id",
            )
    lines = b",\n".join(msgspec.json.encode(_row(prediction, path)) for prediction in ascending)
    return b'{"predictions":[\n' + lines + b"\n]}\n"


def _rows(content: bytes, path: Path) -> list[_Row]:
    return decode_python_json(content, _File, path, expected=_EXPECTED).predictions


def _row(prediction: Prediction, path: Path) -> _Row:
    try:
        row = _Row(
            example_id=int(prediction.example_id),
            long_answer=_span(prediction.long_answer),
            long_answer_score=float(prediction.long_answer_score),
            short_answers=[_span(span) for span in prediction.short_answers or (NULL_SPAN,)],
            short_answers_score=float(prediction.short_answers_score),
            yes_no_answer=prediction.yes_no_answer,
        )
        if not (math.isfinite(row.long_answer_score) and math.isfinite(row.short_answers_score)):
            raise ValueError(f"{row.scores()}; expected finite numbers, JSON has no others")  # noqa: TRY301
    except ValueError as error:
        raise FormatError(
            f"not written: the prediction for example {prediction.example_id} has {error}: check the logits and the "
            "answers made from them",
            path=path,
        ) from None
    return row


def _span(span: Span) -> _Span:
    return _Span(
        start_token=int(span.start_token),
        end_token=int(span.end_token),
        start_byte=int(span.start_byte),
        end_byte=int(span.end_byte),
    )
