"""The results file of a benchmark run: one JSON object, the gate's `Results`; files of version 2 are read too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nqperf.errors import FormatError
from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole
from nqperf.formats.results.older_results import OLDER, upgraded
from nqperf.records.results import SCHEMA_VERSION, Results

_RESULTS = "results of nqperf: make them again"
_NAME_ONE = "name one that `nqperf bench --out` or pytest's --nqperf-save-results has written"


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
    return _decode(read_whole(path, what="a results file of nqperf", limit=JSON_BYTES), path)


def read_results_folder(folder: Path) -> dict[str, Results]:
    """Return the results in every file *.json of `folder`, by the file's name.

    Raises: FormatError when there is no such folder, nothing in it, or a file that is no results file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FormatError("is no folder; expected one with results files: check the path", path=folder)
    paths = sorted(path for path in folder.glob("*.json") if path.is_file())
    if not paths:
        raise FormatError("has no *.json; expected results files, as `nqperf bench --out` writes them", path=folder)
    return {path.name: read_results(path) for path in paths}


class _Maker(msgspec.Struct):
    """Of what made a file, the versions."""

    versions: dict[str, str] = {}


class _Head(msgspec.Struct):
    """The fields that every version has; `configuration` and `base` stand in other records of nqperf alone."""

    schema_version: int
    created: str = "an unknown day"
    fingerprint: _Maker = msgspec.field(default_factory=_Maker)
    configuration: msgspec.Raw = msgspec.Raw()
    base: msgspec.Raw = msgspec.Raw()

    @property
    def other(self) -> str | None:
        """What record of nqperf it is where it is no run of the suite."""
        if bytes(self.configuration):
            return "the record of `nqperf run`, which has no rows to compare"
        return "a comparison of two revisions" if bytes(self.base) else None


def _decode(content: bytes, path: Path) -> Results:
    """Return the results in `content`; the version is looked at first, for another one has other fields."""
    head = decode_json(content, _Head, path, expected=f"a results file of nqperf: {_NAME_ONE}")
    if head.other:
        raise FormatError(f"is {head.other}; expected a results file of nqperf: {_NAME_ONE}", path=path)
    if head.schema_version in OLDER:
        older = decode_json(content, dict[str, Any], path, expected=_RESULTS)
        content = msgspec.json.encode(upgraded(older))
    elif head.schema_version != SCHEMA_VERSION:
        maker = head.fingerprint.versions.get("nqperf", "of an unknown version")
        raise FormatError(
            f"is {head.schema_version}, as nqperf {maker} wrote it on {head.created}; expected {SCHEMA_VERSION}: "
            "read it with that version, or make the results again with this one",
            path=path,
            field="schema_version",
        )
    return decode_json(content, Results, path, expected=_RESULTS)


def _plain(value: Any) -> Any:
    """Return a NumPy value as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} has no place in a results file")
