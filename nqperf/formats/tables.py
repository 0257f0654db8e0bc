"""Parquet and Arrow files, row by row, as the lines of JSON that they make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import msgspec

from nqperf.errors import FormatError, MissingExtraError
from nqperf.formats.compression import BufferedReader
from nqperf.formats.decoding import decoding
from nqperf.formats.sniffing import ARROW_FILE, PARQUET

_ROWS_AT_ONCE = 16
# The page as it stood on the web: half of a file, and nothing reads it.
_UNREAD = ("document.html", "document_html")


def table_rows(stream: BufferedReader, path: str) -> Iterator[bytes]:
    """Yield each row of the Parquet or Arrow file in `stream` as a line of JSON; `path` names the file in messages.

    Raises: MissingExtraError without pyarrow, FormatError for a damaged file, or one that comes through a pipe.
    """
    start = stream.peek(len(ARROW_FILE))
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("parquet", purpose=f"reading {path}, a Parquet or Arrow file,") from None
    if not stream.seekable():
        raise FormatError(
            "is a Parquet or Arrow file, which cannot be read from a pipe or packed: give the file itself",
            path=path,
        )
    with decoding(path, expected="a whole Parquet or Arrow file"):
        if start.startswith(PARQUET):
            batches = _parquet_batches(pq.ParquetFile(cast("BinaryIO", stream)))
        elif start.startswith(ARROW_FILE):
            file = pa.ipc.open_file(cast("BinaryIO", stream))
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
        else:
            batches = iter(pa.ipc.open_stream(cast("BinaryIO", stream)))
        for batch in batches:
            batch.validate(full=True)  # a damaged offset would be followed out of the buffer
            at_once = _rows_at_once(batch.schema, path)
            for first in range(0, batch.num_rows, at_once):
                for row in batch.slice(first, at_once).to_pylist():
                    yield msgspec.json.encode(row, enc_hook=str) + b"\n"


def _rows_at_once(schema: Any, path: str) -> int:
    """Return how many rows are turned into Python's values at once: one, where rows share long values.

    Raises: FormatError for types whose rows may share all of their values, so that a small file has no end.
    """
    import pyarrow as pa

    shared = ("list_view", "large_list_view", "run_end_encoded")
    types = list(_types(schema))
    if odd := [one for one in types if any(getattr(pa.types, f"is_{kind}")(one) for kind in shared)]:
        raise FormatError(
            f"has a column of the type {str(odd[0])[:80]}; expected lists, as datasets write them", path=path
        )
    return 1 if any(map(pa.types.is_dictionary, types)) else _ROWS_AT_ONCE


def _types(holder: Any) -> Iterator[Any]:
    """Yield the types of all fields within a schema or a type, one within the other too."""
    for number in range(len(holder) if hasattr(holder, "names") else holder.num_fields):
        inner = holder.field(number).type
        yield inner
        yield from _types(inner)


def _parquet_batches(file: Any) -> Iterator[Any]:
    leaves = [file.schema.column(number).path for number in range(len(file.schema))]
    columns = [leaf for leaf in leaves if not leaf.startswith(_UNREAD)]
    return cast("Iterator[Any]", file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns))
