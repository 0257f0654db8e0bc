"""A JSON file that holds one object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.reading import read_whole


def read_json_object(path: Path, *, what: str, limit: int = JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object in `path`; `what` names the file's role in the message. Units: `limit` bytes.

    Raises: FormatError when the file is missing, larger than `limit`, or holds anything else.
    """
    return decode_json(
        read_whole(path, what=what, limit=limit), dict[str, Any], path, expected=f"{what}, a JSON object"
    )
