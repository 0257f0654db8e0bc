"""Python files that are edited: read with what must stay as it is, and written all together or not at all."""

from __future__ import annotations

import io
import os
import stat
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import write_whole
from nqperf.formats.reading import read_whole

_NEWLINES = ("\r\n", "\r", "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A Python source in the file `path`.

    `text` is what it holds, its newlines as Python reads them ("\\n"); `encoding` and `newline` are those that it has
    on disk.
    """

    path: Path
    text: str
    encoding: str
    newline: str

    def with_text(self, text: str) -> SourceFile:
        """Return the file with another `text`."""
        return SourceFile(path=self.path, text=text, encoding=self.encoding, newline=self.newline)

    @property
    def content(self) -> bytes:
        """The bytes that are in the file."""
        return self.text.replace("\n", self.newline).encode(self.encoding)


def read_source(path: Path) -> SourceFile:
    """Return the Python source in `path`.

    Raises: ConfigError when it is no file (generated code, a notebook's cell, a module in a zip), FormatError when it
    cannot be read or mixes its newlines.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path} is no file (generated code, a notebook's cell, or a module in an archive): nothing can be written "
            "there; keep the code in a module of its own"
        )
    content = read_whole(path, what="Python source")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        raw = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise FormatError(f"is no Python source ({error})", path=path) from error
    found = [newline for newline in _NEWLINES if newline in _reduced(raw, newline)]
    if len(found) > 1:
        raise FormatError("mixes newlines: give all its lines the same one before they are edited", path=path)
    newline = found[0] if found else "\n"
    return SourceFile(path=path, text=raw.replace(newline, "\n"), encoding=encoding, newline=newline)


def write_sources(files: Sequence[SourceFile]) -> None:
    """Write all `files`, or none: what is written when one fails is put back.

    Raises: FormatError when one is read-only or cannot be written.
    """
    for file in files:
        mode = file.path.stat().st_mode
        if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(file.path, os.W_OK):
            raise FormatError("is read-only: nothing was written; use --patch FILE", path=file.path)
    before = [(file.path, read_whole(file.path, what="Python source"), file.path.stat().st_mode) for file in files]
    done = 0
    try:
        for file in files:
            write_whole(file.path, file.content)
            file.path.chmod(before[done][2])
            done += 1
    except BaseException:
        for path, content, mode in before[:done]:
            write_whole(path, content)
            path.chmod(mode)
        raise


def _reduced(text: str, newline: str) -> str:
    """Return `text` without the newlines that hold `newline` as a part."""
    return text.replace("\r\n", "") if newline != "\r\n" else text
