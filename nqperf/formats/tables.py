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
            for first in range(0, batch.num_rows, _ROWS_AT_ONCE):
                for row in batch.slice(first, _ROWS_AT_ONCE).to_pylist():
                    yield msgspec.json.encode(row, enc_hook=str) + b"\n"


def _parquet_batches(file: Any) -> Iterator[Any]:
    leaves = [file.schema.column(number).path for number in range(len(file.schema))]
    columns = [leaf for leaf in leaves if not leaf.startswith(_UNREAD)]
    return cast("Iterator[Any]", file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns))
