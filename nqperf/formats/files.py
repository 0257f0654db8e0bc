"""Opening and replacing files: input that may be missing, output that appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from nqperf.errors import FormatError

if sys.platform != "win32":
    import fcntl

# Marks our unfinished files and folders, so that a killed run's leftovers are recognised and never read as output.
PARTIAL_SUFFIX = ".nqperf.partial"
_PARTIAL_NAME = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(PARTIAL_SUFFIX)}")
_REPLACED_SUFFIX = ".replaced"
_CHUNK_BYTES = 1 << 20
_NAME_BYTES = 200  # of the name of what is written; a file system takes 255, and ours has more to it
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_SYSTEMS = (Path("/dev"), Path("/proc"), Path("/sys"))
_MEMORY = Path("/dev/shm")  # noqa: S108  # a file system in memory, which is anybody's to write to
_NEXT_STEP = {
    errno.ENOSPC: "free some space, or name another output",
    errno.EDQUOT: "free some space, or name another output",
    errno.EFBIG: "raise the limit on file sizes, or name another output",
    errno.ENOENT: "its folder has vanished; name a folder that stays",
}


def require_places(**outputs: Path | None) -> None:
    """Check that `outputs` can be written as files, before hours of work; each keyword is the name of its option.

    Raises: FormatError naming the option.
    """
    for option, path in outputs.items():
        name = option.replace("_", "-")
        if path is not None and path.is_dir():
            raise FormatError(f"--{name} is a folder; expected a file: name another", path=path)
        if path is not None and not path.parent.is_dir():
            raise FormatError(f"--{name} is no file in a folder that exists: make {path.parent} first", path=path)
        if path is not None and not (path.exists() and not path.is_file()):  # a device is no place for a file
            _try_place(path, name)


def _try_place(path: Path, name: str) -> None:
    """Raise FormatError unless a file can be written beside `path`."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        why = f"--{name} cannot be written ({error.strerror}): name a file in another folder"
        raise FormatError(why, path=path) from error


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends, and vanishes when it raises.

    A link stays a link: the file that it leads to is written. A file that is there keeps its mode, and its owner where
    this process may set it.
    Raises: FormatError when the folder does not exist or cannot be written, when `path` is no plain file or leads to
    one of the system's, or when writing fails in the block (a full disk).
    """
    target = writable_file(path)
    with _partial(target, folder=False) as partial:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        _keep_mode_and_owner(partial, target)
        partial.replace(target)


def writable_file(path: Path) -> Path:
    """Return the place of the file that is written when `path` is: itself, or what the link leads to.

    Raises: FormatError for a folder, a device, a pipe, a link in a circle, or a place in the system's own folders.
    """
    path = Path(path)
    try:
        target = path.resolve()
        kind = target.lstat().st_mode if os.path.lexists(target) else None
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a circle, up to Python 3.12
        reason = getattr(error, "strerror", None) or error
        raise FormatError(f"cannot be written ({reason}): name another output", path=path) from None
    if kind is not None and not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "no plain file"
        raise FormatError(f"is {what}, a file is written here: name another output", path=path)
    # /dev/stdout leads to a file where the output is sent to one; to replace that would take it from its reader.
    places = [place for place in (target, path.absolute()) if not place.is_relative_to(_MEMORY)]
    if any(place.is_relative_to(folder) for place in places for folder in _SYSTEMS):
        raise FormatError("is the system's own place, a file is written here: name another output", path=path)
    return target


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Raise where one of `names` in `folder` is a link: nobody named it, and a stranger's folder may hold any.

    Raises: FormatError naming it.
    """
    for name in names:
        if (folder / name).is_symlink():
            raise FormatError("is a link that you did not name: remove it, or name another output", path=folder / name)


def _keep_mode_and_owner(partial: Path, target: Path) -> None:
    """Give the new file the mode and the owner of the one that it replaces."""
    with contextlib.suppress(OSError):  # none is there; or only root may give a file away
        older = target.stat()
        partial.chmod(stat.S_IMODE(older.st_mode))
        if hasattr(os, "chown") and (older.st_uid, older.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(partial, older.st_uid, older.st_gid)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes its place when the block ends, and vanishes when it raises.

    Raises: FormatError when it cannot be made or when writing fails in the block.
    """
    path = Path(path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        kind = "a link" if path.is_symlink() else "no folder"
        raise FormatError(f"is {kind}, a folder is written here: name another output", path=path)
    with _partial(path, folder=True) as partial:
        yield partial
        # A folder cannot be renamed onto another one: for a moment the older one has a name that is never cleaned away.
        older = path.with_name(f".{path.name}{_REPLACED_SUFFIX}")
        if os.path.lexists(older) and not _is_ours(older):
            raise FormatError("is there and belongs to somebody else: remove it, or name another output", path=older)
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
    # Short: sockets in it have 107 letters. A model's weights lie here while they are loaded: for nobody else to read.
    with _partial(Path(tempfile.gettempdir()) / "r", folder=True, mode=0o700) as scratch:
        yield scratch


@contextlib.contextmanager
def _partial(path: Path, *, folder: bool, mode: int = 0o777) -> Iterator[Path]:
    """Make a temporary file or folder beside `path`, locked while the block runs and removed behind it."""
    try:
        remove_leftovers(path.parent)
        partial, lock = _made_and_locked(path, folder=folder, mode=mode)
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


def _made_and_locked(path: Path, *, folder: bool, mode: int) -> tuple[Path, int]:
    while True:
        name = os.fsdecode(os.fsencode(path.name)[:_NAME_BYTES])
        partial = path.with_name(f".{name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
        try:
            if folder:
                partial.mkdir(mode=mode)
            else:
                partial.touch(exist_ok=False)
            with contextlib.suppress(FileNotFoundError):
                lock = os.open(partial, (os.O_RDONLY if folder else os.O_RDWR) | _NO_LINK)
                with contextlib.suppress(OSError):  # some network file systems have no locks: nobody cleans there
                    take_lock(lock)
                if partial.exists():  # another run may have taken it for a leftover before it was locked
                    return partial, lock
                os.close(lock)
        except BaseException:  # a signal that asks for the end comes at any moment
            remove(partial)
            raise


def take_lock(descriptor: int) -> None:
    """Lock an open file or folder for as long as its `descriptor` is open; the system ends it with the process.

    Raises: OSError when another process holds the lock, or where there are no locks.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_lock(path: Path) -> int:
    """Return a descriptor of the lock file `path`, which is made where there is none; its content stays as it is.

    Raises: FormatError when it is a link, no plain file, another user's, or no lock: it holds more than a number.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o600)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise FormatError(f"cannot be used as a lock ({reason}): name another output", path=path) from None
    found = os.fstat(descriptor)
    other = hasattr(os, "geteuid") and found.st_uid != os.geteuid()
    if not stat.S_ISREG(found.st_mode) or other or found.st_nlink > 1 or not _is_lock(os.pread(descriptor, 100, 0)):
        os.close(descriptor)
        raise FormatError("is no lock of yours: name another output", path=path)
    return descriptor


def _is_lock(content: bytes) -> bool:
    return not content or content.isdigit()


def _is_ours(path: Path) -> bool:
    """Return whether a file or folder is no link and belongs to this process's user."""
    found = path.lstat()
    return not stat.S_ISLNK(found.st_mode) and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def remove(path: Path) -> None:
    """Remove what is at `path`: a file, a link, or a folder with all that is in it; nothing where nothing is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove from `folder` the unfinished files and folders of runs that were killed: those that nobody has locked.

    Where locks are not known (Windows), none is removed.

    Raises: OSError when there is no such folder or it cannot be read.
    """
    for entry in os.scandir(folder):
        if _PARTIAL_NAME.fullmatch(entry.name):
            with contextlib.suppress(OSError):
                _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    if sys.platform == "win32" or not _is_ours(path):
        return
    descriptor = os.open(path, (os.O_RDONLY if path.is_dir() else os.O_RDWR) | _NO_LINK)
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
    """Copy the file `source` to `path`, whole or not at all.

    Raises: FormatError as `whole_file` does, also when `source` cannot be read.
    """
    with whole_file(path) as partial:
        shutil.copyfile(source, partial)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file `path`, as 64 hexadecimal digits.

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
