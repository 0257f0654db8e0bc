"""What a benchmark run has measured so far, in a file written anew after each set: what `--resume` goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import refuse_links, write_whole
from nqperf.formats.journal import differences
from nqperf.formats.reading import read_whole
from nqperf.records.results import SCHEMA_VERSION, Controls, ProcessSet, VariantResult

_START_OVER = "leave --resume out to start over"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier start of a run has measured: its `rows` with their times, its `controls`, and the `sets` of both.

    `run` names what decides about the numbers, so that another run's are refused; `schema_version` is the results
    file's.
    """

    run: dict[str, Any]
    rows: tuple[VariantResult, ...] = ()
    controls: Controls = Controls(same=None, planted=None)
    sets: tuple[ProcessSet, ...] = ()
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """The file `path` in which a run's sets are kept, None for none; `run` names what decides about them.

    Raises: FormatError when it is a link.
    """

    path: Path | None
    run: dict[str, Any]

    def __post_init__(self) -> None:
        if self.path is not None:
            refuse_links(self.path.parent, [self.path.name])

    def write(self, rows: tuple[VariantResult, ...], controls: Controls, sets: tuple[ProcessSet, ...]) -> None:
        """Keep the `rows`, `controls` and `sets` measured so far, in place of what was kept before.

        Raises: FormatError when the file cannot be written.
        """
        if self.path is not None:
            write_whole(self.path, msgspec.json.encode(Kept(run=self.run, rows=rows, controls=controls, sets=sets)))

    def read(self) -> Kept | None:
        """Return what an earlier start of the same run has kept, None where there was none.

        Raises: FormatError when the file is damaged, of another schema, or of a run that differs (saying in what).
        """
        found = None if self.path is None else _read(self.path)
        if found is not None and (odd := differences(found.run, self.run)):
            raise FormatError(f"is of a run that differs: {odd}: make them equal, or {_START_OVER}", path=self.path)
        return found


def kept_examples(path: Path) -> int | None:
    """Return how many examples each row of an earlier start answered, whose sets are kept in `path`.

    None where there are none, or where the file does not say. Another start has time for more of them or fewer, and its
    answers would be to other questions.
    Raises: FormatError when the file is damaged or of another schema.
    """
    found = _read(path)
    data = {} if found is None else found.run.get("data")
    counts = data.get("counts") if isinstance(data, dict) else None
    examples = counts.get("examples") if isinstance(counts, dict) else None
    return examples if isinstance(examples, int) and examples > 0 else None


def _read(path: Path) -> Kept | None:
    refuse_links(path.parent, [path.name])
    if not path.exists():
        return None
    content = read_whole(path, what="the sets of an earlier start", limit=JSON_BYTES)
    expected = f"the sets of a benchmark run: {_START_OVER}"
    version = decode_json(content, _Head, path, expected=expected).schema_version
    if version != SCHEMA_VERSION:
        raise FormatError(f"is {version}; expected {SCHEMA_VERSION}: {_START_OVER}", path=path, field="schema_version")
    return decode_json(content, Kept, path, expected=expected)


class _Head(msgspec.Struct):
    """The only field that every version has."""

    schema_version: int
