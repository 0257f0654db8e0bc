"""Tokenizers from files: a model folder, or one vocabulary of any kind."""

from __future__ import annotations

from pathlib import Path

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.reading import read_whole
from nqperf.formats.weights.model_folder import read_model_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile, find_tokenizer, read_byte_level
from nqperf.nq.tokenization import QUESTION, SentencePieceVocabulary, Tokenizer, Vocabulary
from nqperf.nq.vocabularies import AlbertVocabulary
from nqperf.nq.wordpiece import WordPieceVocabulary


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in a model folder, or in the one file that `path` names.

    Raises: FormatError for a path that is missing or no vocabulary, or a vocabulary without its special pieces.
    """
    path = Path(path)
    if path.is_dir():
        return read_tokenizer(read_model_folder(path).require_tokenizer())
    found = find_tokenizer(path.parent, (path.name,))
    if found is None:
        raise FormatError(
            "no such file or folder; expected a model folder or a vocabulary such as tokenizer.model: check the path",
            path=path,
        )
    return read_tokenizer(found)


def read_tokenizer(file: TokenizerFile) -> Tokenizer:
    """Return the tokenizer in a file whose kind is known."""
    try:
        return Tokenizer(_vocabulary(file), plain=file.plain)
    except ConfigError as error:
        raise FormatError(str(error), path=file.path) from error


def has_question_marker(file: TokenizerFile) -> bool:
    """Tell whether the vocabulary has [Q], as those made for BERT Joint, or is of a kind that asks for none.

    What is no vocabulary at all is taken for one that has it: `read_tokenizer` says what is wrong with it.
    """
    try:
        return file.kind == "byte-level" or _vocabulary(file).find(QUESTION) is not None
    except ConfigError:
        return True


def _vocabulary(file: TokenizerFile) -> Vocabulary:
    if file.kind == "byte-level":
        return read_byte_level(file.path)
    content = read_whole(file.path, what="a tokenizer")
    if file.kind == "albert":
        return AlbertVocabulary(content, lower_case=file.lower_case)
    if file.kind == "sentencepiece":
        return SentencePieceVocabulary(content)
    try:
        lines = content.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8 ({error}); expected one piece a line", path=file.path) from error
    pieces = lines[:-1] if lines[-1] == "" else lines
    return WordPieceVocabulary(pieces, lower_case=file.lower_case)
