"""What the user's code raised, in one line with its place."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path

from nqperf.casts.trace.frames import is_generated, is_users
from nqperf.casts.trace.records import relative

_LONGEST = 400
_CALLED_WITH = "Arguments received by"  # how Keras begins the list of what a layer was called with
_OURS = f"{Path(__file__).parents[2]}{os.sep}"


def said(error: BaseException) -> str:
    """Return the type, message and place of an `error` in one line without colour codes, cut where it is long.

    The place is the user's innermost line, "file:line"; there is none where no line of theirs has run.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"\s+", " ", text).partition(_CALLED_WITH)[0].strip()
    where = _place(error)
    return f"{type(error).__name__}: {text[:_LONGEST]}{f' (at {where})' if where else ''}"


def _place(error: BaseException) -> str | None:
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = frame.f_code.co_filename
        if is_users(path) and not is_generated(path) and not path.startswith(_OURS):
            return f"{relative(path)}:{line}"
    return None
