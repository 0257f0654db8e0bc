"""What is asked and what was annotated: examples, candidates, annotations and answer spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

YesNo = Literal["YES", "NO", "NONE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch [start_token, end_token) of the document; -1 is "none".

    `start_byte` and `end_byte` are the same stretch in the document's bytes, where it is known.

    Raises: ValueError when it is half null, or ends before it starts.
    """

    start_token: int
    end_token: int
    start_byte: int = -1
    end_byte: int = -1

    def __post_init__(self) -> None:
        for unit, start, end in (
            ("token", self.start_token, self.end_token),
            ("byte", self.start_byte, self.end_byte),
        ):
            if (start < 0) != (end < 0):
                raise ValueError(f"half-null span: start_{unit} {start}, end_{unit} {end}; expected both or neither")
            if start >= 0 and end < start:
                raise ValueError(f"span ends before it starts: start_{unit} {start}, end_{unit} {end}")

    @property
    def is_null(self) -> bool:
        """True when neither tokens nor bytes are given."""
        return self.start_token < 0 and self.start_byte < 0


NULL_SPAN = Span(start_token=-1, end_token=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotator's answer: a long answer, short answers, or yes/no.

    `long_answer` is a null span where none was given, and `candidate_index` the candidate that it is, -1 for none.
    `short_answers` holds no null span. Short answers and a `yes_no_answer` other than "NONE" together are an answer
    that either agrees with, as for nq_eval.
    """

    long_answer: Span
    short_answers: tuple[Span, ...]
    yes_no_answer: YesNo
    candidate_index: int = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """The long-answer candidates of one document, in file order.

    Shapes: start_token, end_token int32[m] (end exclusive), top_level bool[m].
    """

    start_token: IntArray
    end_token: IntArray
    top_level: BoolArray

    def __len__(self) -> int:
        return len(self.start_token)

    @classmethod
    def none(cls) -> Candidates:
        """Return no candidates."""
        empty = np.zeros(0, dtype=np.int32)
        return cls(start_token=empty, end_token=empty, top_level=empty.astype(np.bool_))

    def top(self) -> Candidates:
        """Return the top-level candidates alone, which is all that answering reads; the others may be many."""
        top = np.flatnonzero(self.top_level)
        return Candidates(
            start_token=self.start_token[top], end_token=self.end_token[top], top_level=self.top_level[top]
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """One `question` with its document, `candidates` and `annotations`; `example_id` is its name in the data.

    Shapes: tokens list[str] of length n (words and HTML tags), is_html bool[n].
    """

    example_id: int
    question: str
    tokens: list[str]
    is_html: BoolArray
    candidates: Candidates
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the pipeline answers to one example, the one of `example_id`.

    `long_answer` is NULL_SPAN where there is none, `short_answers` are then empty; `yes_no_answer` takes their place.
    `long_answer_score` and `short_answers_score` are in logits, the higher the surer.
    """

    example_id: int
    long_answer: Span
    long_answer_score: float
    short_answers: tuple[Span, ...]
    short_answers_score: float
    yes_no_answer: YesNo = "NONE"

    def agrees(self, other: Prediction) -> bool:
        """Return whether `other` answers the same, whatever the scores."""
        return (self.long_answer, self.short_answers, self.yes_no_answer) == (
            other.long_answer,
            other.short_answers,
            other.yes_no_answer,
        )
