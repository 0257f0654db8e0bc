"""A JSON file that holds one object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.files import read_whole


def read_json_object(path: Path, *, what: str) -> dict[str, Any]:
    """Return the JSON object in `path`.

    Raises: FormatError when the file is missing or holds anything else.
    """
    try:
        return msgspec.json.decode(read_whole(path, what=what), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"is no JSON object ({error}); expected {what}", path=path) from error
