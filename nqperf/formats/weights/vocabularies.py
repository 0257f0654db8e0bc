"""From a tokenizer's files to the tokenizer."""

from __future__ import annotations

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.weights.tokenizer_file import TokenizerFile, read_byte_level
from nqperf.nq.tokenization import QUESTION, SentencePieceVocabulary, Tokenizer, Vocabulary
from nqperf.nq.vocabularies import AlbertVocabulary
from nqperf.nq.wordpiece import WordPieceVocabulary


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
        return read_byte_level(file)
    content = file.content()
    if file.kind == "albert":
        return AlbertVocabulary(content, lower_case=file.lower_case)
    if file.kind == "sentencepiece":
        return SentencePieceVocabulary(content)
    lines = file.text().replace("\r\n", "\n").split("\n")
    pieces = lines[:-1] if lines[-1] == "" else lines
    return WordPieceVocabulary(pieces, lower_case=file.lower_case)
