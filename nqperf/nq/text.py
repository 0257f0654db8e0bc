"""Plain text as a document: paragraphs become candidates, words become tokens that know their characters."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import Candidates, Example, IntArray

# A blank line ends a paragraph.
_PARAGRAPH = re.compile(r"(?:[^\n]|\n(?![^\S\n]*\n))+")
# A word with what is written into it (3,470, it's, U-boat), else one character: Natural Questions' tokens stand so.
_TOKEN = re.compile(r"\w+(?:[.,'\u2019\-]\w+)*|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextDocument:
    """A text cut into tokens and paragraphs, each paragraph between the tags `<P>` and `</P>`.

    Shapes: tokens list[str] of length n; start_char, end_char int32[n], the stretch of the text that a token is (empty
    for a tag); paragraph_token int32[m, 2], the tokens [start, end) of each paragraph, its tags included.
    """

    text: str
    tokens: list[str]
    start_char: IntArray
    end_char: IntArray
    paragraph_token: IntArray

    @classmethod
    def of(cls, text: str) -> TextDocument:
        """Cut a text into paragraphs, at blank lines, and into tokens.

        Raises: ConfigError when it holds no word.
        """
        tokens: list[str] = []
        chars: list[tuple[int, int]] = []
        paragraphs: list[tuple[int, int]] = []
        for paragraph in _PARAGRAPH.finditer(text):
            words = list(_TOKEN.finditer(text, *paragraph.span()))
            if not words:
                continue
            start_token = len(tokens)
            tokens += ["<P>", *(word.group() for word in words), "</P>"]
            chars += [(words[0].start(),) * 2, *(word.span() for word in words), (words[-1].end(),) * 2]
            paragraphs.append((start_token, len(tokens)))
        if not paragraphs:
            raise ConfigError("the document holds no word; expected text, paragraphs apart by a blank line")
        bounds = np.array(chars, dtype=np.int32)
        return cls(
            text=text,
            tokens=tokens,
            start_char=bounds[:, 0],
            end_char=bounds[:, 1],
            paragraph_token=np.array(paragraphs, dtype=np.int32),
        )

    def example(self, question: str, *, example_id: int = 0) -> Example:
        """Return `question` to this document as the example `example_id`; every paragraph is a top-level candidate."""
        start_token, end_token = self.paragraph_token.T
        return Example(
            example_id=example_id,
            question=question,
            tokens=self.tokens,
            is_html=self.start_char == self.end_char,
            candidates=Candidates(
                start_token=start_token, end_token=end_token, top_level=np.ones(len(start_token), dtype=np.bool_)
            ),
        )

    def chars(self, start_token: int, end_token: int) -> tuple[int, int]:
        """Return the stretch [start, end) of the text that the tokens [start_token, end_token) cover."""
        return int(self.start_char[start_token]), int(self.end_char[end_token - 1])
