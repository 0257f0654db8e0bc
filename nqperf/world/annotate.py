"""Annotating: the right answer, and annotators of whom most find it and some do not."""

from __future__ import annotations

from dataclasses import replace

from nqperf.nq.example import NULL_SPAN, Annotation, Span
from nqperf.world.document import Document, Statement
from nqperf.world.page import LURE, Wish
from nqperf.world.stream import Stream

NULL = Annotation(long_answer=NULL_SPAN, short_answers=(), yes_no_answer="NONE")

ANNOTATORS = 5
# How many of the five annotators dissent: never so many that the right answer loses its majority.
_DISSENTERS_WITH_ANSWER = ((0, 45), (1, 35), (2, 20))
_DISSENTERS_WITHOUT_ANSWER = ((0, 74), (1, 24), (2, 2))


def right_annotation(document: Document, wish: Wish) -> Annotation:
    """Return the answer that `document` was written for, as its `wish` says.

    A fact that is told twice is answered from the paragraph.
    """
    if wish.kind == "null":
        return NULL
    places = _places(document, wish)
    best = next(
        (place for place in places if document.tokens[document.candidates[place.candidate][0]] == "<P>"), places[0]
    )
    return _annotation(document, wish, best)


def five_annotations(document: Document, wish: Wish, stream: Stream) -> tuple[Annotation, ...]:
    """Return what five annotators say of `document`, in an order that `stream` draws.

    `wish` is what was asked of the page; not all five see it alike.
    """
    right = right_annotation(document, wish)
    numbers = _DISSENTERS_WITHOUT_ANSWER if right == NULL else _DISSENTERS_WITH_ANSWER
    errors = _errors_without_answer(document, wish) if right == NULL else _errors_with_answer(document, wish, right)
    dissenters = stream.weighted(numbers) if errors else 0
    said = [stream.weighted(errors) for _ in range(dissenters)]
    return tuple(stream.shuffled([*said, *[right] * (ANNOTATORS - dissenters)]))


def _places(document: Document, wish: Wish) -> list[Statement]:
    return [place for place in document.statements if place.entity is wish.subject and place.topic == wish.topic.name]


def _annotation(document: Document, wish: Wish, place: Statement, *, nested: bool = False) -> Annotation:
    index = place.nested if nested else place.candidate
    start, end, _ = document.candidates[index]
    spans = tuple(Span(start_token=first, end_token=last) for first, last in place.spans)
    return Annotation(
        long_answer=Span(start_token=start, end_token=end),
        short_answers=() if wish.kind in ("long", "yes", "no") else spans,
        yes_no_answer="YES" if wish.kind == "yes" else "NO" if wish.kind == "no" else "NONE",
        candidate_index=index,
    )


def _errors_with_answer(document: Document, wish: Wish, right: Annotation) -> list[tuple[Annotation, int]]:
    errors = [(NULL, 4)]
    if right.short_answers or right.yes_no_answer != "NONE":
        errors.append((replace(right, short_answers=(), yes_no_answer="NONE"), 2))
    if right.yes_no_answer != "NONE":
        errors.append((replace(right, yes_no_answer="NO" if right.yes_no_answer == "YES" else "YES"), 3))
    for place in _places(document, wish):
        other = _annotation(document, wish, place)
        if other != right:
            errors.append((other, 4))
        elif place.nested >= 0:
            errors.append((_annotation(document, wish, place, nested=True), 3))
    if len(right.short_answers) > 1:
        errors.append((replace(right, short_answers=right.short_answers[:1]), 4))
    elif right.short_answers:
        span = right.short_answers[0]
        if span.end_token - span.start_token > 1:
            errors.append((replace(right, short_answers=(replace(span, end_token=span.end_token - 1),)), 3))
    return errors


def _errors_without_answer(document: Document, wish: Wish) -> list[tuple[Annotation, int]]:
    """Return what one may take for an answer: a paragraph with the question's words, or the fact of another entity."""
    errors = []
    for place in document.statements:
        lure = place.topic == LURE
        if not lure and place.topic != wish.topic.name:
            continue
        start, end, _ = document.candidates[place.candidate]
        spans = () if lure else tuple(Span(start_token=first, end_token=last) for first, last in place.spans)
        found = Annotation(
            long_answer=Span(start_token=start, end_token=end),
            short_answers=spans,
            yes_no_answer="NONE",
            candidate_index=place.candidate,
        )
        errors.append((found, 3 if lure else 1))
    return errors
