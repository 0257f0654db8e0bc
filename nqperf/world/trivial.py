"""Answerers that read nothing: a model must beat them by far, or the examples measure no reading."""

from __future__ import annotations

from nqperf.nq.example import NULL_SPAN, Example, Prediction, Span


def first_paragraph(example: Example) -> Prediction:
    """Return the first paragraph of the page of `example` as the long answer to whatever is asked."""
    for candidate in _top_level(example):
        if example.tokens[candidate.start_token] == "<P>":
            return _prediction(example, candidate)
    return _prediction(example, NULL_SPAN)


def most_overlap(example: Example) -> Prediction:
    """Return the top-level candidate of `example` with most of the question's words; of equals, the first one."""
    asked = set(example.question.replace("?", "").split())

    def shared(candidate: Span) -> int:
        return len(asked & {word.lower() for word in example.tokens[candidate.start_token : candidate.end_token]})

    return _prediction(example, max(_top_level(example), key=shared, default=NULL_SPAN))


def _top_level(example: Example) -> list[Span]:
    candidates = example.candidates
    rows = zip(candidates.start_token.tolist(), candidates.end_token.tolist(), candidates.top_level, strict=True)
    return [Span(start_token=start, end_token=end) for start, end, top_level in rows if top_level]


def _prediction(example: Example, long_answer: Span) -> Prediction:
    return Prediction(
        example_id=example.example_id,
        long_answer=long_answer,
        long_answer_score=0.0 if long_answer.is_null else 1.0,
        short_answers=(),
        short_answers_score=0.0,
    )
