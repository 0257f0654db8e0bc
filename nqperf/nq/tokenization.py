"""Words to pieces: SentencePiece and WordPiece behind one protocol, with a word cache in front of both."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import IntArray, LongArray

# Natural Questions repeats its words: this many keep the hit rate above 95 % and the memory below 100 MB.
MAX_CACHED_WORDS = 1 << 18
# Google's WordPiece gives up on longer words and calls them unknown.
MAX_WORDPIECE_CHARACTERS = 200
# What `basic_tokens` comes to for a word of printable ASCII, most words by far.
_ASCII_TOKENS = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z ]")
UNKNOWN = "[UNK]"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """The pieces of a list of words, and the token map from a word to its pieces.

    Shapes: ids int32[p]; starts int32[w + 1]: word i has the pieces starts[i]:starts[i + 1], possibly none.
    """

    ids: IntArray
    starts: IntArray

    def piece_word(self) -> IntArray:
        """Return the token map from a piece to its word: int32[p]."""
        words = np.arange(len(self.starts) - 1, dtype=np.int32)
        return np.repeat(words, np.diff(self.starts))


class Vocabulary(Protocol):
    """What a subword model must offer; `SentencePieceVocabulary` and `WordPieceVocabulary` do."""

    size: int
    unknown_id: int

    def find(self, piece: str) -> int | None:
        """Return the id of a whole piece, None when the vocabulary lacks it."""

    def encode(self, words: list[str]) -> list[list[int]]:
        """Return the ids of each word's pieces."""


class Tokenizer:
    """Words to pieces, each distinct word encoded once.

    A marker (a word in square brackets) is looked up whole and is the unknown piece where the vocabulary lacks it.

    Raises: ConfigError when the vocabulary lacks [CLS], [SEP] or [Q].
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.cls_id = self._special("[CLS]")
        self.sep_id = self._special("[SEP]")
        self.question_id = self._special("[Q]")
        self._forget()

    def encode(self, words: Sequence[str]) -> Pieces:
        """Return the pieces of `words`, in order."""
        if len(self._row_of) > MAX_CACHED_WORDS:
            self._forget()
        row = self._rows(words)
        new = np.flatnonzero(row < 0)
        if len(new):
            self._learn(sorted({words[word] for word in new.tolist()}))
            row = self._rows(words)
        sizes = self._starts[row + 1] - self._starts[row]
        starts = np.zeros(len(words) + 1, dtype=np.int32)
        np.cumsum(sizes, out=starts[1:])
        gather = np.arange(starts[-1]) + np.repeat(self._starts[row] - starts[:-1], sizes)
        return Pieces(ids=self._ids[gather], starts=starts)

    def _rows(self, words: Sequence[str]) -> LongArray:
        """Return each word's row in the cache, -1 for a word that is not there."""
        return np.fromiter(map(self._row_of.get, words, repeat(-1)), dtype=np.int64, count=len(words))

    def _special(self, piece: str) -> int:
        found = self.vocabulary.find(piece)
        if found is None:
            raise ConfigError(
                f"the vocabulary of {self.vocabulary.size} pieces lacks {piece}; "
                "expected one made for BERT Joint, with [CLS], [SEP] and [Q]"
            )
        return found

    def _forget(self) -> None:
        """Start the cache anew: a flat array of ids, and the row of each word in it."""
        self._row_of: dict[str, int] = {}
        self._ids = np.zeros(0, dtype=np.int32)
        self._starts = np.zeros(1, dtype=np.int64)

    def _learn(self, words: list[str]) -> None:
        encoded = [[self._marker_id(word)] if is_marker(word) else None for word in words]
        plain = self.vocabulary.encode([word for word, ids in zip(words, encoded, strict=True) if ids is None])
        rest = iter(plain)
        rows = [next(rest) if ids is None else ids for ids in encoded]
        sizes = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        fresh = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=int(sizes.sum()))
        first_row = len(self._row_of)
        self._row_of.update(zip(words, range(first_row, first_row + len(words)), strict=True))
        self._starts = np.concatenate([self._starts, self._starts[-1] + np.cumsum(sizes)])
        self._ids = np.concatenate([self._ids, fresh])

    def _marker_id(self, word: str) -> int:
        found = self.vocabulary.find(word)
        return self.vocabulary.unknown_id if found is None else found


def is_marker(word: str) -> bool:
    """Tell whether a word stands in square brackets and holds no space."""
    return len(word) > 1 and word[0] == "[" and word[-1] == "]" and " " not in word


class SentencePieceVocabulary:
    """A SentencePiece model, given as the bytes of its `tokenizer.model`.

    Raises: ConfigError when the bytes are no SentencePiece model.
    """

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        try:
            self._processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise ConfigError(f"not a SentencePiece model ({error}); expected a tokenizer.model") from error
        self.size: int = self._processor.get_piece_size()
        self.unknown_id: int = self._processor.unk_id()

    def find(self, piece: str) -> int | None:
        """Return the id of a whole piece, None when the vocabulary lacks it."""
        found: int = self._processor.piece_to_id(piece)
        return None if found == self.unknown_id and self._processor.id_to_piece(found) != piece else found

    def encode(self, words: list[str]) -> list[list[int]]:
        """Return the ids of each word's pieces."""
        encoded: list[list[int]] = self._processor.encode(words)
        return encoded


class WordPieceVocabulary:
    """A BERT vocabulary, given as its pieces in the order of their ids.

    Basic tokenisation follows Google's rules to the character class (the `tokenizers` normaliser differs on
    private-use characters and on a final capital sigma); the longest match itself is the library's.

    Raises: ConfigError when [UNK] is missing or a piece stands twice.
    Source: google-research/bert, tokenization.py.
    """

    def __init__(self, pieces: Sequence[str], *, lower_case: bool = True) -> None:
        from tokenizers.models import WordPiece

        self._id_of = {piece: number for number, piece in enumerate(pieces)}
        if len(self._id_of) < len(pieces):
            twice = next(piece for number, piece in enumerate(pieces) if self._id_of[piece] != number)
            raise ConfigError(f"the vocabulary has the piece {twice!r} twice; expected each piece on one line")
        if UNKNOWN not in self._id_of:
            raise ConfigError(f"the vocabulary lacks {UNKNOWN}; expected a BERT vocab.txt, one piece a line")
        self.size = len(pieces)
        self.unknown_id = self._id_of[UNKNOWN]
        self._lower_case = lower_case
        self._model = WordPiece(self._id_of, unk_token=UNKNOWN, max_input_chars_per_word=MAX_WORDPIECE_CHARACTERS)

    def find(self, piece: str) -> int | None:
        """Return the id of a whole piece, None when the vocabulary lacks it."""
        return self._id_of.get(piece)

    def encode(self, words: list[str]) -> list[list[int]]:
        """Return the ids of each word's pieces."""
        return [self._encode_word(word) for word in words]

    def _encode_word(self, word: str) -> list[int]:
        if word.isascii() and word.isalnum():  # the longest match of a known plain word is the word
            known = self._id_of.get(word.lower() if self._lower_case else word)
            if known is not None:
                return [known]
        return [
            token.id
            for basic in basic_tokens(word, lower_case=self._lower_case)
            for token in self._model.tokenize(basic)
        ]


def basic_tokens(text: str, *, lower_case: bool) -> list[str]:
    """Split text at white space, punctuation and CJK ideographs; drop control characters; lower-case without accents.

    Source: google-research/bert, BasicTokenizer.
    """
    if text.isascii() and text.isprintable():
        return _ASCII_TOKENS.findall(text.lower() if lower_case else text)
    cleaned = "".join(_cleaned(text))
    tokens: list[str] = []
    for word in cleaned.split():
        tokens += _split_at_punctuation(_plain(word) if lower_case else word)
    return tokens


def _cleaned(text: str) -> Iterable[str]:
    for character in text:
        if character in " \t\n\r" or unicodedata.category(character) == "Zs":
            yield " "
        elif character in "\0\ufffd" or unicodedata.category(character) in ("Cc", "Cf"):
            continue
        elif _is_ideograph(ord(character)):
            yield f" {character} "
        else:
            yield character


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.lower())
    return "".join(character for character in decomposed if unicodedata.category(character) != "Mn")


def _split_at_punctuation(word: str) -> list[str]:
    spaced = "".join(f" {character} " if _is_punctuation(character) else character for character in word)
    return [part for part in spaced.split(" ") if part]


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")


def _is_ideograph(code: int) -> bool:
    return code >= _FIRST_IDEOGRAPH and any(first <= code <= last for first, last in _IDEOGRAPHS)


_FIRST_IDEOGRAPH = 0x3400
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
