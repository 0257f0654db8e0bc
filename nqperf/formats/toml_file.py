"""TOML files of users, read into records and written: what is wrong in one is said with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from nqperf.formats.decoding import TOML_BYTES, decode_toml
from nqperf.formats.reading import read_whole

_Record = TypeVar("_Record", bound=msgspec.Struct)


def read_toml(path: Path, record: type[_Record], *, what: str, advice: str) -> _Record:
    """Return the TOML file `path`, which holds `what`, as a `record`.

    Raises: FormatError, with `advice` at its end, when it is missing, no TOML, or a field is missing, unknown, of
    another type or out of range.
    """
    content = read_whole(path, what=what, limit=TOML_BYTES)
    return decode_toml(content, record, path, expected=f"{what}: {advice}")


def toml_table(name: str, fields: Mapping[str, Any]) -> list[str]:
    """Return the lines of the table `name` with its `fields`, the tables within it last, as TOML wants them."""
    inner = [
        line
        for key, value in fields.items()
        if isinstance(value, Mapping) and value
        for line in toml_table(f"{name}.{_key(key)}", value)
    ]
    return ["", f"[{name}]", *toml_fields(fields), *inner]


def toml_fields(fields: Mapping[str, Any]) -> list[str]:
    """Return a line for each of the `fields` that is no table."""
    return [f"{_key(key)} = {toml_value(value)}" for key, value in fields.items() if not isinstance(value, Mapping)]


def toml_value(value: Any) -> str:
    """Return `value` in TOML, whose strings and lists are written as JSON's but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    """Return `key` bare where TOML allows it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
