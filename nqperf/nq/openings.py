"""What has to stand around a word so that words cut one by one give the pieces of their text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product
from typing import TypeVar

from nqperf.errors import ConfigError

# SentencePiece's sign for a space, which opens every word.
SPACE = "\u2581"
# With it and a byte-level BPE's.
_SPACES = f" {SPACE}\u0120"
_SPANS = re.compile(rf"[^\s{_SPACES}][{_SPACES}]")
_TRIAL_WORDS = ("a", "The", "is", "1850", "\u00e9", "\u4e2d", "\u65b0")
# Nothing, what may come to nothing (\u0e70 is no character), and white space of other kinds at a word's edges.
_EDGE_WORDS = ("", "\u0301", "\u200b", "a\u00a0", "a\x85", "a\u3000", "\u00a0a", "\x85", "\u0e70")
# Of a vocabulary's own words, and of its pieces with a space within, that are tried.
_MOST_TRIED = 40

_Piece = TypeVar("_Piece")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a word needs around it to be cut as it is within a text.

    `before` it, whose own pieces are the first `skipped`, and `after` it, whose are the last `dropped`. That is nothing
    where every word is cut alike, a space, or whole words where spaces at the ends of a text are trimmed.
    """

    before: str = ""
    skipped: int = 0
    after: str = ""
    dropped: int = 0

    def of_first(self) -> Opening:
        """Return what the first word of a text needs: nothing stands before it."""
        return replace(self, before="", skipped=0)

    def text(self, word: str) -> str:
        """Return the text that is cut for `word`."""
        return f"{self.before}{word}{self.after}"

    def own(self, cut: list[_Piece]) -> list[_Piece]:
        """Return a word's own pieces of `cut`, those that its text was cut into."""
        return cut[self.skipped : len(cut) - self.dropped] if self.skipped or self.dropped else cut


def opening_of_words(encode: Callable[[str], list[int]], unknown: int, *, pieces: Sequence[str] = ()) -> Opening:
    """Return what has to stand around a word, so that words cut one by one give their text's own pieces.

    `encode` gives the ids of the pieces of a text, and `pieces` are the vocabulary's. Words with the piece `unknown`
    are no trial: SentencePiece makes one of several that follow each other.

    Raises: ConfigError when nothing does.
    """

    def holds(opening: Opening, words: Sequence[str]) -> bool:
        first, *others = words
        cut = (opening.own(encode(opening.text(other))) for other in others)
        first_opening = opening.of_first()
        return encode(" ".join(words)) == sum(cut, first_opening.own(encode(first_opening.text(first))))

    def known(words: Iterable[str]) -> bool:
        return all(unknown not in encode(word) for word in words)

    one_piece, space_piece = len(encode("a")), len(encode("a a")) - len(encode("a"))
    openings = [Opening(), Opening(before=" "), Opening(before="a ", skipped=one_piece)]
    if space_piece > 0:  # else the two are one to the vocabulary
        openings.append(Opening(before="a ", skipped=one_piece, after=" a", dropped=space_piece))
    plain = list(filter(lambda word: known([word]), _TRIAL_WORDS))
    spanned = [words for words in _spanning(pieces) if known([" ".join(words)])]
    trials = [*product(plain, plain), *filter(known, pairwise(_spelt(pieces))), *spanned]
    fit = [opening for opening in openings if all(holds(opening, words) for words in trials)]
    if not fit:
        raise ConfigError(
            "cuts a word otherwise within a text than by itself, and documents are cut word by word: use a tokenizer "
            "that parts text at spaces"
        )
    # Of a word without a letter that is kept, the space before it may be left; the first of equals is the cheapest.
    return max(fit, key=lambda opening: sum(holds(opening, ("a", edge, "The")) for edge in _EDGE_WORDS))


def _spelt(pieces: Sequence[str]) -> list[str]:
    """Return some of the words that pieces spell, for vocabularies of any language."""
    words = [word for piece in pieces if (word := piece.lstrip(_SPACES)).isalpha()]
    return words[:: max(1, len(words) // _MOST_TRIED)]


def _spanning(pieces: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words of some pieces that hold a space behind a letter or sign: such a piece would span words."""
    spanning = (piece for piece in pieces if _SPANS.search(piece))
    for piece in islice(spanning, _MOST_TRIED):
        yield tuple(piece.translate(dict.fromkeys(map(ord, _SPACES), " ")).split(" "))
