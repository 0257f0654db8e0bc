"""Files of Keras models, held to bounds before Keras reads them: what it unpacks and parses takes memory first."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from nqperf.errors import FormatError
from nqperf.formats.decoding import JSON_BYTES, decode_python_json, decoding
from nqperf.formats.reading import opened

_EXPECTED = "a Keras model that this Keras can load"
_CONFIG = "config.json"
# Weights hardly shrink; what is small may unpack to more.
_EXPANSION, _FREE_BYTES = 50, 1 << 28
# Weights of 16 bits become variables of 32; some variables, such as seeds, have none.
_VARIABLES, _FREE_VARIABLES = 4, 1 << 26


def check_keras_file(path: Path) -> int:
    """Return how many bytes the variables of the model in the `.keras` file at `path` may take.

    It is an archive that unpacks to little more, with a small configuration.

    Raises: FormatError when it is missing, damaged, or beyond a bound.
    """
    with opened(path, what=_EXPECTED) as file, decoding(path, expected=_EXPECTED), zipfile.ZipFile(file) as archive:
        packed = file.seek(0, 2)
        whole, config = sum(entry.file_size for entry in archive.infolist()), archive.getinfo(_CONFIG).file_size
        if whole > max(_FREE_BYTES, _EXPANSION * packed):
            raise FormatError(
                f"unpacks to {whole} bytes, more than {_EXPANSION} times its size; expected {_EXPECTED}", path=path
            )
        if config > JSON_BYTES:
            message = f"has {config} bytes; expected a configuration of at most {JSON_BYTES}"
            raise FormatError(message, path=path, field=_CONFIG)
        content = archive.read(_CONFIG)
    decode_python_json(content, dict[str, Any], path, expected=_EXPECTED)
    return _VARIABLES * whole + _FREE_VARIABLES
