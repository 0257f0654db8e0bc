"""Opening input: any path that people give is opened, or refused in one line before a byte of it is read."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from nqperf.errors import FormatError

# A file that is held in memory and is no weights: a configuration, a recipe, a results file.
WHOLE_BYTES = 256 << 20
_KINDS: dict[Callable[[int], bool], str] = {
    stat.S_ISDIR: "a folder",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


def opened(path: Path, *, what: str) -> BinaryIO:
    """Return the file at `path`, open for reading; `what` names its role in the message.

    A pipe that is already open (`/dev/stdin`, a shell's `<(...)`) is read; a named one could wait for ever.

    Raises: FormatError when nothing is there, when it is no file (a folder, a device, a named pipe), when it may not be
    read, or when the system takes the name for none (300 letters, a NUL).
    """
    path = Path(path)
    with _named(path, what):
        _refuse_other_kinds(path, what)
        return path.open("rb")


def require_file(path: Path, *, what: str) -> None:
    """Raise as `opened` does unless a file is at `path`, which is not opened; `what` names its role in the message."""
    with _named(path, what):
        _refuse_other_kinds(path, what)


@contextlib.contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """Turn what the system says of `path` into a FormatError that names it and `what` was expected there."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(f"no such file; expected {what}: check the path", path=path) from None
    except OSError as error:
        raise unreadable(path, error, what) from error
    except ValueError as error:
        raise FormatError(f"is no path ({error}); expected {what}: check the path", path=path) from None


def read_whole(path: Path, *, what: str, limit: int | None = None) -> bytes:
    """Return the bytes of `path`; `what` names the file's role in the message. Units: `limit` bytes, None for any size.

    Raises: FormatError as `opened` does, and when the file is larger than `limit`.
    """
    with opened(path, what=what) as file:
        try:
            content = file.read() if limit is None else file.read(limit + 1)
        except OSError as error:
            raise unreadable(path, error, what) from error
    if limit is not None and len(content) > limit:
        raise FormatError(
            f"is larger than {limit} bytes, the most that is read of {what}: check that it is the file you mean",
            path=path,
        )
    return content


def exists(path: Path) -> bool:
    """Return whether there is something at `path`; a name that the system takes for none is nothing."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def unreadable(path: object, error: OSError, what: str) -> FormatError:
    """Return the error for a `path` that the system does not let be read.

    It says why, by `error`, and `what` was expected there.
    """
    return FormatError(f"cannot be read ({error.strerror or error}); expected {what}", path=path)


def _refuse_other_kinds(path: Path, what: str) -> None:
    """Raise for what is no plain file, before opening it could wait or do something."""
    mode = path.stat().st_mode
    for is_kind, name in _KINDS.items():
        if is_kind(mode):
            raise FormatError(f"is {name}; expected {what}: check the path", path=path)
    if stat.S_ISFIFO(mode) and not _is_already_open(path):
        raise FormatError(
            f"is a named pipe; expected {what}: copy it to a file, or give it as standard input where - is taken",
            path=path,
        )


def _is_already_open(path: Path) -> bool:
    """Return whether the path is one of this process's open files: /dev/fd/63, /dev/stdin."""
    resolved = os.path.realpath(path)
    return not os.path.lexists(resolved) or Path(resolved).parent.name == "fd"  # /proc/7/fd/pipe:[8] is no file
