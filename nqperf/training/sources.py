"""Where training examples come from, and which of them are held out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from nqperf.errors import ConfigError
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.training.articles import read_qed, read_squad, read_titles
from nqperf.nq.example import Example
from nqperf.training.articles import (
    qed_examples,
    search_question,
    squad_examples,
    tokenize_text,
)
from nqperf.world.generate import generate

SourceKind = Literal["nq", "squad", "qed", "world"]
# One article in ten is held out, by its title, of every source alike: the sources share questions, and one that QED has
# taught is no test of anything when it is asked again of its whole article.
HELD_OUT_PART = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of examples, of a `kind`: a file (nq, squad or qed), or generated ones (world).

    `path` is the file, `examples` how many are generated. `share` is its part of the rows, in proportion to the other
    sources' shares.
    Raises: ConfigError for an unknown kind, a share below 0, or a path where examples are generated, and the other way
    round.
    """

    kind: SourceKind
    share: float = 1.0
    path: str = ""
    examples: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(SourceKind):
            raise ConfigError(f"source {self.kind!r} is unknown; expected one of {', '.join(get_args(SourceKind))}")
        if not self.share >= 0:
            raise ConfigError(f"share of source {self.kind} is {self.share}; expected at least 0")
        if (self.kind == "world") != (self.examples > 0) or (self.kind == "world") == bool(self.path):
            raise ConfigError(
                f"source {self.kind} with path {self.path!r} and {self.examples} examples; "
                "expected a number of examples for the world and a path for the others"
            )

    def training_examples(self, seed: int) -> Iterator[Example]:
        """Yield the examples to train on, those of one document next to each other; `seed` draws what may vary."""
        if self.kind == "world":
            return (one.example for one in generate(examples=self.examples, seed=seed, split="train"))
        return self._of_file(seed, held_out=False)

    def held_out_examples(self) -> Iterator[Example]:
        """Yield the examples that thresholds and validations ask: those of a file's held-out articles."""
        return iter(()) if self.kind == "world" else self._of_file(0, held_out=True)

    def texts(self) -> Iterator[str]:
        """Yield lines of words for a vocabulary: questions, and paragraphs without tags."""
        if self.kind == "squad":
            for article in read_squad(self.path):
                for paragraph in article.paragraphs:
                    yield " ".join(tokenize_text(paragraph.text)[0])
                    yield from (search_question(question) for question, _, _ in paragraph.questions)
        elif self.kind == "qed":
            for one in read_qed(self.path):
                yield one.question
                yield one.paragraph
        else:
            for example in self.training_examples(0) if self.kind == "world" else NqReader(source=self.path).examples():
                yield example.question
                yield from _text_runs(example)

    def _of_file(self, seed: int, *, held_out: bool) -> Iterator[Example]:
        if self.kind == "squad":
            articles = read_squad(self.path)
            return squad_examples([one for one in articles if is_held_out(one.title) == held_out], seed)
        if self.kind == "qed":
            questions = read_qed(self.path)
            return qed_examples([one for one in questions if is_held_out(one.title) == held_out], seed)
        return self._natural_questions(held_out=held_out)

    def _natural_questions(self, *, held_out: bool) -> Iterator[Example]:
        titles = {one.example_id: one.document_title for one in read_titles(self.path)}
        for example in NqReader(source=self.path).examples():
            title = titles[example.example_id]
            if is_held_out(title) == held_out:
                yield example


def is_held_out(title: str) -> bool:
    """Tell whether the article called `title` is one that no source trains on."""
    return zlib.crc32(title.encode()) % HELD_OUT_PART == 0


def _text_runs(example: Example) -> Iterator[str]:
    """Yield the words between two tags, joined by spaces."""
    words: list[str] = []
    for token, is_tag in zip([*example.tokens, ""], [*example.is_html.tolist(), True], strict=True):
        if not is_tag:
            words.append(token)
        elif words:
            yield " ".join(words)
            words = []
