"""The generator: examples of an invented world, one after the other, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import Annotation, Candidates, Example, Span
from nqperf.world.annotate import five_annotations, right_annotation
from nqperf.world.document import Document, write_html
from nqperf.world.kinds import build_region
from nqperf.world.names import Split
from nqperf.world.page import AnswerKind, Pen
from nqperf.world.plan import MAX_TOKENS, write_page
from nqperf.world.stream import Stream, keyed_integer
from nqperf.world.wish import choose

MEDIAN_TOKENS = 700
MIN_TOKENS = 300
_LONGEST_WISHED = MAX_TOKENS - 400
# Wished page lengths by per mille of the pages, for a median of 700 tokens; between the points the length grows evenly.
# A page ends with the section that reaches its wish, which adds about a hundred tokens.
_LENGTHS = ((0, 230), (250, 410), (500, 600), (750, 800), (900, 1_100), (970, 2_000), (1_000, _LONGEST_WISHED))
# From here on paragraphs are long, so that the answer stays among the candidates that a context takes up (48).
_ROOMY_FROM = 1_500
# The training split draws many pages from one region, which saves time; the development split prefers new names.
_PAGES_PER_REGION = {"train": 56, "dev": 14}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorldExample:
    """An `example` of the world with what the original layout adds.

    That is the page's `title`, `url` and `html`, and each token's place in its UTF-8 bytes, from `start_bytes` to
    `end_bytes` (exclusive). `answer` is the kind of answer that the page was written for, whatever its annotators say.
    """

    example: Example
    title: str
    url: str
    html: str
    start_bytes: list[int]
    end_bytes: list[int]
    answer: AnswerKind


def generate(*, examples: int, seed: int, split: Split, median_tokens: int = MEDIAN_TOKENS) -> Iterator[WorldExample]:
    """Yield so many `examples` of a `split`.

    Those of "train" are one-way annotated, those of "dev" five-way, with other names and more phrasings. The same
    `seed` makes the same. The first examples of a longer run are those of a shorter one. `median_tokens` moves the
    whole distribution of page lengths, within 300 to 6,000 tokens.

    Raises: ConfigError when a number is out of range.
    """
    if examples < 0:
        raise ConfigError(f"examples: got {examples}, expected 0 or more: give the number of examples to make")
    if not 400 <= median_tokens <= 2_000:  # noqa: PLR2004 - the range in which both ends of the distribution hold
        raise ConfigError(f"median_tokens: got {median_tokens}, expected 400 to 2000: choose a length within")
    return _generate(examples, seed, split, median_tokens)


def _generate(examples: int, seed: int, split: Split, median_tokens: int) -> Iterator[WorldExample]:
    per_region = _PAGES_PER_REGION[split]
    for first in range(0, examples, per_region):
        region = build_region(seed=seed, split=split, index=first // per_region)
        order = Stream(seed, split, "order", first).shuffled(region.everything())
        for number in range(first, min(first + per_region, examples)):
            stream = Stream(seed, split, "example", number)
            page_of, wish, question = choose(region, order[number - first], stream)
            length = _length(stream, median_tokens)
            pen = Pen(
                entity=page_of,
                region=region,
                wish=wish,
                roomy=length > _ROOMY_FROM,
                held_out=split == "dev",
                stream=stream,
            )
            document = write_page(pen, length)
            annotations = (
                five_annotations(document, wish, stream) if split == "dev" else (right_annotation(document, wish),)
            )
            example_id = _example_id(seed, split, number)
            yield _finish(example_id, question, page_of.name, document, annotations, wish.kind)


def _length(stream: Stream, median_tokens: int) -> int:
    at = stream.below(1_000)
    start, short = _LENGTHS[0]
    length = short
    for end, long in _LENGTHS[1:]:
        if start <= at < end:
            length = short + (long - short) * (at - start) // (end - start)
        start, short = end, long
    return max(MIN_TOKENS, min(length * median_tokens // MEDIAN_TOKENS, _LONGEST_WISHED))


def _example_id(seed: int, split: Split, number: int) -> int:
    """Return a 63-bit id; multiples of the golden ratio are all different and stay far apart from each other."""
    return (keyed_integer(seed, split, "ids") + number * 0x9E3779B97F4A7C15) % (1 << 63)


def _finish(
    example_id: int,
    question: str,
    title: str,
    document: Document,
    annotations: tuple[Annotation, ...],
    answer: AnswerKind,
) -> WorldExample:
    html, starts, ends = write_html(title, document.tokens)

    def with_bytes(span: Span) -> Span:
        if span.is_null:
            return span
        first, end = span.start_token, span.end_token
        return Span(start_token=first, end_token=end, start_byte=starts[first], end_byte=ends[end - 1])

    start_token, end_token, top_level = zip(*document.candidates, strict=True)
    example = Example(
        example_id=example_id,
        question=question,
        tokens=document.tokens,
        is_html=np.array(["<" in token for token in document.tokens]),
        candidates=Candidates(
            start_token=np.array(start_token, np.int32),
            end_token=np.array(end_token, np.int32),
            top_level=np.array(top_level, np.bool_),
        ),
        annotations=tuple(
            replace(
                annotation,
                long_answer=with_bytes(annotation.long_answer),
                short_answers=tuple(map(with_bytes, annotation.short_answers)),
            )
            for annotation in annotations
        ),
    )
    return WorldExample(
        example=example,
        title=title,
        url="https://world.example/wiki/" + title.replace(" ", "_"),
        html=html,
        start_bytes=starts,
        end_bytes=ends,
        answer=answer,
    )
