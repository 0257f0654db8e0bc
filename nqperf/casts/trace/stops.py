"""What stops a trace, in one line."""

from __future__ import annotations

import re

_LONGEST = 400


def said(error: BaseException) -> str:
    """Return the type and message of an `error` in one line without colour codes, cut where it is long."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"\s+", " ", text).strip()
    return f"{type(error).__name__}: {text[:_LONGEST]}"
