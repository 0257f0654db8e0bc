"""predictions.json, the file that nq_eval reads: one answer an example, ascending by example id."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole, write_whole
from nqperf.nq.example import NULL_SPAN, Prediction, Span, YesNo

_YES_NO: dict[str, YesNo] = {"YES": "YES", "NO": "NO", "NONE": "NONE"}
_ID_LIMIT = 2**63

_Offset = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
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


class _Row(msgspec.Struct):
    example_id: int | _Digits
    long_answer: _Span
    long_answer_score: float
    short_answers: list[_Span]
    short_answers_score: float
    yes_no_answer: str

    def __post_init__(self) -> None:
        if not -_ID_LIMIT <= int(self.example_id) < _ID_LIMIT:
            raise ValueError("example_id is out of range; expected a 64-bit integer")
        if not (math.isfinite(self.long_answer_score) and math.isfinite(self.short_answers_score)):
            scores = f"long_answer_score {self.long_answer_score}, short_answers_score {self.short_answers_score}"
            raise ValueError(f"{scores}; expected finite numbers, JSON has no others")
        if self.yes_no_answer.upper() not in _YES_NO:
            raise ValueError(f"yes_no_answer {self.yes_no_answer[:20]!r}; expected YES, NO or NONE")
        if self.yes_no_answer.upper() != "NONE" and (given := self.given_short_answers()):
            together = f"yes_no_answer {self.yes_no_answer} together with {len(given)} short_answers"
            raise ValueError(f"{together}; expected one or the other")

    def given_short_answers(self) -> tuple[Span, ...]:
        return tuple(span for short in self.short_answers if not (span := short.to_span()).is_null)


class _File(msgspec.Struct):
    predictions: list[_Row]


_DECODER = msgspec.json.Decoder(_File)


def read_predictions(path: Path) -> list[Prediction]:
    """Return the predictions of `path` in file order; ids may be numbers or strings of digits, as NQ tools write both.

    Raises: FormatError naming the field when this is no predictions file, or answers one example twice.
    """
    predictions = [
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
    first: dict[int, int] = {}
    for index, prediction in enumerate(predictions):
        earlier = first.setdefault(prediction.example_id, index)
        if earlier != index:
            raise FormatError(
                f"{prediction.example_id} is also the id of predictions[{earlier}]; expected one prediction an "
                "example: drop one of them",
                path=path,
                field=f"predictions[{index}].example_id",
            )
    return predictions


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write `predictions` to `path`, whole or not at all, one a line and ascending by example id.

    Raises: FormatError when two answer the same example, or one could not be read back (a score that is not finite,
    yes/no together with short answers).
    """
    write_whole(path, encode_predictions(predictions, path))


def encode_predictions(predictions: Sequence[Prediction], path: Path) -> bytes:
    """Return the content of the predictions file `path`."""
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
    try:
        content.decode()
        return _DECODER.decode(content).predictions
    except UnicodeDecodeError as error:
        raise FormatError(
            f"byte {error.start} is not UTF-8 ({error.reason}); expected JSON in UTF-8: write the file again", path=path
        ) from None
    except RecursionError:
        raise FormatError(
            "nested too deeply; expected predictions as nq_eval reads them: write the file again", path=path
        ) from None
    except msgspec.MsgspecError as error:
        reason, _, field = str(error).partition(" - at `$")
        raise FormatError(
            f"{reason}; expected predictions as nq_eval reads them: correct the field, or write the file again",
            path=path,
            field=field.strip("`").lstrip(".") or None,
        ) from None


def _row(prediction: Prediction, path: Path) -> _Row:
    try:
        return _Row(
            example_id=int(prediction.example_id),
            long_answer=_span(prediction.long_answer),
            long_answer_score=float(prediction.long_answer_score),
            short_answers=[_span(span) for span in prediction.short_answers or (NULL_SPAN,)],
            short_answers_score=float(prediction.short_answers_score),
            yes_no_answer=prediction.yes_no_answer,
        )
    except ValueError as error:
        raise FormatError(
            f"not written: the prediction for example {prediction.example_id} has {error}: check the logits and the "
            "answers made from them",
            path=path,
        ) from None


def _span(span: Span) -> _Span:
    return _Span(
        start_token=int(span.start_token),
        end_token=int(span.end_token),
        start_byte=int(span.start_byte),
        end_byte=int(span.end_byte),
    )
