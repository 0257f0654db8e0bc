"""Python files as text, searched without running them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path


def mention(paths: Iterable[Path], word: str, *, skipped: Sequence[str] = ()) -> bool:
    """Return whether a Python file at or below one of `paths` holds `word`.

    Folders with a name like one of the patterns `skipped`, and virtual environments, are not looked through. What
    cannot be read holds nothing.
    """
    return any(_holds(file, word.encode()) for path in paths for file in _files(path, skipped))


def _files(path: Path, skipped: Sequence[str]) -> Iterator[Path]:
    if path.is_file():
        yield path
    for root, folders, names in os.walk(path):
        folder = Path(root)
        folders[:] = [
            name
            for name in folders
            if not any(fnmatch(name, pattern) for pattern in skipped) and not (folder / name / "pyvenv.cfg").is_file()
        ]
        yield from (folder / name for name in names if name.endswith(".py"))


def _holds(file: Path, word: bytes) -> bool:
    try:
        return word in file.read_bytes()
    except OSError:
        return False
