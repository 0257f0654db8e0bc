"""The state of a search for a commit: what was measured so far, so that a killed search goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.files import write_whole
from nqperf.formats.reading import exists, read_whole

_EXPECTED = "expected the state of a search; --fresh starts over"


class BisectState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a search for `target` between two commits, whose whole names `good` and `bad` are.

    `measured` holds the commit's name and the log slowdown of each set in order, `unusable` the commits that do not
    build, with the reason.
    `schema_version` is the file's.
    """

    target: str
    good: str
    bad: str
    measured: tuple[tuple[str, float], ...] = ()
    unusable: dict[str, str] = {}
    schema_version: int = 1


def read_state(path: Path) -> BisectState | None:
    """Return the state in the file `path`, None where there is none.

    Raises: FormatError when it holds something else.
    """
    if not exists(path):
        return None
    return decode_json(
        read_whole(path, what="the state of a search", limit=JSON_BYTES), BisectState, path, expected=_EXPECTED
    )


def write_state(path: Path, state: BisectState) -> None:
    """Write the `state` to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
