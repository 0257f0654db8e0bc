"""From a vocabulary's files to what cuts words by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.decoding import decode_json
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.merges import MERGES, library_merges, read_merges
from nqperf.formats.weights.tokenizer_settings import SETTINGS, TokenizerSettings, require_class
from nqperf.nq.library import LibraryVocabulary
from nqperf.nq.library_tokenizers import (
    add_pieces,
    bert_tokenizer,
    byte_level_tokenizer,
    library_tokenizer,
    observed_rules,
)
from nqperf.nq.openings import SPACE
from nqperf.nq.tokenization import (
    BERT_PIECES,
    GPT2_PIECES,
    ROBERTA_PIECES,
    SentencePieceVocabulary,
    SpecialPieces,
    Vocabulary,
)
from nqperf.nq.vocabularies import AlbertVocabulary, ExtendedVocabulary
from nqperf.nq.wordpiece import WordPieceVocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer as LibraryTokenizer

BYTE_LEVEL = "vocab.json"
LIBRARY = "tokenizer.json"


def is_library(name: str) -> bool:
    """Tell whether `name` is that of a tokenizer.json, whatever it is called, and not of a `vocab.json`."""
    return name.endswith(".json") and name != BYTE_LEVEL


TokenizerKind = Literal["sentencepiece", "albert", "wordpiece", "byte-level", "unigram", "other"]
# What flags of tokenizer_config.json mean something to a kind that the library reads.
_FLAGS: Mapping[TokenizerKind, frozenset[str]] = {
    "wordpiece": frozenset(["do_lower_case", "strip_accents", "tokenize_chinese_chars", "do_basic_tokenize"]),
    "byte-level": frozenset(["do_lower_case", "add_prefix_space"]),
    "unigram": frozenset(["do_lower_case", "strip_accents"]),
    "other": frozenset(["do_lower_case", "strip_accents"]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyFiles:
    """The files of one vocabulary: `name` is the one that is read, and `twin` one that says the same pieces again.

    `files` is the folder that they are read from. `kind` is what it holds. `settings` are Hugging Face's; without them
    a WordPiece list is read by Google's own rules, with `lower_case`.
    """

    files: FolderFiles
    name: str
    kind: TokenizerKind
    twin: str | None = None
    lower_case: bool = True
    settings: TokenizerSettings | None = None

    @property
    def path(self) -> Path:
        """The file that is read."""
        return self.files.folder / self.name

    def load(self) -> Vocabulary:
        """Return what cuts words by this vocabulary.

        Raises: FormatError for files that are damaged, contradict each other, or ask for what is not built here.
        """
        if self.settings is not None:
            require_class(self.settings, self.kind, library=is_library(self.name), path=self.files.folder / SETTINGS)
        try:
            if is_library(self.name):
                return self._from_library()
            if self.kind == "byte-level":
                return self._byte_level()
            if self.kind == "wordpiece":
                return self._wordpiece()
            return self._sentencepiece()
        except ConfigError as error:
            raise FormatError(str(error), path=self.path) from error

    def _from_library(self) -> Vocabulary:
        tokenizer = library_tokenizer(self.files.text(self.name, what="a tokenizer"))
        if self.twin is not None:
            self._require_same_pieces(tokenizer)
        settings = self.settings
        if settings is None:
            return LibraryVocabulary(tokenizer)
        self._require_followed(settings, tokenizer)
        known = tokenizer.get_vocab(with_added_tokens=True)
        for piece in settings.added:
            if piece.number is not None and known.get(piece.content, piece.number) != piece.number:
                raise ConfigError(
                    f"has {piece.content!r} as {known[piece.content]}, and the files beside it as {piece.number}; "
                    "expected one id: put the files of one tokenizer there"
                )
        add_pieces(tokenizer, [piece for piece in settings.added if piece.content not in known])
        style = self._style(tokenizer.get_vocab(with_added_tokens=True))
        return LibraryVocabulary(tokenizer, style, never_split=settings.never_split)

    def _require_followed(self, settings: TokenizerSettings, tokenizer: LibraryTokenizer) -> None:
        """Raise unless tokenizer.json does what tokenizer_config.json says.

        Raises: FormatError that names the settings.
        """
        observed: dict[str, Any] = {
            name: value for name, value in observed_rules(tokenizer).items() if name in _FLAGS[self.kind]
        }
        different = list(settings.contradictions(observed))
        longest = getattr(tokenizer.model, "max_input_chars_per_word", None)
        if settings.max_characters is not None and longest not in (None, settings.max_characters):
            different.append(f"max_input_chars_per_word {settings.max_characters}")
        if different:
            raise FormatError(
                f"says {', '.join(different)}, and {LIBRARY} beside it cuts words otherwise; expected files that "
                "agree: keep what the model was trained with",
                path=self.files.folder / SETTINGS,
            )

    def _require_same_pieces(self, tokenizer: LibraryTokenizer) -> None:
        """Raise unless the twin holds the pieces of tokenizer.json, under the same ids.

        Raises: FormatError with the first difference.
        """
        ours = tokenizer.get_vocab(with_added_tokens=False)
        everything = tokenizer.get_vocab(with_added_tokens=True)
        assert self.twin is not None  # noqa: S101  # the caller has seen it
        for number, piece in self._pieces_of(self.twin):
            if everything.get(piece) != number:
                raise FormatError(
                    f"has {piece!r} as its piece {number}, and {LIBRARY} beside it has it as "
                    f"{everything.get(piece, 'none')}; expected the same pieces: remove the one that the model was not "
                    "trained with",
                    path=self.files.folder / self.twin,
                )
        count = len({piece for _, piece in self._pieces_of(self.twin)})
        if count < len(ours):
            raise FormatError(
                f"has {count} pieces, and {LIBRARY} beside it {len(ours)}; expected the same pieces: remove the one "
                "that the model was not trained with",
                path=self.files.folder / self.twin,
            )
        if self.twin == BYTE_LEVEL and read_merges(self.files) != library_merges(self.files, self.name):
            raise FormatError(
                f"has other merges than {LIBRARY} beside it; expected the same: remove what the model was not trained "
                "with",
                path=self.files.folder / MERGES,
            )

    def _pieces_of(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the ids and pieces in a file beside tokenizer.json, each piece under its last id."""
        if name == BYTE_LEVEL:
            yield from ((number, piece) for piece, number in self._numbered(name).items())
        elif name.endswith(".model"):
            processor = SentencePieceVocabulary(self.files.read(name, what="a vocabulary"))
            yield from enumerate(processor.pieces())
        else:
            last = {piece: number for number, piece in enumerate(word_list(self.files, name))}
            yield from ((number, piece) for piece, number in last.items())

    def _style(self, known: Mapping[str, int]) -> SpecialPieces:
        """Return how inputs are framed: by the pieces that the files name, else by those that are there."""
        if self.kind == "byte-level":
            style = next((one for one in (ROBERTA_PIECES, GPT2_PIECES) if one.cls in known), ROBERTA_PIECES)
        else:
            style = BERT_PIECES if "[PAD]" not in known else replace(BERT_PIECES, pad="[PAD]")
            if self.kind == "other" and style.cls not in known and ROBERTA_PIECES.cls in known:
                style = ROBERTA_PIECES
        return style if self.settings is None else self.settings.framing(style)

    def _byte_level(self) -> Vocabulary:
        if self.settings is None:
            return LibraryVocabulary(byte_level_tokenizer(self._numbered(self.name), read_merges(self.files)))
        if self.settings.said.get("do_lower_case"):
            raise FormatError(
                "is true; expected false: a byte-level BPE keeps its letters as they are",
                path=self.files.folder / SETTINGS,
                field="do_lower_case",
            )
        prefix_space = self.settings.said.get("add_prefix_space", False)
        tokenizer = byte_level_tokenizer(self._numbered(self.name), read_merges(self.files), prefix_space=prefix_space)
        add_pieces(tokenizer, self.settings.added)
        style = self._style(tokenizer.get_vocab(with_added_tokens=True))
        return LibraryVocabulary(tokenizer, style, never_split=self.settings.never_split)

    def _wordpiece(self) -> Vocabulary:
        pieces = word_list(self.files, self.name)
        if self.settings is None:
            return WordPieceVocabulary(pieces, lower_case=self.lower_case)
        numbered = {piece: number for number, piece in enumerate(pieces)}
        style = self._style(numbered)
        tokenizer = bert_tokenizer(numbered, self.settings.bert_rules(), style)
        add_pieces(tokenizer, self.settings.added)
        return LibraryVocabulary(tokenizer, style, never_split=self.settings.never_split)

    def _sentencepiece(self) -> Vocabulary:
        content, settings = self.files.read(self.name, what="a vocabulary"), self.settings
        said = {} if settings is None else settings.said
        if self.kind == "albert":
            vocabulary: SentencePieceVocabulary = AlbertVocabulary(
                content,
                lower_case=said.get("do_lower_case", self.lower_case),
                keep_accents=said.get("keep_accents", not said.get("strip_accents", True)),
                remove_space=said.get("remove_space", True),
            )
        else:
            vocabulary = SentencePieceVocabulary(content)
        if vocabulary.normalised("a").endswith(SPACE):
            raise ConfigError("puts spaces behind words (treat_whitespace_as_suffix); expected them before words")
        if settings is None:
            return vocabulary
        observed = {"add_dummy_prefix": vocabulary.normalised("a").startswith(SPACE)}
        if self.kind == "sentencepiece":
            observed |= {
                "do_lower_case": "A" not in vocabulary.normalised("A"),
                "strip_accents": "\u00e9" not in vocabulary.normalised("\u00e9"),
            }
        if different := list(settings.contradictions(observed)):
            raise FormatError(
                f"says {', '.join(different)}, and {self.name} beside it cuts words otherwise; expected files that "
                "agree: keep what the model was trained with",
                path=self.files.folder / SETTINGS,
            )
        if settings.never_split:
            raise FormatError(
                f"is not built for {self.name}; expected it left out",
                path=self.files.folder / SETTINGS,
                field="never_split",
            )
        vocabulary.special = settings.framing(vocabulary.special)
        added = dict(_numbered_pieces(vocabulary, settings))
        single = {piece.content for piece in settings.added if piece.single_word}
        return ExtendedVocabulary(vocabulary, added, single_words=single) if added else vocabulary

    def _numbered(self, name: str) -> dict[str, int]:
        content = self.files.read(name, what="a vocabulary")
        return decode_json(content, dict[str, int], self.files.folder / name, expected="pieces and their ids")


def word_list(files: FolderFiles, name: str) -> list[str]:
    """Return the pieces in the list `name` of `files`, one a line; white space at a line's end is none of it.

    Raises: FormatError when the file cannot be read or is not UTF-8.
    """
    lines = files.text(name, what="a vocabulary, one piece a line").split("\n")
    return [line.rstrip() for line in (lines[:-1] if lines[-1] == "" else lines)]


def _numbered_pieces(vocabulary: SentencePieceVocabulary, settings: TokenizerSettings) -> Iterator[tuple[str, int]]:
    """Yield the pieces added to a SentencePiece model, with the id that the files or their order give each."""
    following = vocabulary.size
    for piece in sorted(settings.added, key=lambda one: float("inf") if one.number is None else one.number):
        known = vocabulary.find(piece.content)
        number = piece.number if piece.number is not None else following if known is None else known
        following = max(following, number + 1)
        yield piece.content, number
