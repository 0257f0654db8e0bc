"""The rows of a benchmark run that are done, in a file written anew after each: what `--resume` goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import write_whole
from nqperf.formats.journal import differences
from nqperf.formats.reading import read_whole
from nqperf.records.results import SCHEMA_VERSION, Controls, VariantResult

_START_OVER = "leave --resume out to start over"


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """What the run is, the controls that vouch for its rows, and the rows."""

    run: dict[str, Any]
    controls: Controls
    rows: tuple[VariantResult, ...] = ()
    schema_version: int = SCHEMA_VERSION


@dataclass(slots=True, kw_only=True)
class KeptRows:
    """Rows by variant, kept in the file `path`, None in none; `run` names what decides about them."""

    path: Path | None
    run: dict[str, Any]
    controls: Controls
    rows: dict[str, VariantResult] = field(default_factory=dict)

    def add(self, row: VariantResult) -> None:
        """Keep a row."""
        self.rows[row.name] = row
        if self.path is not None:
            content = _File(run=self.run, controls=self.controls, rows=tuple(self.rows.values()))
            write_whole(self.path, msgspec.json.encode(content))

    def take(self) -> Controls:
        """Take over the rows of an earlier start of the same run, if there was one; return the controls of that start.

        Raises: FormatError when the file is damaged, of another schema, or of a run that differs (saying in what).
        """
        if self.path is None or not self.path.exists():
            return self.controls
        content = read_whole(self.path, what="the rows of an earlier start", limit=JSON_BYTES)
        found = decode_json(content, _File, self.path, expected=f"the rows of a benchmark run: {_START_OVER}")
        if found.schema_version != SCHEMA_VERSION:
            raise FormatError(
                f"is {found.schema_version}; expected {SCHEMA_VERSION}: {_START_OVER}",
                path=self.path,
                field="schema_version",
            )
        if odd := differences(found.run, self.run):
            raise FormatError(f"is of a run that differs: {odd}: make them equal, or {_START_OVER}", path=self.path)
        self.rows = {row.name: row for row in found.rows}
        return found.controls
