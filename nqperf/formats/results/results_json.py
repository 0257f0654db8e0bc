"""The results file of a benchmark run: one JSON object, the record `Results` of the gate, of one `schema_version`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole, write_whole
from nqperf.records.results import SCHEMA_VERSION, Results


def write_results(path: Path, results: Results) -> None:
    """Write `results` to `path`, whole or not at all; NumPy scalars and arrays are written as numbers and lists.

    Raises: FormatError when a value has no place in the file, as NaN has none in JSON.
    """
    try:
        content = msgspec.json.encode(results, enc_hook=_plain)
    except (TypeError, ValueError) as error:
        raise FormatError(f"cannot hold the results: {error}", path=path) from error
    _decode(content, path)  # JSON has no NaN and no types: what could not be read back is not written
    write_whole(path, msgspec.json.format(content, indent=1) + b"\n")


def read_results(path: Path) -> Results:
    """Return the results in the file `path`.

    Raises: FormatError when it is missing, truncated, of another schema, or no results file.
    """
    return _decode(read_whole(path, what="a results file of nqperf"), path)


def read_results_folder(folder: Path) -> dict[str, Results]:
    """Return the results in every file *.json of a folder, by the file's name.

    Raises: FormatError when there is no such folder, nothing in it, or a file that is no results file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FormatError("is no folder; expected one with results files: check the path", path=folder)
    paths = sorted(path for path in folder.glob("*.json") if path.is_file())
    if not paths:
        raise FormatError("has no *.json; expected results files, as `nqperf bench --out` writes them", path=folder)
    return {path.name: read_results(path) for path in paths}


class _Head(msgspec.Struct):
    """The only field that every version has."""

    schema_version: int


def _decode(content: bytes, path: Path) -> Results:
    """Return the results in `content`; the version is looked at first, for another one has other fields."""
    try:
        version = msgspec.json.decode(content, type=_Head).schema_version
    except msgspec.ValidationError as error:
        raise FormatError(
            f"is no results file of nqperf ({error}): name one written by --nqperf-save-results", path=path
        ) from None
    except msgspec.DecodeError as error:
        raise FormatError(f"is no whole JSON document ({error}): make the results again", path=path) from None
    if version != SCHEMA_VERSION:
        raise FormatError(
            f"is {version}; expected {SCHEMA_VERSION}: make the results again with this version of nqperf",
            path=path,
            field="schema_version",
        )
    try:
        return msgspec.json.decode(content, type=Results)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        field = re.sub(r"^\$\.?", "", where.strip("`")) or None
        raise FormatError(f"{message}: make the results again", path=path, field=field) from None


def _plain(value: Any) -> Any:
    """Return a NumPy value as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} has no place in a results file")
