"""What every worker process does: it answers its parent's requests, one at a time, and ends with it.

The parent's end closes the pipe, and Linux is asked to kill the worker when the parent is killed in the middle of a
long computation.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import signal
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from nqperf.errors import ConfigError, FormatError
from nqperf.perf.workers import protocol

_PR_SET_PDEATHSIG = 1
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOT_THE_USERS = (
    Path(__file__).parents[2],
    *(
        Path(path)
        for name, path in sysconfig.get_paths().items()
        if name in {"stdlib", "platstdlib", "purelib", "platlib"}
    ),
)
_KERAS = "Exception encountered when calling"


def serve(parent: int, answer: Callable[[Any], msgspec.Struct], requests: Any) -> None:
    """Let `answer` answer the `requests`, a union of messages, of the process numbered `parent` until it stops or ends.

    The garbage collector waits for the first answer: libraries and a model stay as long as the process does, and
    looking for garbage among them takes as long as importing TensorFlow. It never looks at them again.
    """
    gc.disable()
    _end_with(parent)
    # Whatever libraries print goes to standard error; only messages use the pipes.
    outgoing = os.fdopen(os.dup(1), "wb")
    incoming = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    channel = protocol.Channel(incoming, outgoing, requests | protocol.Hello, on_close=lambda: os._exit(0))
    while not isinstance(request := channel.receive(), protocol.Stop):
        if isinstance(request, protocol.Hello):
            channel.send(protocol.Hello(version=protocol.VERSION))
            continue
        try:
            reply = answer(request)
        except (ConfigError, FormatError) as error:
            reply = protocol.Failed(reason=f"{type(error).__name__}: {_first_line(error)}", bad_input=True)
        except Exception as error:  # noqa: BLE001  # whatever it is, the parent is told and decides
            reply = protocol.Failed(reason=f"{type(error).__name__}: {_first_line(error)}{_place(error)}")
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        channel.send(reply)
    # A library's threads and GPU contexts can take seconds to wind down, with nothing left to save.
    os._exit(0)


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(0)


def _place(error: Exception) -> str:
    """Return where in the user's own files `error` was raised, nothing where it was in none of them.

    Libraries and this package are none; a fault of the syntax names its place itself.
    """
    frames = [] if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        file = Path(frame.filename)
        if file.is_file() and not any(file.is_relative_to(folder) for folder in _NOT_THE_USERS):
            return f" ({'/'.join(file.parts[-2:])}, line {frame.lineno})"
    return ""


def _first_line(error: Exception) -> str:
    """Return the first line of a message, and the next where Keras has set one of its own before the cause."""
    lines = [line for line in _COLOUR.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return "no message"
    return " ".join(lines[: 2 if lines[0].startswith(_KERAS) else 1])
