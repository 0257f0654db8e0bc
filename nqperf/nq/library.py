"""Vocabularies that the `tokenizers` library cuts words by: Hugging Face's WordPiece, byte-level BPE, and any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from nqperf.errors import ConfigError
from nqperf.nq.library_tokenizers import library_errors
from nqperf.nq.openings import Opening, opening_of_words
from nqperf.nq.tokenization import BERT_PIECES, GPT2_PIECES, ROBERTA_PIECES, SpecialPieces
from nqperf.nq.wordpiece import ascii_tokens

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as LibraryTokenizer

STYLES = (BERT_PIECES, ROBERTA_PIECES, GPT2_PIECES)
_LONGEST_WORD = 1000


class LibraryVocabulary:
    """What the library's `tokenizer` reads, word by word; words of `never_split` are looked up whole.

    `special` are the pieces that frame an input; None: those of the first family whose are there.

    Words cut one by one must give the pieces of their text. Whether that takes a space before a word is seen in trials.

    Raises: ConfigError when the pieces that frame an input are missing, or words depend on each other.
    """

    def __init__(
        self, tokenizer: LibraryTokenizer, special: SpecialPieces | None = None, *, never_split: Collection[str] = ()
    ) -> None:
        longest = getattr(tokenizer.model, "max_input_chars_per_word", 0)
        if longest > _LONGEST_WORD:
            raise ConfigError(
                f"cuts words of up to {longest} letters, which takes time by their square; expected a bound of at most "
                f"{_LONGEST_WORD} (max_input_chars_per_word)"
            )
        self._tokenizer = tokenizer
        self._never_split = frozenset(never_split)
        self.pieces: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
        # Ids may have gaps, and what matters is the row that is read.
        self.size = max(self.pieces.values(), default=-1) + 1
        self.special = special or self._known_style()
        unknown = self.find(self.special.unknown)
        if unknown is None:
            raise ConfigError(f"the vocabulary of {self.size} pieces lacks {self.special.unknown}")
        self.unknown_id = unknown
        own = tokenizer.get_vocab(with_added_tokens=False)
        by_number = sorted(own, key=lambda piece: own[piece])
        self._ascii = _AsciiWords.of(tokenizer)
        with library_errors("is no tokenizer that can be used ({}): copy it again"):
            self._refuse_added(lambda piece: any(map(str.isspace, piece.content)))
            self._opening = opening_of_words(self._ids, self.unknown_id, pieces=by_number)
            self._refuse_added(self._eats_a_space)

    def _known_style(self) -> SpecialPieces:
        for style in STYLES:
            if self.find(style.cls) is not None:
                return style
        raise ConfigError(
            f"the vocabulary of {self.size} pieces lacks {' and '.join(style.cls for style in STYLES)}; expected "
            "BERT's, RoBERTa's or GPT-2's"
        )

    def find(self, piece: str) -> int | None:
        """Return the id of the whole `piece`, None when the vocabulary lacks it."""
        return self.pieces.get(piece)

    def encode(self, words: list[str], *, opening: bool = False) -> list[list[int]]:
        """Return the ids of the pieces of each of `words`; an `opening` one has no other before it."""
        around = self._opening.of_first() if opening else self._opening
        with library_errors("cannot cut a word ({}): use another tokenizer, or copy this one again"):
            return [self._word(word, around) for word in words]

    def _word(self, word: str, around: Opening) -> list[int]:
        if word in self._never_split:
            return [self.pieces.get(word, self.unknown_id)]
        if self._ascii is not None and (ids := self._ascii.ids(word)) is not None:
            return ids
        return around.own(self._ids(around.text(word)))

    def _refuse_added(self, takes_spaces: Callable[[AddedToken], bool]) -> None:
        """Raise for an added piece that words cut one by one would not meet, or whose neighbour they would cut."""
        for piece in self._tokenizer.get_added_tokens_decoder().values():
            if takes_spaces(piece):
                raise ConfigError(
                    f"has the added piece {piece.content!r}, which takes in spaces, and documents are cut word by "
                    "word: leave it out"
                )

    def _eats_a_space(self, piece: AddedToken) -> bool:
        text = f"a {piece.content} The"
        return bool(piece.rstrip) and self._ids(text) != list(chain(*self.encode(text.split(" "))))

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


class _AsciiWords:
    """The fast way for printable ASCII, most words by far: the library's own ids, without its normalisation."""

    def __init__(self, tokenizer: LibraryTokenizer, added: Iterable[str]) -> None:
        self._lower_case: bool = tokenizer.normalizer.lowercase
        self._model: Any = tokenizer.model
        longest = self._model.max_input_chars_per_word
        pieces = tokenizer.get_vocab(with_added_tokens=False).items()
        self._plain = {piece: number for piece, number in pieces if piece.isascii() and len(piece) <= longest}
        self._added = re.compile("|".join(map(re.escape, added)) or r"(?!)", re.IGNORECASE)

    @classmethod
    def of(cls, tokenizer: LibraryTokenizer) -> _AsciiWords | None:
        """Return the fast way where the tokenizer is BERT's, None elsewhere."""
        from tokenizers.models import WordPiece
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        parts = (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.model)
        if not all(map(isinstance, parts, (BertNormalizer, BertPreTokenizer, WordPiece))):
            return None
        added = [piece.content for piece in tokenizer.get_added_tokens_decoder().values()]
        normalised = [tokenizer.normalizer.normalize_str(content) for content in added]
        return cls(tokenizer, [content for content in (*added, *normalised) if content])

    def ids(self, word: str) -> list[int] | None:
        """Return the ids of a word, None where the library has to look."""
        if not (word.isascii() and word.isprintable()) or self._added.search(word):
            return None
        if self._lower_case:
            word = word.lower()
        if word.isalnum() and (known := self._plain.get(word)) is not None:
            return [known]  # the longest match of a known plain word is the word
        return [token.id for basic in ascii_tokens(word) for token in self._model.tokenize(basic)]
