"""The tokenizer of a folder: which of its files it is, what kind, and whether it fits the network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.decoding import decode_json
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.merges import MERGES
from nqperf.formats.weights.tokenizer_settings import (
    CONFIG,
    SETTINGS,
    SETTINGS_FILES,
    TokenizerSettings,
    read_tokenizer_settings,
)
from nqperf.formats.weights.vocabularies import (
    BYTE_LEVEL,
    LIBRARY,
    TokenizerKind,
    VocabularyFiles,
    is_library,
    word_list,
)
from nqperf.nq.tokenization import Tokenizer, Vocabulary

SENTENCEPIECE = "tokenizer.model"
ALBERT = "spiece.model"
GOOGLE_ALBERT = "30k-clean.model"  # the same file in Google's own releases
WORDPIECE = "vocab.txt"
TOKENIZERS = (SENTENCEPIECE, ALBERT, WORDPIECE, BYTE_LEVEL, LIBRARY)
# Every file that a tokenizer in a model folder may consist of.
TOKENIZER_FILES = (*TOKENIZERS, MERGES, *SETTINGS_FILES)

# What a tokenizer.json may hold beside a vocabulary of another form.
_TWINS: dict[TokenizerKind, tuple[TokenizerKind, ...]] = {
    "wordpiece": ("wordpiece", "other"),
    "byte-level": ("byte-level",),
    "albert": ("unigram", "other"),
    "sentencepiece": ("unigram", "other"),
}
# What Hugging Face's classes do where a folder has a vocab.txt and no file that says more.
_BERT_CLASS = b'{"tokenizer_class": "BertTokenizer"}\n'


@dataclass(frozen=True, kw_only=True)
class TokenizerFile:
    """A vocabulary on disk, and what is said of it.

    Fields: `path` is the file that is read; `kind` what it holds; `twin` a file beside it with the same pieces.
    `lower_case` is for WordPiece and ALBERT without Hugging Face's `settings`; the others know by themselves. A `plain`
    vocabulary has no [Q]. `case_is_assumed` where nothing says that words are to be lower-cased. `files` are those of
    its folder, each read once; left out, they are read for this one alone.
    """

    path: Path
    kind: TokenizerKind
    lower_case: bool = True
    plain: bool = False
    twin: str | None = None
    settings: TokenizerSettings | None = None
    case_is_assumed: bool = field(default=False, compare=False)
    files: FolderFiles | None = field(default=None, compare=False, repr=False)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What cuts words by this vocabulary, loaded once.

        Raises: FormatError for files that are damaged, contradict each other, or ask for what is not built here.
        """
        return VocabularyFiles(
            files=self.folder,
            name=self.path.name,
            kind=self.kind,
            twin=self.twin,
            lower_case=self.lower_case,
            settings=self.settings,
        ).load()

    def vocabulary_size(self) -> int:
        """Return the number of ids: one more than the largest.

        Raises: FormatError when the file is missing or no vocabulary.
        """
        if self.kind == "wordpiece" and self.settings is None and not is_library(self.path.name):
            return len(word_list(self.folder, self.path.name))
        return self.vocabulary.size

    def names(self) -> tuple[str, ...]:
        """Return the names of every file that the tokenizer consists of, its own first."""
        pair = (self.path.name, self.twin)
        merges = (MERGES,) if BYTE_LEVEL in pair else ()
        beside = () if self.settings is None else tuple(name for name in SETTINGS_FILES if self.folder.has(name))
        return (*(name for name in pair if name is not None), *merges, *beside)

    def content(self, name: str | None = None) -> bytes:
        """Return the bytes of the file `name`, which is one of `names`; its own file's when None.

        Raises: FormatError when it cannot be read.
        """
        return self.folder.read(name or self.path.name, what="a vocabulary")

    def contents(self) -> dict[str, bytes]:
        """Return the bytes of every file that the tokenizer consists of in a model folder, by its name there."""
        found = {self._stored_name(name): self.content(name) for name in self.names()}
        # What config.json says of the class goes with it.
        berts = self.settings is not None and (self.settings.names_bert or LIBRARY not in found)
        if self.kind == "wordpiece" and berts and SETTINGS not in found:
            found[SETTINGS] = _BERT_CLASS
        return found

    def _stored_name(self, name: str) -> str:
        own = {"sentencepiece": SENTENCEPIECE, "albert": ALBERT, "wordpiece": WORDPIECE}
        if is_library(name):
            return LIBRARY if name == self.path.name else name
        return own.get(self.kind, name) if name in (self.path.name, self.twin) else name

    @cached_property
    def folder(self) -> FolderFiles:
        """The files of the folder that the vocabulary is in."""
        folder = self.path.parent
        return self.files if self.files is not None and self.files.folder == folder else FolderFiles(folder)


def same_vocabulary(one: TokenizerFile, other: TokenizerFile) -> bool:
    """Return whether `one` tokenizer cuts every text as the `other`: their files are the same, and how they are read.

    Raises: FormatError for a file that cannot be read.
    """
    return (one.kind, one.lower_case, one.plain) == (other.kind, other.lower_case, other.plain) and (
        one.contents() == other.contents()
    )


def read_tokenizer(file: TokenizerFile) -> Tokenizer:
    """Return the tokenizer in `file`, whose kind is known.

    Raises: FormatError for a vocabulary that is damaged or lacks its special pieces.
    """
    try:
        return Tokenizer(file.vocabulary, plain=file.plain)
    except ConfigError as error:
        raise FormatError(str(error), path=file.path) from error


def find_tokenizer(
    files: FolderFiles, names: tuple[str, ...], *, lower_case: bool | None = None
) -> TokenizerFile | None:
    """Return the one tokenizer among `names` in the folder of `files`, or None when there is none.

    A tokenizer.json is read before a vocabulary beside it, for it says more, and must hold the same pieces. Unless
    given, `lower_case` is what Hugging Face's files say, and true where they say nothing.

    Raises: FormatError when there are several, one half of a byte-level BPE is missing, or a setting is none.
    """
    found = [name for name in names if files.has(name)]
    others = [name for name in found if not is_library(name)]
    if BYTE_LEVEL in others and not files.has(MERGES):
        raise FormatError(f"is missing beside {BYTE_LEVEL}; expected both: copy it there", path=files.folder / MERGES)
    library = next(filter(is_library, found), LIBRARY if files.has(LIBRARY) else None)
    kind = None if not found else tokenizer_kind(files, library or others[0])
    if len(others) > 1 or (library and others and kind not in _TWINS.get(tokenizer_kind(files, others[0]), ())):
        listed = ", ".join([*others, *([library] if library else [])])
        raise FormatError(f"holds several tokenizers ({listed}); expected one: remove the others", path=files.folder)
    if kind is None:
        return None
    twin = next(iter(others), None) if library else None
    path = files.folder / (library or others[0])
    given = lower_case is not None
    settings = read_tokenizer_settings(files) if _is_hugging_face(files) else None
    if settings is not None and lower_case is not None:
        if settings.said.get("do_lower_case", lower_case) != lower_case:
            raise FormatError(
                f"says do_lower_case {str(not lower_case).lower()}, and {CONFIG} says lower_case "
                f"{str(lower_case).lower()}; expected files that agree: keep what the model was trained with",
                path=files.folder / SETTINGS,
            )
        settings = dataclasses.replace(settings, said={**settings.said, "do_lower_case": lower_case})
    if lower_case is None:
        lower_case = True if settings is None else settings.said.get("do_lower_case", True)
    said = given or library is not None or (settings is not None and "do_lower_case" in settings.said)
    return TokenizerFile(
        path=path,
        kind=kind,
        lower_case=lower_case,
        twin=twin,
        settings=settings,
        case_is_assumed=not said,
        files=files,
    )


def _is_hugging_face(files: FolderFiles) -> bool:
    """Tell whether a folder is one of Hugging Face's, whose classes read a vocab.txt by other rules than Google's code.

    A configuration of ours, or none, leaves it to the files beside the vocabulary.
    """
    if any(map(files.has, (LIBRARY, *SETTINGS_FILES))):
        return True
    return files.has(CONFIG) and "nqperf" not in files.json_object(CONFIG, what="a configuration")


def tokenizer_kind(files: FolderFiles, name: str) -> TokenizerKind:
    """Return what a tokenizer.json of `files` holds, or what another file's `name` says; else it is a WordPiece list.

    Raises: FormatError when it cannot be read.
    """
    if name.endswith(".model"):
        return "albert" if name in (ALBERT, GOOGLE_ALBERT) else "sentencepiece"
    if name == BYTE_LEVEL:
        return "byte-level"
    if not name.endswith(".json"):
        return "wordpiece"
    content = files.read(name, what="a tokenizer")
    model = decode_json(
        content, _Library, files.folder / name, expected="a tokenizer.json of the `tokenizers` library"
    ).model
    if model.said == "BPE":
        return "byte-level" if b'"ByteLevel"' in content else "other"
    kinds: dict[str, TokenizerKind] = {"WordPiece": "wordpiece", "Unigram": "unigram"}
    return kinds.get(model.said, "other")


class _Model(msgspec.Struct, frozen=True):
    """What is told apart of a tokenizer.json's model; early files do not say their type."""

    type: str | None = None
    merges: msgspec.Raw = msgspec.Raw()
    max_input_chars_per_word: int | None = None

    @property
    def said(self) -> str:
        guessed = "BPE" if bytes(self.merges) else "WordPiece" if self.max_input_chars_per_word else ""
        return self.type or guessed


class _Library(msgspec.Struct, frozen=True):
    """What is told apart of a tokenizer.json."""

    model: _Model
