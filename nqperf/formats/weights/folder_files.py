"""The small files of one folder, each opened and read once, and what they were when they were read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nqperf.errors import FormatError
from nqperf.formats.decoding import decode_json, utf8
from nqperf.formats.reading import read_whole

# What the file system says of a file: another one in its place, or another content, has another stamp.
Stamp = tuple[int, int, int, int]


def stamp_of(file: Path | int) -> Stamp:
    """Return the stamp of `file`, a path or an open descriptor: device, inode, size in bytes, time of change in ns.

    Raises: OSError when there is no such file.
    """
    found = os.stat(file)  # noqa: PTH116  # a descriptor has no Path
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def require_stamp(path: Path, stamp: Stamp) -> None:
    """Raise unless the file at `path` is still the one that had `stamp`.

    Raises: FormatError.
    """
    try:
        same = stamp_of(path) == stamp
    except OSError:
        same = False
    if not same:
        raise FormatError(
            "has changed since it was read: leave the model's files alone while it is used, and start again", path=path
        )


class FolderFiles:
    """The files of `folder` by their names, read when they are first asked for and kept.

    What is hashed is what was read: `sha256` opens nothing again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._contents: dict[str, bytes] = {}
        self._stamps: dict[str, Stamp] = {}

    def has(self, name: str) -> bool:
        """Tell whether the folder has a file called `name`."""
        return name in self._contents or (self.folder / name).is_file()

    def read(self, name: str, *, what: str) -> bytes:
        """Return the bytes of the file `name`; `what` says its role in messages.

        Raises: FormatError when it is missing or cannot be read.
        """
        if name not in self._contents:
            path = self.folder / name
            stamp = stamp_of(path) if path.is_file() else None
            self._contents[name] = read_whole(path, what=what)
            if stamp is not None:
                self._stamps[name] = stamp
        return self._contents[name]

    def text(self, name: str, *, what: str) -> str:
        """Return the text of the file `name`, without a byte order mark; `what` says its role in messages.

        Raises: FormatError when it is missing or is not UTF-8.
        """
        return utf8(self.read(name, what=what), self.folder / name, expected=what).decode()

    def json_object(self, name: str, *, what: str) -> dict[str, Any]:
        """Return the JSON object in the file `name`; `what` says its role in messages.

        Raises: FormatError when the file is missing or holds anything else.
        """
        content = self.read(name, what=what)
        return decode_json(content, dict[str, Any], self.folder / name, expected=f"{what}, a JSON object")

    def sha256(self, names: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of files, in hexadecimal digits, by their `names`; what was read is not read again.

        Raises: FormatError when one cannot be read.
        """
        return {name: hashlib.sha256(self.read(name, what="a model's file")).hexdigest() for name in names}

    def require_unchanged(self) -> None:
        """Raise unless every file that was read is still as it was.

        Raises: FormatError that names the file.
        """
        for name, stamp in self._stamps.items():
            require_stamp(self.folder / name, stamp)
