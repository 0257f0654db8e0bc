"""A model's inputs as a user has saved them: an .npz of arrays, one an input, one row an example."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nqperf.errors import FormatError
from nqperf.formats.decoding import decoding
from nqperf.formats.reading import opened

_EXPECTED = "an .npz of a model's inputs, written by numpy.savez"
_LARGEST = 1 << 30  # bytes of all arrays together, as their headers claim them
_KINDS = "biuf"


def read_input_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of the .npz at `path` by name, in the order of the file: booleans, integers or floats.

    Raises: FormatError for a missing, foreign, damaged or too large file, for objects, and for arrays that have no
    rows or not the same number of them.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    with opened(path, what=_EXPECTED) as file, decoding(path, expected=_EXPECTED):
        with zipfile.ZipFile(file) as archive:
            _require_size(archive, path)
        file.seek(0)
        with np.load(file, allow_pickle=False) as held:
            for name in held.files:
                arrays[name] = held[name]
    if not arrays:
        raise FormatError(f"holds no arrays; expected {_EXPECTED}", path=path)
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise FormatError(f"is of {array.dtype}; expected booleans, integers or floats", path=path, field=name)
        if not array.ndim or not len(array):
            raise FormatError(f"has the shape {array.shape}; expected at least one row", path=path, field=name)
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        raise FormatError(f"has arrays of {rows} rows; expected one row an example in each", path=path)
    return arrays


def _require_size(archive: zipfile.ZipFile, path: Path) -> None:
    claimed = sum(member.file_size for member in archive.infolist())
    if claimed > _LARGEST:
        raise FormatError(f"holds {claimed} bytes of arrays; at most {_LARGEST} are read: keep fewer rows", path=path)
