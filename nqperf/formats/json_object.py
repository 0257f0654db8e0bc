"""A JSON file that holds one object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from nqperf.formats.decoding import JSON_BYTES, decode_json
from nqperf.formats.reading import read_whole


def encode_json(value: object) -> bytes:
    """Return `value` as JSON; a path's bytes that are no UTF-8 are escaped, as Python's own writer does."""
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value, enc_hook=str)).encode()


def read_json_object(path: Path, *, what: str, limit: int = JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object in `path`; `what` names the file's role in the message. Units: `limit` bytes.

    Raises: FormatError when the file is missing, larger than `limit`, or holds anything else.
    """
    return decode_json(
        read_whole(path, what=what, limit=limit), dict[str, Any], path, expected=f"{what}, a JSON object"
    )
