"""Tokenizers by their paths: a model folder, or one vocabulary of any kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from nqperf.errors import FormatError
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tokenizer_file import find_tokenizer, read_tokenizer
from nqperf.formats.weights.vocabularies import is_library
from nqperf.nq.tokenization import Tokenizer

__all__ = ["load_tokenizer", "read_tokenizer"]


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in a model folder, or in the one file that `path` names.

    A tokenizer.json may lack [Q]: questions begin without it then. What stands beside the file is read with it.

    Raises: FormatError for a path that is missing or no vocabulary, or a vocabulary without its special pieces.
    """
    path = Path(path)
    if path.is_dir():
        return open_model(path).tokenizer
    found = find_tokenizer(FolderFiles(path.parent), (path.name,))
    if found is None:
        raise FormatError(
            "no such file or folder; expected a model folder or a vocabulary such as tokenizer.model: check the path",
            path=path,
        )
    return read_tokenizer(dataclasses.replace(found, plain=is_library(path.name)))
