"""Device profiles as TOML: the file that comes with nqperf, profiles.toml beside this module, and files of users."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from nqperf.formats.files import write_whole
from nqperf.formats.toml_file import read_toml
from nqperf.gate.profiles import Profile

PACKAGED = Path(__file__).with_name("profiles.toml")
_SCHEMA_VERSION = 1


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    schema_version: Literal[1]
    profile: tuple[Profile, ...]

    def __post_init__(self) -> None:
        names = [profile.name for profile in self.profile]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or not names:
            raise ValueError(f"{len(names)} profiles, names that stand twice: {', '.join(repeated) or 'none'}")


def read_profiles(path: Path = PACKAGED) -> tuple[Profile, ...]:
    """Return the profiles in the TOML file `path`.

    Raises: FormatError when it is missing, no TOML, or a field is missing, unknown, of another type or out of range.
    """
    return read_toml(path, _File, what="a device profile", advice="see `nqperf calibrate` for a whole profile").profile


def write_profile(path: Path, profile: Profile) -> None:
    """Write a file of one profile to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    write_whole(path, f"schema_version = {_SCHEMA_VERSION}\n\n{render_profile(profile)}".encode())


def render_profile(profile: Profile) -> str:
    """Return `profile` as the TOML that `read_profiles` reads, without the line of the schema version."""
    lines = ["[[profile]]", f"name = {_toml(profile.name)}"]
    for table, fields in msgspec.to_builtins(profile).items():
        if isinstance(fields, Mapping) and fields:
            lines += _toml_table(f"profile.{table}", fields)
    return "\n".join(lines) + "\n"


def _toml_table(name: str, fields: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table, those within it last, as TOML wants them."""
    plain = [f"{_toml_key(key)} = {_toml(value)}" for key, value in fields.items() if not isinstance(value, Mapping)]
    inner = [
        line
        for key, value in fields.items()
        if isinstance(value, Mapping) and value
        for line in _toml_table(f"{name}.{_toml_key(key)}", value)
    ]
    return ["", f"[{name}]", *plain, *inner]


def _toml_key(key: str) -> str:
    """Return `key` bare where TOML allows it."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    """Return `value` in TOML, whose strings and lists are written as JSON's but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
