"""Plain text as a document: paragraphs become candidates, words become tokens that know their characters."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import Candidates, Example, IntArray

# A blank line ends a paragraph.
_PARAGRAPH = re.compile(r"(?:[^\n]|\n(?![^\S\n]*\n))+")
# A word with what is written into it (3,470, it's, U-boat), else one character: Natural Questions' tokens stand so.
_ASCII_TOKEN = re.compile(r"\w+(?:[.,'\-]\w+)*|[^\w\s]")
# The same over the kinds of characters, one letter a character: w of a word, h of a script without spaces, j what joins
# words, z what joins signs, m what belongs to the character before it, x another sign, and a space.
_TOKEN = re.compile(r"(?:w[mz]*)+(?:j(?:w[mz]*)+)*|h[mz]*|[xj]m*(?:z+xm*)*z*|[mz]+")
_JOINING = frozenset(".,'\u2019-")
_JOINER, _NON_JOINER = "\u200d", "\u200c"
# Half-width sound marks and skin tones are letters and signs by their categories; they belong to what stands before.
_OTHER_MARKS = frozenset("\uff9e\uff9f" + "".join(map(chr, range(0x1F3FB, 0x1F400))))
# Chinese and Japanese, where words are not apart: ideographs, radicals, kana, bopomofo, each [first, last].
_WITHOUT_SPACES = (
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3031, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFD),
)


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
        """Cut `text` into paragraphs, at blank lines, and into tokens.

        A letter and its marks are in one token; of Chinese and Japanese each character is one.

        Raises: ConfigError when it holds no word.
        """
        tokens: list[str] = []
        chars: list[tuple[int, int]] = []
        paragraphs: list[tuple[int, int]] = []
        token, kinds = (_ASCII_TOKEN, text) if text.isascii() else (_TOKEN, "".join(map(_kind, text)))
        for paragraph in _PARAGRAPH.finditer(text):
            words = [word.span() for word in token.finditer(kinds, *paragraph.span())]
            if not words:
                continue
            start_token = len(tokens)
            tokens += ["<P>", *(text[start:end] for start, end in words), "</P>"]
            chars += [(words[0][0],) * 2, *words, (words[-1][1],) * 2]
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


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> str:
    """Return the kind of a character, as `_TOKEN` reads it."""
    if character.isspace():
        return " "
    if character == _JOINER:
        return "z"
    if character == _NON_JOINER or character in _OTHER_MARKS or unicodedata.category(character)[0] == "M":
        return "m"
    if character in _JOINING:
        return "j"
    if not (character.isalnum() or character == "_"):
        return "x"
    return "h" if any(first <= ord(character) <= last for first, last in _WITHOUT_SPACES) else "w"
