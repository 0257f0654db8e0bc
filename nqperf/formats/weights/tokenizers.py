"""Tokenizers by their paths: a model folder, or one vocabulary of any kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nqperf.errors import FormatError
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tokenizer_file import TokenizerFile, find_tokenizer, read_tokenizer
from nqperf.formats.weights.vocabularies import is_library
from nqperf.nq.tokenization import Tokenizer

__all__ = ["load_tokenizer", "read_tokenizer"]


def find_tokenizer_file(path: Path) -> TokenizerFile:
    """Return what the tokenizer in a model folder is, or the vocabulary that `path` names.

    A tokenizer.json may lack [Q]: questions begin without it then. What stands beside a vocabulary is read with it.

    Raises: FormatError for a path that is missing or no vocabulary.
    """
    path = Path(path)
    if path.is_dir():
        return open_model(path).require_tokenizer()
    found = find_tokenizer(FolderFiles(path.parent), (path.name,))
    if found is None:
        raise FormatError(
            "no such file or folder; expected a model folder or a vocabulary such as tokenizer.model: check the path",
            path=path,
        )
    return dataclasses.replace(found, plain=is_library(path.name))


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in a model folder, or in the one file that `path` names.

    Raises: FormatError for a path that is missing or no vocabulary, or a vocabulary without its special pieces.
    """
    return read_tokenizer(find_tokenizer_file(path))
