"""What a window should answer: the pieces of the annotated span, and the answer type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.answers import ANSWER_TYPES
from nqperf.nq.example import Annotation, BoolArray, Example, IntArray, Span

# The heuristic makes no span of 30 pieces or more, so a target that reaches further could never be answered.
MAX_TARGET_PIECES = 30
# How much of the end's probability a target without one short answer leaves on [CLS]: its score then stays near half of
# a short answer's, and the short threshold, above the long one, separates the two.
NULL_END_SHARE = 0.25
# A long answer counts as present in a window that has this much of it: the stride of the windows.
LONG_EVIDENCE_PIECES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceTarget:
    """The target of one question within its document's pieces; first_piece -1 where there is no answer.

    The answer is from `first_piece` to `last_piece`, both included, and of the type `answer_type`, an index of
    ANSWER_TYPES. A window has the answer when it holds the pieces from `first_piece` to `evidence_piece`, both
    included. Of the end's probability `null_end` belongs on [CLS].
    """

    first_piece: int
    last_piece: int
    evidence_piece: int
    answer_type: int
    null_end: float = 0.0

    def inside(self, start_piece: IntArray, end_piece: IntArray) -> BoolArray:
        """Tell which windows [start_piece, end_piece) hold the answer."""
        holds: BoolArray = (start_piece <= self.first_piece) & (self.evidence_piece < end_piece)
        return holds & (self.first_piece >= 0)


NO_TARGET = PieceTarget(first_piece=-1, last_piece=-1, evidence_piece=-1, answer_type=0)


def piece_target(example: Example, piece_token: IntArray) -> PieceTarget:
    """Return the target of `example`, whose context pieces stand on the document tokens `piece_token` (-1: markers).

    One short answer is its pieces. A long answer alone, a yes or no and a set of several short answers are the first
    two pieces of the long answer, with a part of the end on [CLS]: the heuristic finds long answers by short spans,
    makes none as long as a paragraph, and should not call this one a short answer. So is a short answer of one piece
    with its neighbour, as the heuristic makes no span of one.
    """
    annotation = next((one for one in example.annotations if not one.long_answer.is_null), None)
    if annotation is None:
        return NO_TARGET
    short = len(annotation.short_answers) == 1
    span = annotation.short_answers[0] if short else annotation.long_answer
    inside = np.flatnonzero((piece_token >= span.start_token) & (piece_token < span.end_token))
    if not len(inside):
        return NO_TARGET
    first, last = int(inside[0]), int(inside[-1])
    whole = short and last > first
    if short and not whole:
        first, last = _with_neighbour(first, piece_token)
    return PieceTarget(
        first_piece=first,
        last_piece=min(last, first + (MAX_TARGET_PIECES - 1 if short else 1)),
        evidence_piece=min(last, first + (MAX_TARGET_PIECES if short else LONG_EVIDENCE_PIECES) - 1),
        answer_type=ANSWER_TYPES.index(_answer_type(annotation)),
        null_end=0.0 if whole else NULL_END_SHARE,
    )


def _with_neighbour(piece: int, piece_token: IntArray) -> tuple[int, int]:
    """Return a piece with the next one, or the one before where a marker or the end follows; else it alone."""
    if piece + 1 < len(piece_token) and piece_token[piece + 1] >= 0:
        return piece, piece + 1
    return (piece - 1 if piece and piece_token[piece - 1] >= 0 else piece), piece


def check_annotations(example: Example) -> None:
    """Check that `example` can be trained on.

    Raises: ConfigError when it has no annotation, or an answer lies outside its document or its long answer.
    """
    if not example.annotations:
        raise ConfigError(
            f"example {example.example_id} has no annotations; expected at least one: "
            "training needs annotated data, such as `nqperf world` writes"
        )
    for annotation in example.annotations:
        _check_span(example, annotation.long_answer, 0, len(example.tokens), "long answer", "document")
        for short in annotation.short_answers:
            bounds = annotation.long_answer.start_token, annotation.long_answer.end_token
            _check_span(example, short, *bounds, "short answer", "long answer")


def _check_span(example: Example, span: Span, start: int, end: int, what: str, around: str) -> None:
    if not span.is_null and not start <= span.start_token < span.end_token <= end:
        raise ConfigError(
            f"example {example.example_id}: {what} [{span.start_token}, {span.end_token}) lies outside its {around} "
            f"[{start}, {end}): correct the annotation"
        )


def _answer_type(annotation: Annotation) -> str:
    if annotation.yes_no_answer != "NONE":
        return annotation.yes_no_answer
    return "SHORT" if annotation.short_answers else "LONG"
