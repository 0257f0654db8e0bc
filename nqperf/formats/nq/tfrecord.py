"""Feature files: TFRecord framing around tf.train.Example messages of int64 lists, without importing TensorFlow.

The encoding is written here because TensorFlow's own message classes take one Python integer per position: 25 windows
of a document would cost more than everything before them. Files are equal to TensorFlow's field for field, and its
readers read them.
Source: TFRecord format (tensorflow/core/lib/io/record_writer.h), protocol buffers wire format.
"""

from __future__ import annotations

import contextlib
import functools
import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np
import numpy.typing as npt

from nqperf.errors import FormatError
from nqperf.formats.decoding import decoding
from nqperf.formats.files import whole_file
from nqperf.formats.reading import opened
from nqperf.formats.varint import CONTINUED, VarintError, packed_varints, read_varint, unpacked_varints, varint
from nqperf.nq.features import FEATURE_FIELDS, Features

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
# A row of 65,536 positions, each number of its fields in ten bytes, is smaller.
_LARGEST_RECORD = 1 << 22
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 256, 1 << 25
_EXPECTED = "features made by `nqperf prepare`"


def write_features(path: Path, blocks: Iterable[Features]) -> int:
    """Write the rows of all `blocks`, in order, to the TFRecord file `path`, whole or not at all; return their number.

    Raises: FormatError when it cannot be written.
    """
    with features_writer(path) as writer:
        for block in blocks:
            writer.add(block)
        return writer.count


@contextlib.contextmanager
def features_writer(path: Path) -> Iterator[FeaturesWriter]:
    """Yield a writer whose rows become `path` when the block ends."""
    with whole_file(path) as partial, partial.open("wb") as file:
        yield FeaturesWriter(file)


class FeaturesWriter:
    """Appends rows to `file`, which is open for writing; `count` is their number so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def add(self, block: Features) -> None:
        """Append the rows of `block`."""
        self.add_encoded(encode_records(block), len(block))

    def add_encoded(self, records: bytes, count: int) -> None:
        """Append `records`, the bytes of `count` rows that `encode_records` has framed."""
        self._file.write(records)
        self.count += count


def encode_records(features: Features) -> bytes:
    """Return the rows of `features` as framed records, one behind the other."""
    columns = [_encoded_column(name, getattr(features, name)) for name in FEATURE_FIELDS]
    return b"".join(_framed(_delimited(0x0A, b"".join(entries))) for entries in zip(*columns, strict=True))


def read_features(path: Path, *, skip: int = 0) -> Iterator[Features]:
    """Yield the rows of the file `path` in order, in blocks of at most 256; the first `skip` rows are passed over.

    Raises: FormatError for a file that is missing, empty, cut off or damaged, or whose records are no features.
    """
    seq_length: int | None = None
    rows: list[dict[str, bytes]] = []
    number, held = skip, 0
    for number, payload in enumerate(read_records(path, skip=skip), start=skip + 1):
        rows.append(_fields(payload, path, number))
        held += len(payload)
        if len(rows) == _ROWS_AT_ONCE or held > _BYTES_AT_ONCE:
            block = _block(rows, path, number - len(rows), seq_length)
            seq_length = block.input_ids.shape[1]
            yield block
            rows, held = [], 0
    if rows:
        yield _block(rows, path, number - len(rows), seq_length)
    if not number:
        raise FormatError("is empty; expected features made by `nqperf prepare`", path=path)


def count_records(path: Path) -> int:
    """Return the number of records in the file `path`, by their lengths alone.

    Raises: FormatError for a file that is missing, cut off, or no TFRecord file.
    """
    count = 0
    with opened(path, what=_EXPECTED) as file, decoding(path, expected=_EXPECTED):
        size = file.seek(0, 2)
        file.seek(0)
        while (length := _payload_length(file, path, count + 1)) is not None:
            count += 1
            if file.seek(length + _CHECKSUM.size, 1) > size:
                raise _cut_off(path, count)
    return count


def read_records(path: Path, *, skip: int = 0) -> Iterator[bytes]:
    """Yield the payload of each record of the file `path` behind the first `skip`, its checksums verified.

    Raises: FormatError for a file that is missing, cut off or damaged, or no TFRecord file.
    """
    with opened(path, what=_EXPECTED) as file, decoding(path, expected=_EXPECTED):
        for number in range(1, skip + 1):
            file.seek((_payload_length(file, path, number) or 0) + _CHECKSUM.size, 1)
        number = skip + 1
        while (length := _payload_length(file, path, number)) is not None:
            payload, trailer = file.read(length), file.read(_CHECKSUM.size)
            if len(payload) < length or len(trailer) < _CHECKSUM.size:
                raise _cut_off(path, number)
            if _CHECKSUM.unpack(trailer)[0] != _masked_crc(payload):
                raise FormatError(
                    "the record does not match its checksum: the file is damaged; make it again with `nqperf prepare`",
                    path=path,
                    field=f"record {number}",
                )
            yield payload
            number += 1


def _payload_length(file: BinaryIO, path: Path, number: int) -> int | None:
    """Read one record's header; return its payload's length, None at the end of the file."""
    header = file.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        raise _cut_off(path, number)
    length, checksum = _HEADER.unpack(header)
    if checksum == _masked_crc(header[:8]) and length > _LARGEST_RECORD:
        raise FormatError(
            f"has {length} bytes; expected at most {_LARGEST_RECORD}, which no features need",
            path=path,
            field=f"record {number}",
        )
    if checksum != _masked_crc(header[:8]):
        raise FormatError(
            "the record's length does not match its checksum: no TFRecord file, or a damaged one; "
            "make it again with `nqperf prepare`",
            path=path,
            field=f"record {number}",
        )
    return int(length)


def _cut_off(path: Path, number: int) -> FormatError:
    return FormatError(
        "the file ends within the record: it is cut off; make it again with `nqperf prepare`",
        path=path,
        field=f"record {number}",
    )


def _masked_crc(data: bytes) -> int:
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return b"".join((length, _CHECKSUM.pack(_masked_crc(length)), payload, _CHECKSUM.pack(_masked_crc(payload))))


def _delimited(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content


def _encoded_column(name: str, values: npt.NDArray[np.signedinteger]) -> list[bytes]:
    """Return each row's map entry {key: name, value: Feature{int64_list: Int64List{value: packed}}}."""
    stream, ends = packed_varints(values[:, None] if values.ndim == 1 else values)
    return [_entry_start(name, end - start) + stream[start:end] for start, end in pairwise([0, *ends.tolist()])]


@functools.lru_cache(maxsize=1 << 14)
def _entry_start(name: str, size: int) -> bytes:
    """Return what stands before `size` bytes of packed values; the sizes are few and come again in every row."""
    key = _delimited(0x0A, name.encode())
    start = b""
    for tag in (0x0A, 0x1A, 0x12):
        start = bytes([tag]) + varint(len(start) + size) + start
    return bytes([0x0A]) + varint(len(key) + len(start) + size) + key + start


def _fields(payload: bytes, path: Path, number: int) -> dict[str, bytes]:
    """Return the packed values of every int64 field of one record by name."""
    try:
        found = {}
        for entry in _submessages(payload, (0x0A, 0x0A)):
            parts = dict(_tagged(entry))
            lists = list(_submessages(parts.get(0x12, b""), (0x1A,)))
            if lists:
                found[parts[0x0A].decode()] = b"".join(_submessages(lists[0], (0x0A,)))
    except (VarintError, KeyError, UnicodeDecodeError) as error:
        raise FormatError(
            f"no tf.train.Example ({error}); expected features made by `nqperf prepare`",
            path=path,
            field=f"record {number}",
        ) from error
    for name in FEATURE_FIELDS:
        if name not in found:
            raise FormatError(
                f"has no int64 values; the record has {sorted(found)}", path=path, field=f"record {number}, {name}"
            )
    return found


def _submessages(message: bytes, tags: tuple[int, ...]) -> Iterator[bytes]:
    for tag, content in _tagged(message):
        if tag == tags[0]:
            if len(tags) == 1:
                yield content
            else:
                yield from _submessages(content, tags[1:])


def _tagged(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (tag, content) for the length-delimited fields of a message; the formats read here have no others."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        if tag & 7 != 2:  # noqa: PLR2004  # wire type 2 is "length-delimited"
            raise VarintError(f"wire type {tag & 7} where a length was expected")
        length, at = read_varint(message, at)
        if at + length > len(message):
            raise VarintError("a field longer than its message")
        yield tag, message[at : at + length]
        at += length


def _block(rows: list[dict[str, bytes]], path: Path, first: int, seq_length: int | None) -> Features:
    columns: dict[str, npt.NDArray[np.int64]] = {}
    for name in FEATURE_FIELDS:
        expected = 1 if name == "unique_id" else seq_length
        columns[name] = _column([row[name] for row in rows], expected, path, (first, name))
        if name == "input_ids":
            seq_length = columns[name].shape[1]
    unique_id = columns.pop("unique_id")[:, 0]
    return Features(unique_id=unique_id, **{name: column.astype(np.int32) for name, column in columns.items()})


def _column(values: list[bytes], expected: int | None, path: Path, where: tuple[int, str]) -> npt.NDArray[np.int64]:
    """Return one field of several rows: int64[n, expected]; the first row says how many where nothing is expected."""
    first, name = where
    counts = [int(np.count_nonzero(np.frombuffer(value, dtype=np.uint8) < CONTINUED)) for value in values]
    length = counts[0] if expected is None else expected
    for row, (count, value) in enumerate(zip(counts, values, strict=True)):
        if value and value[-1] >= CONTINUED:  # it would run on into the next record's numbers
            raise FormatError("ends within a number", path=path, field=f"record {first + row + 1}, {name}")
        if count != length or not count:
            raise FormatError(
                f"has {count} values; expected {length or 'at least 1'}, as input_ids and every record before",
                path=path,
                field=f"record {first + row + 1}, {name}",
            )
    try:
        column = unpacked_varints(b"".join(values)).reshape(len(values), length)
    except VarintError as error:
        raise FormatError(
            f"holds no int64 values ({error})", path=path, field=f"after record {first}, {name}"
        ) from error
    if name != "unique_id" and (column.min() < -1 or column.max() > np.iinfo(np.int32).max):
        raise FormatError("holds a value outside -1..2**31-1", path=path, field=f"after record {first}, {name}")
    return column
