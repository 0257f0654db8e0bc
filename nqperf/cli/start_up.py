"""What native libraries log while they start: off the screen of every command, unless --verbose asks for it."""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import Lock
from types import ModuleType
from typing import IO, cast

import click

from nqperf.errors import NqPerfError

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FATAL_ONLY = "3"  # an error that matters is raised too; at lower levels a machine without a GPU is told of cuInit


def open_closed_streams() -> None:
    """Let standard streams that the caller closed lead to nowhere; else the next file that is opened takes their place.

    What a library then writes to standard error would stand in the middle of an output.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # a lower one is closed as well
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


class _TensorFlowQuietly(MetaPathFinder):
    """Imports TensorFlow without its start-up lines, whoever imports it: a command, Keras or the user's own module.

    And without the garbage collector, which finds nothing among what stays, and takes as long as the import.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            genuine = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                collects = gc.isenabled()
                gc.disable()
                try:
                    with quiet_start_up():
                        genuine(module)
                finally:
                    gc.freeze()
                    if collects:
                        gc.enable()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # this spec's loader is its own
        return spec


_quietly = _TensorFlowQuietly()


def hold_back() -> None:
    """Keep TensorFlow's log to itself from here on; a TF_CPP_MIN_LOG_LEVEL below 2 in the environment asks for it."""
    if os.environ.get(LOG_LEVEL, _FATAL_ONLY) in ("0", "1") or _quietly in sys.meta_path:
        return
    os.environ.setdefault(LOG_LEVEL, _FATAL_ONLY)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.meta_path.insert(0, _quietly)


def let_through() -> None:
    """Show what is logged after all: what --verbose asks for, before anything has started."""
    if _quietly in sys.meta_path:
        sys.meta_path.remove(_quietly)
        os.environ.pop(LOG_LEVEL, None)
        logging.getLogger("tensorflow").setLevel(logging.NOTSET)


# Where standard error leads while native code's is held back.
_kept: list[int] = []
_kept_lock = Lock()


class _Screen(io.TextIOBase):
    """Standard error as it was when this was made, which is heard while that of native code is held back, too."""

    def __init__(self) -> None:
        self._stream = sys.stderr

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, an attribute there
        """That of standard error."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Write the `text`; return how many letters it has."""
        with _kept_lock:
            if _kept:
                os.write(_kept[-1], text.encode(self.encoding, "replace"))
                return len(text)
        return self._stream.write(text)

    def flush(self) -> None:
        """Write what is buffered."""
        if not _kept:
            self._stream.flush()


def screen() -> IO[str]:
    """Return standard error as a stream that is heard while that of native code is held back, too."""
    return cast("IO[str]", _Screen())


@contextmanager
def quiet_start_up() -> Iterator[None]:
    """Hold back what native code writes to stderr in the block, and show it when the block fails in its own way.

    TensorFlow 2.21 logs its start-up before its log level is read, so no setting of its own silences it.
    """
    if _quietly not in sys.meta_path:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        with _kept_lock:
            _kept.append(kept)
        try:
            yield
        except NqPerfError:
            raise
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            with _kept_lock:
                _kept.remove(kept)
            os.dup2(kept, 2)
            os.close(kept)


def show_logs(_context: click.Context, _option: click.Parameter, value: bool) -> bool:  # noqa: FBT001  # click's
    """Let logs through where `value` is True, for --verbose was given: the callback of that option."""
    if value:
        let_through()
    return value
