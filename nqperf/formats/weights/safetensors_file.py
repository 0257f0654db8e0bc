"""Safetensors files, opened once: shapes without reading values, and float32 values mapped from the file.

Source: the format's description in github.com/huggingface/safetensors.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from pathlib import Path

import msgspec
import numpy as np

from nqperf.errors import FormatError
from nqperf.formats.reading import unreadable
from nqperf.formats.sniffing import HEAD_BYTES, foreign_kind
from nqperf.formats.weights.folder_files import require_stamp, stamp_of
from nqperf.model.tensors import Shape
from nqperf.nq.example import FloatArray

_FLOATS = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}
# Units: bits of one value. Types of less than a byte come packed.
_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "I16": 16,
    "U16": 16,
    "I32": 32,
    "U32": 32,
    "I64": 64,
    "U64": 64,
    "C64": 64,
    "F16": 16,
    "BF16": 16,
    "F32": 32,
    "F64": 64,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}
_LENGTH_BYTES = 8
# The format's own bound.
_LARGEST_HEADER = 100_000_000
_METADATA = "__metadata__"
_CHUNK_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """One tensor as the file has it: `dtype` in the format's words, `shape`, and `offset` from the start in bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class SafetensorsFile:
    """The file of tensors at `path`, opened once and mapped: what its methods tell is of the same bytes.

    `header` holds every tensor's type, shape and place by its name.

    Raises: FormatError when the file is missing, truncated or no safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            if not self.path.is_file():
                raise FileNotFoundError  # noqa: TRY301  # a pipe or a device would be waited for
            with self.path.open("rb") as file:
                self._stamp = stamp_of(file.fileno())
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise FormatError(
                "no such file; expected the weights in safetensors format: check the path", path=path
            ) from None
        except PermissionError as error:
            raise unreadable(path, error, "the weights in safetensors format") from error
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise self._damaged(str(error)) from error
        self.header = self._read_header()

    def _damaged(self, fault: str) -> FormatError:
        return FormatError(f"cannot be read as safetensors ({fault}): copy or make the file again", path=self.path)

    def _other_kind(self) -> str | None:
        """Return what the file is where it is known to be something else."""
        start = self._mapped[:HEAD_BYTES]
        if start.startswith(b"PK\x03\x04"):
            return "a zip, as PyTorch's weights are: give it their ending, .bin"
        # The length of a header: no other kind but a TFRecord begins so.
        return None if start[4:_LENGTH_BYTES] == bytes(4) else foreign_kind(start)

    def _read_header(self) -> dict[str, StoredTensor]:
        """Return the header, once it is known to be sound: sizes that fit the shapes, no gap, no overlap, no rest."""
        size = int.from_bytes(self._mapped[:_LENGTH_BYTES], "little")
        start = _LENGTH_BYTES + size
        if (kind := self._other_kind()) is not None:
            raise FormatError(f"is {kind}; expected the weights in safetensors format", path=self.path)
        if len(self._mapped) < _LENGTH_BYTES or size > min(_LARGEST_HEADER, len(self._mapped) - _LENGTH_BYTES):
            raise self._damaged(f"its header of {size} bytes does not fit its {len(self._mapped)} bytes")
        try:
            entries = msgspec.json.decode(self._mapped[_LENGTH_BYTES:start], type=dict[str, msgspec.Raw])
            entries.pop(_METADATA, None)
            header = {name: msgspec.json.decode(entry, type=_Entry) for name, entry in entries.items()}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._damaged(f"its header is no table of tensors: {error}") from error
        for name, entry in header.items():
            begin, end = entry.data_offsets
            if entry.dtype not in _BITS:
                raise self._damaged(f"{name[:80]!r} has the unknown type {entry.dtype[:20]!r}")
            if min(entry.shape, default=0) < 0 or prod(entry.shape) * _BITS[entry.dtype] != (end - begin) * 8:
                raise self._damaged(f"{name[:80]!r} has not the bytes of its shape")
        places = sorted(entry.data_offsets for entry in header.values())
        ends = [(0, 0), *places, (len(self._mapped) - start,) * 2]
        if any(before[1] != after[0] for before, after in pairwise(ends)):
            raise self._damaged("its tensors do not fill it one after the other")
        return {
            name: StoredTensor(dtype=entry.dtype, shape=entry.shape, offset=start + entry.data_offsets[0])
            for name, entry in header.items()
        }

    def float32(self, names: Mapping[str, str]) -> dict[str, FloatArray]:
        """Return tensors as read-only float32, by the keys of `names`; its values are the names in the file.

        Those stored as float32 stay in the file, memory-mapped.

        Raises: FormatError when a tensor holds anything but floating-point numbers.
        """
        return {
            ours: as_float32(self._mapped, self.header[name], path=self.path, name=name) for ours, name in names.items()
        }

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every tensor, by its name."""
        return {name: stored.shape for name, stored in self.header.items()}

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the whole file in hexadecimal digits, streamed through the mapping.

        Raises: FormatError when the file has changed while it was hashed.
        """
        found = hashlib.sha256()
        with memoryview(self._mapped) as whole:
            for begin in range(0, len(whole), _CHUNK_BYTES):
                with whole[begin : begin + _CHUNK_BYTES] as chunk:
                    found.update(chunk)
        self.require_unchanged()
        return found.hexdigest()

    def require_unchanged(self) -> None:
        """Raise unless the file at the path is still the one that was opened.

        Raises: FormatError.
        """
        require_stamp(self.path, self._stamp)


def as_float32(content: mmap.mmap, stored: StoredTensor, *, path: Path, name: str) -> FloatArray:
    """Return the tensor `stored` in the mapped `content` as read-only float32; what is stored so is not copied.

    `path` and `name` are the file's and the tensor's, for messages.

    Raises: FormatError when it holds anything but floating-point numbers.
    """
    if stored.dtype not in _FLOATS:
        raise FormatError(f"has type {stored.dtype}; expected one of {', '.join(_FLOATS)}", path=path, field=name)
    values = np.frombuffer(content, _FLOATS[stored.dtype], prod(stored.shape), stored.offset).reshape(stored.shape)
    if stored.dtype == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # an overflow becomes an infinity, which is refused by name
        values = values.astype(np.float32, copy=False)
    values.flags.writeable = False
    return values


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write `tensors` to `path`, marked as Hugging Face libraries expect it.

    Raises: FormatError when the library cannot write (a full disk).
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # save_file writes an array's memory, not its view: a transposed one would be stored untransposed.
    contiguous = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    path.touch()
    mode = path.stat().st_mode  # the library leaves a file that only its owner reads
    try:
        save_file(contiguous, path, metadata={"format": "pt"})
    except SafetensorError as error:
        raise FormatError(
            f"could not be finished ({error}): free some space, or name another output", path=path
        ) from error
    path.chmod(mode)
