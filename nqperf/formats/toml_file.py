"""TOML files of users, read into records: what is wrong in one is said with its place."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_Record = TypeVar("_Record", bound=msgspec.Struct)


def read_toml(path: Path, record: type[_Record], *, what: str, advice: str) -> _Record:
    """Return the TOML file `path`, which holds `what`, as a `record`.

    Raises: FormatError, with `advice` at its end, when it is missing, no TOML, or a field is missing, unknown, of
    another type or out of range.
    """
    content = read_whole(path, what=what)
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"is no UTF-8 text ({error.reason} at byte {error.start})", path=path) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise FormatError(f"is no TOML: {error}", path=path, line=int(line[1]) if line else None) from None
    try:
        return msgspec.convert(document, record)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        field = re.sub(r"^\$\.?", "", where.strip("`")) or None
        raise FormatError(f"{message}; {advice}", path=path, field=field) from None
