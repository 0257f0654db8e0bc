"""Opening and replacing files: input that may be missing, output that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from nqperf.errors import FormatError

# Marks our unfinished files, so that a killed run's leftovers are recognised and never read as output.
PARTIAL_SUFFIX = ".partial"


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends, and vanishes when it raises.

    Raises: FormatError when the folder does not exist or cannot be written, or when `path` is no plain file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a device would be replaced, too
        kind = "a folder" if path.is_dir() else "no plain file"
        raise FormatError(f"is {kind}, a file is written here: name another output", path=path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        partial.touch()
    except OSError as error:
        raise FormatError(
            f"cannot be written ({error.strerror}): name a folder that exists and is yours", path=path
        ) from error
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def read_whole(path: Path, *, what: str) -> bytes:
    """Return the bytes of `path`; `what` names the file's role in the message.

    Raises: FormatError when there is no such file or it cannot be read.
    """
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FormatError(f"no such file; expected {what}: check the path", path=path) from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror}); expected {what}", path=path) from error
