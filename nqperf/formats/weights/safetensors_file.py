"""Safetensors files: shapes without reading values, and float32 values mapped from the file where it holds them."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from nqperf.errors import FormatError
from nqperf.nq.example import FloatArray

_FLOATS = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "BF16": "<u2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """One tensor as the file has it; `offset` counts from the file's start. Units: bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Return every tensor's type, shape and place; no values are read.

    Raises: FormatError when the file is missing, truncated or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        # The library proves the header sound: sizes that fit the shapes, no gaps, no overlap, nothing past the end.
        with safe_open(path, framework="numpy"), path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = msgspec.json.decode(file.read(size))
    except FileNotFoundError:
        raise FormatError(
            "no such file; expected the weights in safetensors format: check the path", path=path
        ) from None
    except (OSError, SafetensorError) as error:
        raise FormatError(f"cannot be read as safetensors ({error}): copy or make the file again", path=path) from error
    return {
        name: StoredTensor(
            dtype=entry["dtype"], shape=tuple(entry["shape"]), offset=8 + size + entry["data_offsets"][0]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def read_float32(path: Path, header: Mapping[str, StoredTensor]) -> dict[str, FloatArray]:
    """Return the tensors of `header` as read-only float32; those stored as float32 stay in the file, memory-mapped.

    Raises: FormatError when a tensor holds anything but floating-point numbers.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {name: _float32(mapped, name, stored, path) for name, stored in header.items()}


def _float32(mapped: mmap.mmap, name: str, stored: StoredTensor, path: Path) -> FloatArray:
    if stored.dtype not in _FLOATS:
        raise FormatError(f"has type {stored.dtype}; expected one of {', '.join(_FLOATS)}", path=path, field=name)
    count = int(np.prod(stored.shape, dtype=np.int64))
    values = np.frombuffer(mapped, _FLOATS[stored.dtype], count, stored.offset).reshape(stored.shape)
    if stored.dtype == "BF16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
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
