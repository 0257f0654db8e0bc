"""The two layouts of Natural Questions: examples of the world as plain objects that JSON can hold."""

from __future__ import annotations

from typing import Any

from nqperf.nq.example import Annotation, Span
from nqperf.world.generate import WorldExample
from nqperf.world.stream import keyed_integer


def simplified(example: WorldExample) -> dict[str, Any]:
    """Return `example` in the simplified layout: the tokens in one text, no bytes."""
    return {
        "example_id": example.example.example_id,
        "question_text": example.example.question,
        "document_title": example.title,
        "document_url": example.url,
        "document_text": " ".join(example.example.tokens),
        "long_answer_candidates": _candidates(example, with_bytes=False),
        "annotations": _annotations(example, with_bytes=False),
    }


def original(example: WorldExample) -> dict[str, Any]:
    """Return `example` in the original layout: the page's HTML, and every token and answer with its bytes in it."""
    return {
        "example_id": example.example.example_id,
        "question_text": example.example.question,
        "question_tokens": example.example.question.split(),
        "document_title": example.title,
        "document_url": example.url,
        "document_html": example.html,
        "document_tokens": [
            {"token": token, "html_token": "<" in token, "start_byte": start, "end_byte": end}
            for token, start, end in zip(example.example.tokens, example.start_bytes, example.end_bytes, strict=True)
        ],
        "long_answer_candidates": _candidates(example, with_bytes=True),
        "annotations": _annotations(example, with_bytes=True),
    }


def _candidates(example: WorldExample, *, with_bytes: bool) -> list[dict[str, Any]]:
    candidates = example.example.candidates
    rows = []
    for start, end, top_level in zip(
        candidates.start_token.tolist(), candidates.end_token.tolist(), candidates.top_level.tolist(), strict=True
    ):
        row = {"start_token": start, "end_token": end, "top_level": top_level}
        if with_bytes:
            row |= {"start_byte": example.start_bytes[start], "end_byte": example.end_bytes[end - 1]}
        rows.append(row)
    return rows


def _annotations(example: WorldExample, *, with_bytes: bool) -> list[dict[str, Any]]:
    return [
        {
            # NQ's ids are unsigned 64-bit integers without a meaning.
            "annotation_id": keyed_integer("annotation", example.example.example_id, number),
            "long_answer": _span(annotation.long_answer, with_bytes=with_bytes) | _index(annotation),
            "short_answers": [_span(span, with_bytes=with_bytes) for span in annotation.short_answers],
            "yes_no_answer": annotation.yes_no_answer,
        }
        for number, annotation in enumerate(example.example.annotations)
    ]


def _index(annotation: Annotation) -> dict[str, int]:
    return {"candidate_index": annotation.candidate_index}


def _span(span: Span, *, with_bytes: bool) -> dict[str, int]:
    tokens = {"start_token": span.start_token, "end_token": span.end_token}
    return tokens | ({"start_byte": span.start_byte, "end_byte": span.end_byte} if with_bytes else {})
