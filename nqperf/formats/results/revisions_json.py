"""The results file of a comparison of two revisions: one JSON object, the record `RevisionResults`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole
from nqperf.records.revisions import REVISIONS_SCHEMA, RevisionResults

_EXPECTED = "expected the results of two revisions, as `nqperf ab --out` writes them"


# Version 2 has no margin that was asked for beside the one that a row passed by, version 3 nothing on the settings.
_READ = (2, 3, REVISIONS_SCHEMA)


class _Head(msgspec.Struct):
    """The only field that every version has."""

    schema_version: int


def write_revisions(path: Path, results: RevisionResults) -> None:
    """Write `results` to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    write_whole(path, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read_revisions(path: Path) -> RevisionResults:
    """Return the results in the file `path`.

    Raises: FormatError when it is missing, of a schema that is not read, or holds something else.
    """
    content = read_whole(path, what="a results file of two revisions", limit=JSON_BYTES)
    version = decode_json(content, _Head, path, expected=_EXPECTED).schema_version
    if version not in _READ:
        raise FormatError(
            f"is {version}; expected {REVISIONS_SCHEMA}: compare the revisions anew", path=path, field="schema_version"
        )
    return decode_json(content, RevisionResults, path, expected=_EXPECTED)
