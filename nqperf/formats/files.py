"""Opening and replacing files: input that may be missing, output that appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nqperf.errors import FormatError

if sys.platform != "win32":
    import fcntl

# Marks our unfinished files and folders, so that a killed run's leftovers are recognised and never read as output.
PARTIAL_SUFFIX = ".nqperf.partial"
_PARTIAL_NAME = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}")
_REPLACED_SUFFIX = ".replaced"
_CHUNK_BYTES = 1 << 20
_NEXT_STEP = {
    errno.ENOSPC: "free some space, or name another output",
    errno.EDQUOT: "free some space, or name another output",
    errno.EFBIG: "raise the limit on file sizes, or name another output",
    errno.ENOENT: "its folder has vanished; name a folder that stays",
}


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends, and vanishes when it raises.

    Raises: FormatError when the folder does not exist or cannot be written, when `path` is no plain file, or when
    writing fails in the block (a full disk).
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a device would be replaced, too
        kind = "a folder" if path.is_dir() else "no plain file"
        raise FormatError(f"is {kind}, a file is written here: name another output", path=path)
    with _partial(path, folder=False) as partial:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes its place when the block ends, and vanishes when it raises.

    Raises: FormatError when it cannot be made or when writing fails in the block.
    """
    path = Path(path)
    with _partial(path, folder=True) as partial:
        yield partial
        # A folder cannot be renamed onto another one: for a moment the older one has a name that is never cleaned away.
        older = path.with_name(f".{path.name}{_REPLACED_SUFFIX}")
        if older.exists():  # killed in that moment
            remove(older) if path.exists() else older.rename(path)
        if not path.exists():
            partial.rename(path)
            return
        path.rename(older)
        try:
            partial.rename(path)
        except BaseException:
            older.rename(path)
            raise
        remove(older)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder in the system's temporary one that goes with the block, or with the next one after a kill."""
    with _partial(Path(tempfile.gettempdir()) / "r", folder=True) as scratch:  # short: sockets in it have 107 letters
        yield scratch


@contextlib.contextmanager
def _partial(path: Path, *, folder: bool) -> Iterator[Path]:
    """Make a temporary file or folder beside `path`, locked while the block runs and removed behind it."""
    try:
        remove_leftovers(path.parent)
        partial, lock = _made_and_locked(path, folder=folder)
    except OSError as error:
        raise FormatError(
            f"cannot be written ({error.strerror}): name a place in a folder that exists and is yours", path=path
        ) from error
    try:
        yield partial
    except OSError as error:
        next_step = _NEXT_STEP.get(error.errno or 0, "see to it, or name another output")
        raise FormatError(f"could not be finished ({error.strerror or error}): {next_step}", path=path) from error
    finally:
        os.close(lock)
        remove(partial)


def _made_and_locked(path: Path, *, folder: bool) -> tuple[Path, int]:
    while True:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
        if folder:
            partial.mkdir()
        else:
            partial.touch(exist_ok=False)
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(partial, os.O_RDONLY if folder else os.O_RDWR)
            with contextlib.suppress(OSError):  # some network file systems have no locks: nobody cleans there
                take_lock(lock)
            if partial.exists():  # another run may have taken it for a leftover before it was locked
                return partial, lock
            os.close(lock)


def take_lock(descriptor: int) -> None:
    """Lock an open file or folder for as long as the descriptor is open; the system ends it with the process.

    Raises: OSError when another process holds the lock, or where there are no locks.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files and folders of runs that were killed: those that nobody holds a lock on.

    Where locks are not known (Windows), none is removed.

    Raises: OSError when there is no such folder or it cannot be read.
    """
    for entry in os.scandir(folder):
        if _PARTIAL_NAME.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        take_lock(descriptor)
        remove(path)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def copy_whole(source: Path, path: Path) -> None:
    """Copy a file to `path`, whole or not at all."""
    with whole_file(path) as partial:
        shutil.copyfile(source, partial)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits.

    Raises: FormatError when it cannot be read.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while content := file.read(_CHUNK_BYTES):
                found.update(content)
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", path=path) from error
    return found.hexdigest()
