"""SentencePiece vocabularies beside the plain one: ALBERT's, and any with pieces that were added to it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

from nqperf.errors import ConfigError
from nqperf.nq.openings import SPACE
from nqperf.nq.tokenization import BERT_PIECES, SentencePieceVocabulary, SpecialPieces, Vocabulary


class AlbertVocabulary(SentencePieceVocabulary):
    """ALBERT's SentencePiece model, whose words are prepared by its authors' rules before they are cut.

    `model` is the content of the SentencePiece file, `special` are the pieces that frame an input; `lower_case`,
    `keep_accents` and `remove_space` are as in `tokenizer_config.json`.

    Source: google-research/albert, tokenization.py: quotes of two characters become one, accents go unless they are
    kept, white space of any kind is one space unless it is not to be removed, and a comma behind a digit is a piece of
    its own.
    """

    def __init__(
        self,
        model: bytes,
        special: SpecialPieces = BERT_PIECES,
        *,
        lower_case: bool = True,
        keep_accents: bool = False,
        remove_space: bool = True,
    ) -> None:
        super().__init__(model, special)
        self._remove_space = remove_space
        self._lower_case = lower_case
        self._keep_accents = keep_accents

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; an `opening` one has no other before it."""
        cut: list[list[str]] = self._within([self.prepared(word) for word in words], str, opening=opening)
        return [[self._processor.piece_to_id(each) for piece in own for each in self._apart(piece)] for own in cut]

    def prepared(self, word: str) -> str:
        """Return `word` as it is cut: spaces, quotes, accents and case as the settings of its model say."""
        spaced = " ".join(word.split()) if self._remove_space else word
        quoted = spaced.replace("``", '"').replace("''", '"')
        if not (quoted.isascii() or self._keep_accents):
            decomposed = unicodedata.normalize("NFKD", quoted)
            quoted = "".join(character for character in decomposed if not unicodedata.combining(character))
        return quoted.lower() if self._lower_case else quoted

    def _apart(self, piece: str) -> list[str]:
        """Cut the comma off a piece that ends in a digit and a comma."""
        if not (piece.endswith(",") and piece[-2:-1].isdigit()):
            return [piece]
        pieces: list[str] = self._processor.encode(piece[:-1].replace(SPACE, ""), out_type=str)
        if not piece.startswith(SPACE) and pieces[0].startswith(SPACE):
            pieces[:1] = [pieces[0][1:]] if len(pieces[0]) > 1 else []
        return [*pieces, ","]


class ExtendedVocabulary:
    """A `vocabulary` with pieces that were `added` to it: they are never cut, and text beside them is cut by itself.

    `added` has their ids by piece; those of `single_words` are found where no letter or digit stands beside them.

    Raises: ConfigError when an added piece has the id of another.
    """

    def __init__(self, vocabulary: Vocabulary, added: Mapping[str, int], *, single_words: Collection[str] = ()) -> None:
        self._vocabulary = vocabulary
        self._added = dict(added)
        self.size = max(vocabulary.size, *(number + 1 for number in added.values()))
        self.unknown_id = vocabulary.unknown_id
        self.special = vocabulary.special
        for piece, number in added.items():
            if number < vocabulary.size and vocabulary.find(piece) != number:
                raise ConfigError(
                    f"the added piece {piece!r} is to be {number}, which is another piece of the vocabulary: put files "
                    "of one tokenizer there"
                )
        longest_first = sorted(added, key=len, reverse=True)
        patterns = (
            rf"(?<!\w){re.escape(piece)}(?!\w)" if piece in single_words else re.escape(piece)
            for piece in longest_first
        )
        self._places = re.compile(f"({'|'.join(patterns)})")

    def find(self, piece: str) -> int | None:
        """Return the id of the whole `piece`, None when the vocabulary lacks it."""
        return self._added[piece] if piece in self._added else self._vocabulary.find(piece)

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; an `opening` one has no other before it."""
        parts = [self._places.split(word) for word in words]
        first = self._vocabulary.encode([own[0] for own in parts], opening=opening)
        # What stands behind an added piece begins a text of its own.
        rest = self._vocabulary.encode([part for own in parts for part in own[2::2]], opening=True)
        cut = iter(rest)
        return [
            [
                *(ids if own[0] else []),
                *(number for piece in own[1::2] for number in (self._added[piece], *next(cut))),
            ]
            for own, ids in zip(parts, first, strict=True)
        ]
