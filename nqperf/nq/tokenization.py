"""Words to pieces: every vocabulary behind one protocol, with a word cache in front; SentencePiece's stands here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Protocol

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import IntArray, LongArray
from nqperf.nq.openings import opening_of_words

# Natural Questions repeats its words: this many keep the hit rate above 95 % and the memory below 100 MB.
MAX_CACHED_WORDS = 1 << 18
UNKNOWN = "[UNK]"
_HALF_PAIRS = re.compile(r"[\ud800-\udfff]")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialPieces:
    """The pieces that frame an input, `cls question sep window sep`; BERT's by default.

    `separators` stand between question and window. `pad` fills an input up; None is piece 0, whatever it is.
    `unknown` is for what is not in the vocabulary. `family`
    is whose way of framing it is, and `opens_question` whether its vocabularies have [Q] where they were made for BERT
    Joint.
    """

    cls: str = "[CLS]"
    sep: str = "[SEP]"
    separators: int = 1
    pad: str | None = None
    unknown: str = UNKNOWN
    family: str = "bert"
    opens_question: bool = True


BERT_PIECES = SpecialPieces()
# RoBERTa puts two separators between the question and the window.
ROBERTA_PIECES = SpecialPieces(
    cls="<s>", sep="</s>", separators=2, pad="<pad>", unknown="<unk>", family="roberta", opens_question=False
)
# GPT-2 has one piece for all ends.
GPT2_PIECES = SpecialPieces(
    cls="<|endoftext|>",
    sep="<|endoftext|>",
    pad="<|endoftext|>",
    unknown="<|endoftext|>",
    family="gpt2",
    opens_question=False,
)
# Opens the question in a vocabulary that was made for BERT Joint.
QUESTION = "[Q]"


class Vocabulary(Protocol):
    """What a subword model must offer; `SentencePieceVocabulary`, `WordPieceVocabulary` and others do.

    `size` is the number of its ids, `unknown_id` the id of what it has no piece for, and `special` has the pieces that
    frame an input.
    """

    size: int
    unknown_id: int
    special: SpecialPieces

    def find(self, piece: str) -> int | None:
        """Return the id of the whole `piece`, None when the vocabulary lacks it."""

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; some vocabularies ask whether it is `opening` a text."""


class Tokenizer:
    """Words to pieces of `vocabulary`, each distinct word encoded once.

    A marker (a word in square brackets) is looked up whole and is the unknown piece where the vocabulary lacks it.
    Nothing opens the question in a vocabulary without [Q]: those of other families, and a `plain` one of BERT's kind,
    which an encoder without trained heads comes with.

    Raises: ConfigError when the vocabulary lacks a piece that frames inputs, or [Q] where it needs one.
    """

    def __init__(self, vocabulary: Vocabulary, *, plain: bool = False) -> None:
        self.vocabulary = vocabulary
        special = vocabulary.special
        self.cls_id = self._special(special.cls)
        self.sep_id = self._special(special.sep)
        self.pad_id = 0 if special.pad is None else self._special(special.pad)
        self.separators = special.separators
        self.question_id = vocabulary.find(QUESTION)
        if self.question_id is None and special.opens_question and not plain:
            self._special(QUESTION)
        self._forget()

    def encode_question(self, question: str) -> IntArray:
        """Return [Q], where the vocabulary has it, and the pieces of the words of `question`."""
        marker = [] if self.question_id is None else [self.question_id]
        first, *others = question.split(" ")
        cut = [[self._marker_id(first)]] if is_marker(first) else self.vocabulary.encode([whole(first)], opening=True)
        opening = cut[0]
        return np.concatenate([np.array([*marker, *opening], dtype=np.int32), self.encode(others).ids])

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
                f"expected one made for BERT Joint, with {', '.join(self._needed())}"
            )
        return found

    def _needed(self) -> list[str]:
        special = self.vocabulary.special
        needed = [special.cls, special.sep, *([special.pad] if special.pad else [])]
        return list(dict.fromkeys([*needed, QUESTION] if special.opens_question else needed))

    def _forget(self) -> None:
        """Start the cache anew: a flat array of ids, and the row of each word in it."""
        self._row_of: dict[str, int] = {}
        self._ids = np.zeros(0, dtype=np.int32)
        self._starts = np.zeros(1, dtype=np.int64)

    def _learn(self, words: list[str]) -> None:
        encoded = [[self._marker_id(word)] if is_marker(word) else None for word in words]
        plain = self.vocabulary.encode([whole(word) for word, ids in zip(words, encoded, strict=True) if ids is None])
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


def whole(word: str) -> str:
    """Return `word` with U+FFFD for each half of a surrogate pair, which is no character and which nobody can cut."""
    return word if word.isascii() else _HALF_PAIRS.sub("\ufffd", word)


def is_marker(word: str) -> bool:
    """Tell whether `word` stands in square brackets and holds no space."""
    return len(word) > 1 and word[0] == "[" and word[-1] == "]" and " " not in word


class SentencePieceVocabulary:
    """A SentencePiece `model`, given as the bytes of its file; `special` are the pieces that frame an input.

    Raises: ConfigError when the bytes are no SentencePiece model, or one whose words depend on each other.
    """

    def __init__(self, model: bytes, special: SpecialPieces = BERT_PIECES) -> None:
        from sentencepiece import SentencePieceProcessor

        try:
            self._processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise ConfigError(f"not a SentencePiece model ({error}); expected a tokenizer.model") from error
        self.size: int = self._processor.get_piece_size()
        self.unknown_id: int = self._processor.unk_id()
        self.special = special
        self._opening = opening_of_words(self._processor.encode, self.unknown_id, pieces=self.pieces())

    def pieces(self) -> list[str]:
        """Return every piece, in the order of their ids."""
        return [self._processor.id_to_piece(number) for number in range(self.size)]

    def normalised(self, text: str) -> str:
        """Return what the model makes of `text` before it is cut."""
        found: str = self._processor.normalize(text)
        return found

    def find(self, piece: str) -> int | None:
        """Return the id of the whole `piece`, None when the vocabulary lacks it."""
        found: int = self._processor.piece_to_id(piece)
        return None if found == self.unknown_id and self._processor.id_to_piece(found) != piece else found

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; an `opening` one has no other before it."""
        encoded: list[list[int]] = self._within(words, int, opening=opening)
        return encoded

    def _within(self, words: list[str], kind: type, *, opening: bool) -> list[list[Any]]:
        """Return the pieces of each word, as ids (`kind` int) or as they are spelt (str)."""
        around = self._opening.of_first() if opening else self._opening
        cut: list[list[Any]] = self._processor.encode(list(map(around.text, words)), out_type=kind)
        return list(map(around.own, cut))
