"""Tokenizers from files: a model folder, a `tokenizer.model` or a `vocab.txt`."""

from __future__ import annotations

from pathlib import Path

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import read_whole
from nqperf.formats.weights.model_folder import read_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile, find_tokenizer
from nqperf.nq.tokenization import SentencePieceVocabulary, Tokenizer, Vocabulary, WordPieceVocabulary


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in a model folder, or in the one file that `path` names.

    Raises: FormatError for a path that is missing or no vocabulary, or a vocabulary without [CLS], [SEP] and [Q].
    """
    path = Path(path)
    if path.is_dir():
        return read_tokenizer(read_model_folder(path).require_tokenizer())
    found = find_tokenizer(path.parent, (path.name,))
    if found is None:
        raise FormatError(
            "no such file or folder; expected a model folder, a tokenizer.model or a vocab.txt: check the path",
            path=path,
        )
    return read_tokenizer(found)


def read_tokenizer(file: TokenizerFile) -> Tokenizer:
    """Return the tokenizer in a file whose kind is known."""
    try:
        return Tokenizer(_vocabulary(file))
    except ConfigError as error:
        raise FormatError(str(error), path=file.path) from error


def _vocabulary(file: TokenizerFile) -> Vocabulary:
    content = read_whole(file.path, what="a tokenizer")
    if file.kind == "sentencepiece":
        return SentencePieceVocabulary(content)
    try:
        lines = content.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8 ({error}); expected one piece a line", path=file.path) from error
    pieces = lines[:-1] if lines[-1] == "" else lines
    return WordPieceVocabulary(pieces, lower_case=file.lower_case)
