"""Signals that ask the program to end: it ends as by an exception, so that what is half-written is taken away."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType

from nqperf.errors import Interrupted

# The end of a terminal is a wish to end, as SIGTERM is; nohup, which ignores it, still does.
ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
SIGNAL_BASE = 128  # a shell's exit code of a command that a signal ended is 128 and its number

_ENDING_SOON = b"nqperf: ending when the shard under way is done; once more to end at once\n"
_AGAIN_SECONDS = 0.05
_AT_MOST = 600
_put_off: Counter[int] = Counter()
_came: list[int] = []
Handler = Callable[[int, FrameType | None], None]


def end_now(signum: int, frame: FrameType | None) -> None:
    """End the program as the signal `signum` asks for, `frame` being where it came; after an import that is under way.

    A compiled library, such as TensorFlow, does not outlive an exception in the middle of its import: the process would
    end by SIGSEGV. There the signal is sent again a moment later, for half a minute at the most.

    Raises: Interrupted; KeyboardInterrupt for SIGINT, which libraries expect.
    """
    if not _put_off_by_import(signum, frame):
        raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted(signum)


def _put_off_by_import(signum: int, frame: FrameType | None) -> bool:
    """Note that the signal `signum` came, and return whether it is sent again, since `frame` stands in an import."""
    _came.append(signum)
    if not _imports(frame) or _put_off[signum] >= _AT_MOST:
        return False
    _put_off[signum] += 1
    again = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signum))
    again.daemon = True
    again.start()
    return True


def _imports(frame: FrameType | None) -> bool:
    """Return whether `frame` stands in an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def handling(handler: Handler, *signums: int) -> Iterator[None]:
    """Let `handler` answer the signals `signums` in the block; only the main thread may, elsewhere all stays as it is.

    A signal that is ignored goes on being ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [signum for signum in signums if signal.getsignal(signum) is not signal.SIG_IGN]
    before = {signum: signal.signal(signum, handler) for signum in heeded}
    try:
        yield
    finally:
        for signum, older in before.items():
            signal.signal(signum, older)


@contextlib.contextmanager
def ending() -> Iterator[None]:
    """Let signals end the block, and after one came, end it as interrupted however it ends.

    Python ignores what is raised in a finaliser or in a callback of a weak reference, and so may lose what was raised
    for a signal.

    Raises: Interrupted, for the first signal that came; SystemExit of the block where its code says the same.
    """
    _came.clear()
    kept = ""
    with handling(end_now, signal.SIGINT, *ENDING):
        try:
            yield
        except BaseException as error:
            if not _came or (isinstance(error, SystemExit) and error.code == SIGNAL_BASE + _came[0]):
                raise
            kept = getattr(error, "kept", "")
    if _came:
        interrupted = Interrupted(_came[0])
        interrupted.kept = kept
        raise interrupted


@contextlib.contextmanager
def ending_between_shards() -> Iterator[Callable[[], None]]:
    """Yield what to call between shards: it ends the program there after a first signal; a second one ends it at once.

    Raises: Interrupted, from the yielded function or, at the second signal, anywhere.
    """
    asked: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        if asked and not _put_off_by_import(signum, frame):
            raise Interrupted(signum)  # of SIGINT, too: click takes a KeyboardInterrupt, and what is kept would be lost
        asked.append(signum)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # there may be no terminal any more
            os.write(sys.stderr.fileno(), _ENDING_SOON)

    def end_if_asked() -> None:
        if asked:
            raise Interrupted(asked[0])

    with handling(note, signal.SIGINT, *ENDING):
        yield end_if_asked
