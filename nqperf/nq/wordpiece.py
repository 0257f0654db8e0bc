"""BERT's WordPiece vocabulary, and Google's rules for the words that it cuts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from nqperf.errors import ConfigError
from nqperf.nq.tokenization import BERT_PIECES, UNKNOWN

# Google's WordPiece gives up on longer words and calls them unknown.
MAX_WORDPIECE_CHARACTERS = 200
# What `basic_tokens` comes to for a word of printable ASCII, most words by far.
_ASCII_TOKENS = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z ]")


class WordPieceVocabulary:
    """A BERT vocabulary, given as its `pieces` in the order of their ids.

    Basic tokenisation follows Google's rules to the character class (the `tokenizers` normaliser differs on
    private-use characters and on a final capital sigma); the longest match itself is the library's.

    With `lower_case` words are lower-cased and lose their accents first. A piece that stands twice has the id of its
    last line, as Google's own loader reads it.

    Raises: ConfigError when [UNK] is missing.
    Source: google-research/bert, tokenization.py.
    """

    special = BERT_PIECES

    def __init__(self, pieces: Sequence[str], *, lower_case: bool = True) -> None:
        from tokenizers.models import WordPiece

        self._id_of = {piece: number for number, piece in enumerate(pieces)}
        if UNKNOWN not in self._id_of:
            raise ConfigError(f"the vocabulary lacks {UNKNOWN}; expected a BERT vocab.txt, one piece a line")
        self.size = len(pieces)
        self.unknown_id = self._id_of[UNKNOWN]
        self._lower_case = lower_case
        self._model = WordPiece(self._id_of, unk_token=UNKNOWN, max_input_chars_per_word=MAX_WORDPIECE_CHARACTERS)

    def find(self, piece: str) -> int | None:
        """Return the id of the whole `piece`, None when the vocabulary lacks it."""
        return self._id_of.get(piece)

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; `opening` a text changes nothing."""
        del opening  # spaces are no part of pieces
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
    """Split `text` at white space, punctuation and CJK ideographs; drop control characters.

    With `lower_case` words become lower-case and lose their accents.

    Source: google-research/bert, BasicTokenizer.
    """
    if text.isascii() and text.isprintable():
        return ascii_tokens(text.lower() if lower_case else text)
    cleaned = "".join(_cleaned(text))
    tokens: list[str] = []
    for word in cleaned.split():
        tokens += _split_at_punctuation(_plain(word) if lower_case else word)
    return tokens


def ascii_tokens(text: str) -> list[str]:
    """Return what `basic_tokens` comes to for a `text` of printable ASCII whose case is settled."""
    return _ASCII_TOKENS.findall(text)


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
