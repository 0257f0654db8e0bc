"""The tokenizer's file in a model folder: which one it is, what kind, and whether it fits the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.model.config import BertConfig
from nqperf.nq.tokenization import SpecialPieces
from nqperf.nq.vocabularies import GPT2_PIECES, ROBERTA_PIECES, ByteLevelVocabulary, is_byte_level

SENTENCEPIECE = "tokenizer.model"
ALBERT = "spiece.model"
GOOGLE_ALBERT = "30k-clean.model"  # the same file in Google's own releases
WORDPIECE = "vocab.txt"
BYTE_LEVEL = "vocab.json"
MERGES = "merges.txt"
# Hugging Face writes it beside all the others; for a byte-level BPE it stands for vocab.json and merges.txt, and it
# alone knows the pieces that were added to them.
LIBRARY = "tokenizer.json"
# What Hugging Face's classes are told beside their files.
SETTINGS = "tokenizer_config.json"
TOKENIZERS = (SENTENCEPIECE, ALBERT, WORDPIECE, BYTE_LEVEL, LIBRARY)
# Every file that a tokenizer in a model folder may consist of.
TOKENIZER_FILES = (*TOKENIZERS, MERGES)

TokenizerKind = Literal["sentencepiece", "albert", "wordpiece", "byte-level"]
_NAMES: dict[TokenizerKind, str] = {
    "sentencepiece": f"SentencePiece ({SENTENCEPIECE})",
    "albert": f"ALBERT's SentencePiece ({ALBERT})",
    "wordpiece": f"WordPiece ({WORDPIECE})",
    "byte-level": f"byte-level BPE ({BYTE_LEVEL} and {MERGES}, or {LIBRARY})",
}
_KINDS: dict[str, tuple[TokenizerKind, ...]] = {
    "bert": ("wordpiece", "sentencepiece"),
    "albert": ("albert", "sentencepiece"),
    "distilbert": ("wordpiece", "sentencepiece"),
    "roberta": ("byte-level",),
    "gpt2": ("byte-level",),
}
_BYTE_LEVEL_PIECES: dict[str, SpecialPieces] = {"roberta": ROBERTA_PIECES, "gpt2": GPT2_PIECES}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFile:
    """A vocabulary on disk; `lower_case` is for WordPiece and ALBERT, the others know by themselves.

    A `plain` one of BERT's kind has no [Q], because it came with an encoder without trained heads. `files` are those
    of its folder, each read once; left out, they are read for this vocabulary alone.
    """

    path: Path
    kind: TokenizerKind
    lower_case: bool = True
    plain: bool = False
    files: FolderFiles | None = field(default=None, compare=False, repr=False)

    def vocabulary_size(self) -> int:
        """Return the number of pieces.

        Raises: FormatError when the file is missing or no vocabulary.
        """
        if self.kind == "byte-level":
            return read_byte_level(self).size
        content = self.content()
        if self.kind == "wordpiece":
            return content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
        from sentencepiece import SentencePieceProcessor

        try:
            return int(SentencePieceProcessor(model_proto=content).get_piece_size())
        except RuntimeError as error:
            raise FormatError("is no SentencePiece model: copy or make the file again", path=self.path) from error

    def names(self) -> tuple[str, ...]:
        """Return the names of every file that the tokenizer consists of, its own first."""
        return (self.path.name, MERGES) if self.path.name == BYTE_LEVEL else (self.path.name,)

    def content(self, name: str | None = None) -> bytes:
        """Return the bytes of one of `names`, its own file's when None.

        Raises: FormatError when it cannot be read.
        """
        return self._folder().read(name or self.path.name, what="a vocabulary")

    def text(self, name: str | None = None) -> str:
        """Return the text of one of `names`, its own file's when None.

        Raises: FormatError when it cannot be read or is not UTF-8.
        """
        return self._folder().text(name or self.path.name, what="a vocabulary")

    def contents(self) -> dict[str, bytes]:
        """Return the bytes of every file that the tokenizer consists of, by its name."""
        return {name: self.content(name) for name in self.names()}

    def stored_name(self, name: str) -> str:
        """Return what one of `names` is called in a model folder."""
        names = {"sentencepiece": SENTENCEPIECE, "albert": ALBERT, "wordpiece": WORDPIECE}
        return names.get(self.kind, name)

    def _folder(self) -> FolderFiles:
        folder = self.path.parent
        return self.files if self.files is not None and self.files.folder == folder else FolderFiles(folder)


def same_vocabulary(one: TokenizerFile, other: TokenizerFile) -> bool:
    """Return whether two tokenizers cut every text into the same pieces: their files are the same, and how they read.

    Raises: FormatError for a file that cannot be read.
    """
    return (one.kind, one.lower_case, one.plain) == (other.kind, other.lower_case, other.plain) and (
        list(one.contents().values()) == list(other.contents().values())
    )


def find_tokenizer(
    files: FolderFiles, names: tuple[str, ...], *, lower_case: bool | None = None
) -> TokenizerFile | None:
    """Return the one tokenizer among `names` in a folder, or None when there is none.

    Unless given, `lower_case` is what `tokenizer_config.json` beside it says, and true where that says nothing.

    Raises: FormatError when there are several, or one half of a byte-level BPE is missing.
    """
    found = [name for name in names if files.has(name)]
    if BYTE_LEVEL in found:
        _require_merges(files)
    found = _without_twin(files, found)
    if len(found) > 1:
        listed = ", ".join(found)
        raise FormatError(f"holds several tokenizers ({listed}); expected one: remove the others", path=files.folder)
    if not found:
        return None
    if lower_case is None:
        fields = files.json_object(SETTINGS, what="a tokenizer's settings") if files.has(SETTINGS) else {}
        lower_case = fields.get("do_lower_case", True) is not False
    path = files.folder / found[0]
    return TokenizerFile(path=path, kind=tokenizer_kind(path), lower_case=lower_case, files=files)


def _require_merges(files: FolderFiles) -> None:
    if not files.has(MERGES):
        raise FormatError(f"is missing beside {BYTE_LEVEL}; expected both: copy it there", path=files.folder / MERGES)


def _without_twin(files: FolderFiles, found: list[str]) -> list[str]:
    """Leave one of a tokenizer.json and what it repeats: itself if it is a byte-level BPE, the other file if not."""
    if LIBRARY not in found:
        return found
    if is_byte_level(files.text(LIBRARY, what="a tokenizer")):
        return [name for name in found if name != BYTE_LEVEL]
    return [name for name in found if name != LIBRARY]


def tokenizer_kind(path: Path) -> TokenizerKind:
    """Return what the file's name says it is; one that says nothing is a WordPiece list."""
    if path.suffix == ".model":
        return "albert" if path.name in (ALBERT, GOOGLE_ALBERT) else "sentencepiece"
    return "byte-level" if path.suffix == ".json" else "wordpiece"


def check_vocabulary(tokenizer: TokenizerFile, config: BertConfig) -> None:
    """Raise unless the tokenizer is of the network's family, and has as many pieces as it has word embeddings.

    Raises: FormatError that says what was expected.
    """
    if tokenizer.kind not in _KINDS[config.model_type]:
        raise FormatError(
            f"is {_NAMES[tokenizer.kind]}, the vocabulary of another family; a network of {config.model_type} reads "
            f"{readable_kinds(config)}: put its own there",
            path=tokenizer.path,
        )
    if tokenizer.kind == "byte-level":
        special, needed = read_byte_level(tokenizer).special, _BYTE_LEVEL_PIECES[config.model_type]
        if special != needed:
            raise FormatError(
                f"frames inputs by {special.cls}, the vocabulary of another family; a network of {config.model_type} "
                f"reads one with {needed.cls}: put its own there",
                path=tokenizer.path,
            )
    size = tokenizer.vocabulary_size()
    if size != config.vocab_size:
        raise FormatError(
            f"has {size} pieces; expected {config.vocab_size}, the configuration's vocab_size: "
            "put the tokenizer there that the model was trained with",
            path=tokenizer.path,
        )


def readable_kinds(config: BertConfig) -> str:
    """Return the kinds of vocabularies that a network of this family reads, with their files, for messages."""
    return " or ".join(_NAMES[kind] for kind in _KINDS[config.model_type])


def read_byte_level(file: TokenizerFile) -> ByteLevelVocabulary:
    """Return the byte-level BPE in a `tokenizer.json`, or in a `vocab.json` with its `merges.txt` beside it.

    Raises: FormatError when a file is missing or damaged, or they do not fit each other.
    """
    try:
        if file.path.name != BYTE_LEVEL:
            return ByteLevelVocabulary.from_json(file.text())
        try:
            pieces = msgspec.json.decode(file.text(), type=dict[str, int])
        except msgspec.DecodeError as error:
            raise FormatError(f"is no vocabulary ({error}); expected pieces and their ids", path=file.path) from error
        return ByteLevelVocabulary.from_merges(pieces, _merges(file))
    except ConfigError as error:
        raise FormatError(str(error), path=file.path) from error


def _merges(file: TokenizerFile) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(file.text(MERGES).split("\n"), start=1):
        pair = line.rstrip("\r").split(" ")
        if pair == [""] or (number == 1 and line.startswith("#version")):
            continue
        if len(pair) != 2:  # noqa: PLR2004  # a pair
            raise FormatError(
                f"holds {len(pair)} pieces; expected two a line", path=file.path.with_name(MERGES), line=number
            )
        merges.append((pair[0], pair[1]))
    return merges
