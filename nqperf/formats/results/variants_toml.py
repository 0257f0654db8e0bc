"""Variants of one's own as TOML: rows for the suite's table, without a change to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from nqperf.formats.toml_file import read_toml


class VariantRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row as it stands in the file; None: the table's own default.

    `name` and `description` are shown in the report; a name has no comma and is no other row's. `engine` is the name of
    an engine, `settings` are its own, and `environment` has the variables that are set before the process starts: one
    of the three must be there. `tolerance` is how exact the answers must be.

    Raises: ValueError for a name without text or with a comma, and for a row that switches nothing.
    """

    name: str
    description: str = "a variant of one's own"
    engine: str | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    tolerance: Literal["exact", "sixteen_bit", "eight_bit"] = "exact"

    def __post_init__(self) -> None:
        if not self.name.strip() or "," in self.name:
            raise ValueError(f"the name is {self.name!r}; expected some text without a comma")
        if not (self.environment or self.settings or self.engine):
            raise ValueError(f"variant {self.name} switches nothing; expected an engine, environment or settings")


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    variant: tuple[VariantRow, ...]

    def __post_init__(self) -> None:
        names = [row.name for row in self.variant]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated or not names:
            raise ValueError(f"{len(names)} variants, names that stand twice: {', '.join(repeated) or 'none'}")


def read_variant_rows(path: Path) -> tuple[VariantRow, ...]:
    """Return the rows in the TOML file `path`.

    Raises: FormatError when it is missing, no TOML, or a field is missing, unknown, of another type or out of range.
    """
    advice = "a row is [[variant]] with name, and engine, environment, settings, tolerance as it needs"
    return read_toml(path, _File, what="variants of your own", advice=advice).variant
