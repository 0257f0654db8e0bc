"""PyTorch's files of weights, read without PyTorch: the tensors of a state dict and nothing else.

Such a file is a pickle, which can ask for any code to be run when it is read. Here it may ask for tensors alone:
whatever else it names is refused, and nothing of it runs.

Source: torch/serialization.py (both forms: the zip archive, and the stream of pickles before PyTorch 1.6).
"""

from __future__ import annotations

import io
import mmap
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from nqperf.errors import FormatError
from nqperf.formats.decoding import decoding
from nqperf.formats.reading import opened
from nqperf.formats.sniffing import HEAD_BYTES, foreign_kind
from nqperf.formats.weights.safetensors_file import StoredTensor, as_float32
from nqperf.model.tensors import Shape
from nqperf.model.weights import some_of
from nqperf.nq.example import FloatArray

_EXPECTED = "weights that torch.save made of a state dict"
_STREAM_MAGIC = 0x1950A86A20F9469CFC6C
_STREAM_VERSION = 1001
_LOCAL_HEADER_BYTES = 30
_NUMBER_BYTES = 8
# PyTorch's classes of storages: the type of their values, as safetensors calls it, and their bytes.
_STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}


# What a pickle of tensors is written with. A memo's number is held against the pickle's own length: Python makes room
# up to the largest before it reads on.
_OPERATIONS = frozenset(
    (
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE"),
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "GLOBAL", "STACK_GLOBAL"),
        *(
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINUNICODE8",
            "SHORT_BINSTRING",
            "BINSTRING",
            "SHORT_BINBYTES",
            "BINBYTES",
        ),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
        *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "MEMOIZE"),
        *("REDUCE", "BUILD", "BINPERSID"),
    )
)


class _MoreThanWeightsError(Exception):
    """A pickle names what is no tensor."""


# Both are tuples, which nothing in a pickle can change once they are checked: a frozen dataclass takes any new state.
class _Storage(NamedTuple):
    """Values that tensors are views of: their type, their name in the file, and how many there are (`size`)."""

    dtype: str
    itemsize: int
    key: str
    size: int


class _View(NamedTuple):
    """A tensor: where in its storage it begins, its shape, and the steps between its values."""

    storage: _Storage
    offset: int
    shape: Shape
    strides: Shape


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    """Return a tensor as torch._utils._rebuild_tensor_v2 is asked for it, once it is known to lie in its storage."""
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(isinstance(one, int) and one >= 0 for one in numbers):
        raise ValueError("a tensor is not described by its storage and counts")
    if len(shape) != len(strides) or prod(shape) > storage.size:
        raise ValueError("a tensor has another number of values than its storage")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if prod(shape) and last >= storage.size:
        raise ValueError("a tensor does not lie in its storage")
    return _View(storage, offset, tuple(shape), tuple(strides))


def _anew(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls another, and is nobody else's."""

    def called(*given: Any) -> Any:
        return call(*given)

    return called


def _parameter(data: Any, *_: Any) -> Any:
    return data


_CALLABLE = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _view,
    ("torch._utils", "_rebuild_tensor_v2"): _view,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


class _Unpickler(pickle.Unpickler):  # its find_class lets nothing through but what is listed above
    """A reader of pickles that knows tensors alone."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle may ask for.

        Raises: _MoreThanWeightsError.
        """
        if module == "torch" and name in _STORAGES:
            return name
        if (module, name) in _CALLABLE:
            call: Any = _CALLABLE[module, name]
            # A new function each time: a pickle can set attributes of what it is given.
            return call if isinstance(call, type) else _anew(call)
        raise _MoreThanWeightsError(f"{module}.{name}"[:80])

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that a pickle refers to."""
        kind, name, key, _, count, *view = pid
        if kind != "storage" or name not in _STORAGES or not isinstance(count, int) or (view and view[0] is not None):
            raise ValueError("a storage is not described as PyTorch does")
        return _Storage(*_STORAGES[name], str(key), count)


def _load(file: Any) -> Any:
    """Return what the next pickle of a file holds, once it is known to be written with what tensors need.

    Raises: _MoreThanWeightsError for another operation, and whatever a damaged pickle raises.
    """
    start = file.tell()
    for operation, argument, place in pickletools.genops(file):
        if operation.name not in _OPERATIONS:
            raise _MoreThanWeightsError(f"the pickle operation {operation.name}")
        if operation.name in ("BINPUT", "LONG_BINPUT") and argument > (place or 0) - start + 1:
            raise ValueError("a memo's number is larger than the pickle")
    file.seek(start)
    return _Unpickler(file).load()


class PyTorchFile:
    """The weights in the `.bin`, `.pt` or `.pth` file at `path`, opened once and mapped.

    `shapes` holds every tensor's shape by its name.

    Raises: FormatError when the file is missing, damaged, or holds more than weights.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            with opened(self.path, what=_EXPECTED) as file, decoding(self.path, expected=_EXPECTED):
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                self._refuse_other_kinds()
                zipped = zipfile.is_zipfile(file)
                content, self._places = self._archive(file) if zipped else self._stream()
                self._views = self._checked(content)
        except FormatError as error:
            if isinstance(error.__cause__, _MoreThanWeightsError):
                raise self._more(str(error.__cause__)) from None
            raise
        self.shapes: Mapping[str, Shape] = {name: view.shape for name, view in self._views.items()}

    def _refuse_other_kinds(self) -> None:
        """Raise for a file that is known to be something else."""
        start = self._mapped[:HEAD_BYTES]
        if not start.startswith(b"\x80") and (kind := foreign_kind(start)) is not None:
            raise FormatError(f"is {kind}; expected {_EXPECTED}", path=self.path)

    def _more(self, what: str) -> FormatError:
        return FormatError(
            f"holds more than weights ({what}), which is not read, for it could run any code; expected a state dict: "
            "load it where it was made, and save the model by save_pretrained, or its state_dict() by safetensors",
            path=self.path,
        )

    def _checked(self, content: Any) -> dict[str, _View]:
        if not isinstance(content, dict):
            raise FormatError(f"holds a {type(content).__name__}; expected {_EXPECTED}", path=self.path)
        others = [str(name)[:40] for name, value in content.items() if not isinstance(value, _View)]
        if others or not all(isinstance(name, str) for name in content):
            raise self._more(some_of(others))
        for name, view in content.items():
            place = self._places.get(view.storage.key)
            if place is None or place[1] < view.storage.size * view.storage.itemsize:
                raise FormatError(f"is cut off: copy it again; expected {_EXPECTED}", path=self.path, field=name)
        return dict(content)

    def _archive(self, file: BinaryIO) -> tuple[Any, dict[str, tuple[int, int]]]:
        """Return what the archive's pickle holds, and where each storage begins and its size. Units: bytes."""
        with zipfile.ZipFile(file) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            (main,) = [name for name in entries if name.count("/") <= 1 and name.rpartition("/")[2] == "data.pkl"]
            root = main.removesuffix("data.pkl")
            if entries[main].file_size > len(self._mapped):
                raise ValueError("its pickle is larger than the whole file")
            order = archive.read(f"{root}byteorder") if f"{root}byteorder" in entries else b"little"
            if order != b"little":
                raise ValueError(f"its byte order is {order[:20]!r}")
            content = _load(io.BytesIO(archive.read(main)))
        places = {}
        for name, entry in entries.items():
            if name.startswith(f"{root}data/") and entry.compress_type == zipfile.ZIP_STORED:
                header = self._mapped[entry.header_offset : entry.header_offset + _LOCAL_HEADER_BYTES]
                name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
                start = entry.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes
                size = min(entry.file_size, max(0, len(self._mapped) - start))
                places[name.removeprefix(f"{root}data/")] = (start, size)
        return content, places

    def _stream(self) -> tuple[Any, dict[str, tuple[int, int]]]:
        """Return the same of a stream of pickles."""
        file = self._mapped
        if _load(file) != _STREAM_MAGIC or _load(file) != _STREAM_VERSION:
            raise ValueError("it begins as no file of PyTorch's")
        if not _load(file).get("little_endian", True):
            raise ValueError("its byte order is big")
        content, keys = _load(file), _load(file)
        sizes = {
            view.storage.key: view.storage.itemsize
            for view in (content.values() if isinstance(content, dict) else ())
            if isinstance(view, _View)
        }
        places, start = {}, file.tell()
        for key in keys:
            count = int.from_bytes(self._mapped[start : start + _NUMBER_BYTES], "little")
            start += _NUMBER_BYTES
            size = count * sizes[str(key)]
            places[str(key)] = (start, min(size, max(0, len(self._mapped) - start)))
            start += size
        return content, places

    def float32(self, names: Mapping[str, str]) -> dict[str, FloatArray]:
        """Return tensors as read-only float32, by the keys of `names`; its values are the names in the file.

        Raises: FormatError when a tensor holds anything but floating-point numbers.
        """
        return {ours: self._float32(name) for ours, name in names.items()}

    def _float32(self, name: str) -> FloatArray:
        view = self._views[name]
        start = self._places[view.storage.key][0]
        stored = StoredTensor(dtype=view.storage.dtype, shape=(view.storage.size,), offset=start)
        values = as_float32(self._mapped, stored, path=self.path, name=name)
        steps = tuple(step * values.itemsize for step in view.strides)
        shaped = np.lib.stride_tricks.as_strided(values[view.offset :], view.shape, steps, writeable=False)
        contiguous: FloatArray = np.ascontiguousarray(shaped)
        contiguous.flags.writeable = False
        return contiguous
