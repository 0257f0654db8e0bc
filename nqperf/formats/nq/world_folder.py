"""A folder of gzipped JSON-lines files that appears whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nqperf.errors import FormatError
from nqperf.formats.files import whole_folder

_SUFFIX = ".jsonl.gz"
_COMPRESSION = 6


def write_jsonl_folder(folder: Path, names: Sequence[str], records: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Write all `records` to the files NAME.jsonl.gz that they come with; `names` are all files that there will be.

    The gzip headers hold neither time nor name, so that equal records give equal bytes with the same zlib.

    Raises: FormatError when `folder` holds something already or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FormatError("exists and is not an empty folder: name a new one", path=folder)
    with whole_folder(folder) as partial, contextlib.ExitStack() as stack:
        files = {name: _open(partial / f"{name}{_SUFFIX}", stack) for name in names}
        for name, record in records:
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            files[name].write(line.encode() + b"\n")


def _open(path: Path, stack: contextlib.ExitStack) -> gzip.GzipFile:
    file = stack.enter_context(path.open("wb"))
    return stack.enter_context(gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=file, mtime=0))
