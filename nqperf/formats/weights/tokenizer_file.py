"""The tokenizer's file in a model folder: which one it is, what kind, and whether it fits the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.json_object import read_json_object
from nqperf.formats.reading import read_whole
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

    A `plain` one of BERT's kind has no [Q], because it came with an encoder without trained heads.
    """

    path: Path
    kind: TokenizerKind
    lower_case: bool = True
    plain: bool = False

    def vocabulary_size(self) -> int:
        """Return the number of pieces.

        Raises: FormatError when the file is missing or no vocabulary.
        """
        if self.kind == "byte-level":
            return read_byte_level(self.path).size
        content = read_whole(self.path, what="a vocabulary")
        if self.kind == "wordpiece":
            return content.count(b"\n") + (content[-1:] not in (b"", b"\n"))
        from sentencepiece import SentencePieceProcessor

        try:
            return int(SentencePieceProcessor(model_proto=content).get_piece_size())
        except RuntimeError as error:
            raise FormatError("is no SentencePiece model: copy or make the file again", path=self.path) from error

    def files(self) -> tuple[Path, ...]:
        """Return every file that the tokenizer consists of."""
        return (self.path, self.path.with_name(MERGES)) if self.path.name == BYTE_LEVEL else (self.path,)

    def stored_name(self, path: Path) -> str:
        """Return what one of `files` is called in a model folder."""
        names = {"sentencepiece": SENTENCEPIECE, "albert": ALBERT, "wordpiece": WORDPIECE}
        return names.get(self.kind, path.name)


def same_vocabulary(one: TokenizerFile, other: TokenizerFile) -> bool:
    """Return whether two tokenizers cut every text into the same pieces: their files are the same, and how they read.

    Raises: FormatError for a file that cannot be read.
    """
    if (one.kind, one.lower_case, one.plain, len(one.files())) != (
        other.kind,
        other.lower_case,
        other.plain,
        len(other.files()),
    ):
        return False
    return all(
        read_whole(ours, what="a vocabulary") == read_whole(theirs, what="a vocabulary")
        for ours, theirs in zip(one.files(), other.files(), strict=True)
    )


def find_tokenizer(folder: Path, names: tuple[str, ...], *, lower_case: bool | None = None) -> TokenizerFile | None:
    """Return the one tokenizer among `names` in `folder`, or None when there is none.

    Unless given, `lower_case` is what `tokenizer_config.json` beside it says, and true where that says nothing.

    Raises: FormatError when there are several, or one half of a byte-level BPE is missing.
    """
    found = [folder / name for name in names if (folder / name).is_file()]
    if folder / BYTE_LEVEL in found:
        _require_merges(folder)
    found = _without_twin(found)
    if len(found) > 1:
        listed = ", ".join(path.name for path in found)
        raise FormatError(f"holds several tokenizers ({listed}); expected one: remove the others", path=folder)
    if not found:
        return None
    if lower_case is None:
        beside = folder / "tokenizer_config.json"
        fields = read_json_object(beside, what="a tokenizer's settings") if beside.is_file() else {}
        lower_case = fields.get("do_lower_case", True) is not False
    return TokenizerFile(path=found[0], kind=tokenizer_kind(found[0]), lower_case=lower_case)


def _require_merges(folder: Path) -> None:
    if not (folder / MERGES).is_file():
        raise FormatError(f"is missing beside {BYTE_LEVEL}; expected both: copy it there", path=folder / MERGES)


def _without_twin(found: list[Path]) -> list[Path]:
    """Leave one of a tokenizer.json and what it repeats: itself if it is a byte-level BPE, the other file if not."""
    library = next((path for path in found if path.name == LIBRARY), None)
    if library is None:
        return found
    if is_byte_level(_text(library)):
        return [path for path in found if path.name != BYTE_LEVEL]
    return [path for path in found if path != library]


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
        special, needed = read_byte_level(tokenizer.path).special, _BYTE_LEVEL_PIECES[config.model_type]
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


def read_byte_level(path: Path) -> ByteLevelVocabulary:
    """Return the byte-level BPE in a `tokenizer.json`, or in a `vocab.json` with its `merges.txt` beside it.

    Raises: FormatError when a file is missing or damaged, or they do not fit each other.
    """
    try:
        if path.name != BYTE_LEVEL:
            return ByteLevelVocabulary.from_json(_text(path))
        try:
            pieces = msgspec.json.decode(read_whole(path, what="a vocabulary"), type=dict[str, int])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FormatError(f"is no vocabulary ({error}); expected pieces and their ids", path=path) from error
        _require_merges(path.parent)
        return ByteLevelVocabulary.from_merges(pieces, _merges(path.with_name(MERGES)))
    except ConfigError as error:
        raise FormatError(str(error), path=path) from error


def _merges(path: Path) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        pair = line.rstrip("\r").split(" ")
        if pair == [""] or (number == 1 and line.startswith("#version")):
            continue
        if len(pair) != 2:  # noqa: PLR2004  # a pair
            raise FormatError(f"holds {len(pair)} pieces; expected two a line", path=path, line=number)
        merges.append((pair[0], pair[1]))
    return merges


def _text(path: Path) -> str:
    try:
        return read_whole(path, what="a tokenizer").decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8 ({error})", path=path) from error
