"""Device profiles as TOML: the file that comes with nqperf, profiles.toml beside this module, and files of users."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from nqperf.formats.files import write_whole
from nqperf.formats.toml_file import read_toml, toml_table, toml_value
from nqperf.records.profiles import Profile

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
    """Write a file of one `profile` to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    write_whole(path, f"schema_version = {_SCHEMA_VERSION}\n\n{render_profile(profile)}".encode())


def render_profile(profile: Profile) -> str:
    """Return `profile` as the TOML that `read_profiles` reads, without the line of the schema version."""
    lines = ["[[profile]]", f"name = {toml_value(profile.name)}"]
    if profile.freedom is not None:
        lines.append(f"freedom = {toml_value(profile.freedom)}")
    for table, fields in msgspec.to_builtins(profile).items():
        if isinstance(fields, Mapping) and fields:
            lines += toml_table(f"profile.{table}", fields)
    return "\n".join(lines) + "\n"
