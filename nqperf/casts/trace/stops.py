"""What stops a trace: the user's exception in one line, and branches or loops whose float types differ."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from typing import Any

from nqperf.casts.trace import frames
from nqperf.casts.trace.frames import is_users, location_of
from nqperf.casts.trace.recorder import Recorder
from nqperf.casts.trace.records import FLOATS, HALVES, Event, SourceLocation

_BRANCHES = (
    "true_fn and false_fn",
    "enters the loop with",
    "before the loop, but",
    "must have the same dtype",
    "branch_fns",
    "in the main branch, but",
    "has dtype",
)


def note_branch(recorder: Recorder, error: Exception) -> bool:
    """Record a condition or loop whose float types differ, and say whether it is one: nothing can be repaired there."""
    message = said(error)
    floats = {dtype for dtype in FLOATS if dtype in message}
    if not isinstance(error, TypeError | ValueError) or len(floats) < 2 or not floats & set(HALVES):  # noqa: PLR2004
        return False
    if not any(sign in message for sign in _BRANCHES):
        return False
    location, layer = None, None
    for frame in _frames(error):
        if is_users(frame.f_code.co_filename) and not frames.is_generated(frame.f_code.co_filename):
            location = (frame, location_of(frame))
        holder = frame.f_locals.get("self")
        if hasattr(holder, "compute_dtype") and hasattr(holder, "path"):
            layer = holder
    line = None
    if location is not None:
        # The frame has gone on since; the traceback knows the line it was executing.
        number = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename == location[1].path][
            -1
        ]
        line = SourceLocation(
            path=location[1].path,
            line=number.lineno or location[1].line,
            column=getattr(number, "colno", None),
            end_line=getattr(number, "end_lineno", None),
            end_column=getattr(number, "end_colno", None),
        )
    recorder.events.append(
        Event(
            kind="branch",
            at=len(recorder.ops),
            op_type="While" if "loop" in message.lower() else "If",
            layer=str(layer.path or layer.name) if layer is not None else "",
            compute_dtype=str(layer.compute_dtype) if layer is not None else recorder.where.default_dtype,
            location=line,
            message=message,
        )
    )
    return True


def _frames(error: Exception) -> Iterator[Any]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame
        step = step.tb_next


def said(error: BaseException) -> str:
    """Return an exception's type and message in one line without colour codes."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"\s+", " ", text).strip()
    return f"{type(error).__name__}: {text[:400]}"
