"""The merges of a byte-level BPE: a list of its own, or in a tokenizer.json."""

from __future__ import annotations

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import decode_json
from nqperf.formats.weights.folder_files import FolderFiles

MERGES = "merges.txt"


def read_merges(files: FolderFiles) -> list[tuple[str, str]]:
    """Return the merges of the merges.txt among `files`, the first one first.

    Raises: FormatError with the line that is none.
    """
    merges = []
    for number, line in enumerate(files.text(MERGES, what="merges").split("\n"), start=1):
        pair = line.rstrip("\r").split(" ")
        if pair == [""] or (number == 1 and line.startswith("#version")):
            continue
        if len(pair) != 2:  # noqa: PLR2004  # a pair
            message = f"holds {len(pair)} pieces; expected two a line"
            raise FormatError(message, path=files.folder / MERGES, line=number)
        merges.append((pair[0], pair[1]))
    return merges


class _Merges(msgspec.Struct, frozen=True):
    merges: list[str | tuple[str, str]] = []


class _Merging(msgspec.Struct, frozen=True):
    """The part of a tokenizer.json that a merges.txt repeats."""

    model: _Merges


def library_merges(files: FolderFiles, name: str) -> list[tuple[str, str]]:
    """Return the merges in the tokenizer.json called `name` among `files`, the first one first.

    It has each as two pieces or, before 2024, as one text.

    Raises: FormatError when it is no such file.
    """
    content, expected = files.read(name, what="a tokenizer"), "merges of two pieces"
    found = decode_json(content, _Merging, files.folder / name, expected=expected).model.merges
    parted = (one.partition(" ")[::2] if isinstance(one, str) else one for one in found)
    return [(first, second) for first, second in parted]
