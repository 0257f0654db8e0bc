"""Base-128 varints of protocol buffers, whole arrays at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nqperf.nq.example import LongArray

_LONGEST = 10
CONTINUED = 0x80
_DIGIT = 0x7F


class VarintError(ValueError):
    """The bytes are no varints."""


def varint(number: int) -> bytes:
    """Return the integer `number`, 0 or more, as a varint.

    >>> varint(300)
    b'\\xac\\x02'
    """
    encoded = bytearray()
    while number >= CONTINUED:
        encoded.append(number & _DIGIT | CONTINUED)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the varint that starts at `at` in `data`, and where the next byte is.

    Raises: VarintError when the bytes end within it, or when it has more than 10 bytes.
    """
    number = 0
    for shift in range(0, 7 * _LONGEST, 7):
        if at >= len(data):
            raise VarintError("the bytes end within a number")
        byte = data[at]
        at += 1
        number |= (byte & _DIGIT) << shift
        if byte < CONTINUED:
            return number, at
    raise VarintError("a number of more than 10 bytes")


def packed_varints(rows: npt.NDArray[np.signedinteger]) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Return the varints of all rows in one stream, and where each row ends in it.

    Shapes: rows int[n, s] -> ends int64[n]. A negative value takes 10 bytes, as two's complement of 64 bits.
    """
    values = rows.astype(np.uint64).ravel()
    longest = int(values.max(initial=0))
    row_ends = np.arange(1, len(rows) + 1, dtype=np.int64) * rows.shape[1]
    if longest >> 7 == 0:
        return values.astype(np.uint8).tobytes(), row_ends
    size = np.ones(len(values), dtype=np.int64)
    for digits in range(1, _LONGEST):
        if longest >> (7 * digits) == 0:
            break
        size += values >= np.uint64(1 << (7 * digits))
    ends = np.cumsum(size)
    first = ends - size
    stream = np.empty(int(ends[-1]), dtype=np.uint8)
    stream[first] = values.astype(np.uint8) & 0x7F
    longer = np.flatnonzero(size > 1)
    for digit in range(1, int(size.max())):
        at = first[longer] + digit
        stream[at - 1] |= 0x80
        stream[at] = (values[longer] >> np.uint64(7 * digit)).astype(np.uint8) & 0x7F
        longer = longer[size[longer] > digit + 1]
    return stream.tobytes(), ends[row_ends - 1]


def unpacked_varints(stream: bytes) -> LongArray:
    """Return the integers in `stream`, varints one behind the other.

    Raises: VarintError when the stream ends within a number or a number has more than 10 bytes.
    """
    data = np.frombuffer(stream, dtype=np.uint8)
    last = np.flatnonzero(data < CONTINUED)
    if len(last) == len(data):
        return data.astype(np.int64)
    if len(data) and (not len(last) or last[-1] != len(data) - 1):
        raise VarintError("the bytes end within a number")
    first = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
    size = last - first + 1
    longest = int(size.max(initial=0))
    if longest > _LONGEST:
        raise VarintError("a number of more than 10 bytes")
    values = (data[first] & _DIGIT).astype(np.uint64)
    for digit in range(1, longest):
        longer = np.flatnonzero(size > digit)
        byte = (data[first[longer] + digit] & _DIGIT).astype(np.uint64)
        values[longer] |= byte << np.uint64(7 * digit)
    signed: LongArray = values.astype(np.int64)
    return signed
