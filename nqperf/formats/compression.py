"""Unpacking by content, not by name: gzip, bz2, xz, zstd and zip, one within another too, as far as a bound."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

from nqperf.errors import ConfigError, FormatError, MissingExtraError

_BUFFER_BYTES = 1 << 18
_MOST_LAYERS = 4
_FREE_BYTES = 1 << 24  # what may come out of any file, however small it is
# The window that an xz or zstd header may ask for; `xz -9` and `zstd -19` need a half of it, `zstd --long` all.
_WINDOW_BYTES = 1 << 27
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x50\x2a\x4d\x18": "zstd",  # a frame to be skipped, with which pzstd begins
    b"PK\x03\x04": "zip",
}
_NAMES_SHOWN = 4


BufferedReader: TypeAlias = "io.BufferedReader[Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a data file is taken into memory before it is refused.

    `line_bytes` is the longest line, in bytes; `expansion` how many times its own size a packed file may unpack to,
    where that is more than 16 MiB.

    Raises: ConfigError when one is below 1.
    """

    line_bytes: int = 1 << 26
    expansion: int = 250

    def __post_init__(self) -> None:
        if self.line_bytes < 1 or self.expansion < 1:
            raise ConfigError(f"line_bytes {self.line_bytes}, expansion {self.expansion}; expected 1 or more")


class _Decompressor(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing left of what was given."""

    @property
    def unused_data(self) -> bytes:
        """What stood behind the end of the stream."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return more of what is packed, of at most `max_length` bytes."""


@contextlib.contextmanager
def unpacked(file: BinaryIO, path: str, limits: Limits, layers: list[str]) -> Iterator[BufferedReader]:
    """Yield the content of the open `file` without what it is packed in, whose names go to `layers`; it is left open.

    `path` names the file in messages; `limits` bound how far it may expand. The outermost layer comes first in
    `layers`.

    Raises: FormatError (while reading) for a file that expands beyond its limit, too many layers, a zip of several
    files. What is damaged raises as its library does; `is_damage` tells.
    """
    counted = _Counted(file)
    with contextlib.ExitStack() as stack:
        stream: BufferedReader = io.BufferedReader(counted, _BUFFER_BYTES)
        stack.callback(stream.detach)
        for _ in range(_MOST_LAYERS):
            start = stream.peek(8)[:8]
            layer = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
            if layer is None:
                yield stream
                return
            layers.append(layer)
            opened = _zip_member(stream, path, stack) if layer == "zip" else _opened(layer, stream, path, stack)
            bounded = _Bounded(opened, counted, path, limits.expansion)
            stream = io.BufferedReader(bounded, _BUFFER_BYTES)
    raise FormatError(f"is packed more than {_MOST_LAYERS} times: unpack it", path=path, line=1, field="$")


def is_damage(error: Exception) -> bool:
    """Return whether a library says with `error` that what it unpacks is damaged."""
    # zipfile says with the last two that a flipped bit asks for a password, or for a compression that it has not.
    known = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
    plain_os = type(error) in (OSError, gzip.BadGzipFile) and getattr(error, "errno", None) is None
    return isinstance(error, known) or plain_os or type(error).__name__ == "ZstdError"


def _opened(layer: str, stream: BufferedReader, path: str, stack: contextlib.ExitStack) -> Any:
    if layer == "gzip":
        return stack.enter_context(gzip.GzipFile(fileobj=stream))
    if layer == "bz2":
        return _Decompressed(stream, bz2.BZ2Decompressor)
    if layer == "xz":
        return _Decompressed(stream, lambda: lzma.LZMADecompressor(memlimit=_WINDOW_BYTES))
    try:
        from backports import zstd
    except ImportError:
        raise MissingExtraError("zstd", purpose=f"reading {path}, which is packed by zstd,") from None
    options: Any = {zstd.DecompressionParameter.window_log_max: _WINDOW_BYTES.bit_length() - 1}
    return _Decompressed(stream, lambda: zstd.ZstdDecompressor(options=options))


class _Decompressed(io.RawIOBase):
    """The content of packed streams, one behind the other; Python's own files take no limit of memory."""

    def __init__(self, stream: BufferedReader, new: Callable[[], _Decompressor]) -> None:
        self._stream, self._new = stream, new
        self._decompressor = new()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decompressor.eof:
                self._rest = self._decompressor.unused_data or self._stream.read1(_BUFFER_BYTES)
                self._rest = self._rest.lstrip(b"\0")  # xz pads
                if not self._rest:
                    return 0
                self._decompressor = self._new()
            elif self._decompressor.needs_input and not self._rest:
                self._rest = self._stream.read1(_BUFFER_BYTES)
                if not self._rest:
                    raise EOFError("it ends within its packed content")
            content = self._decompressor.decompress(self._rest, len(buffer))
            self._rest = b""
            if content:
                buffer[: len(content)] = content
                return len(content)


def _zip_member(stream: BufferedReader, path: str, stack: contextlib.ExitStack) -> Any:
    """Open the only data file of a zip."""
    if not stream.seekable():
        raise FormatError(
            "is a zip, which cannot be read from a pipe or from within other packing: give the file, or unpack it",
            path=path,
        )
    archive = stack.enter_context(zipfile.ZipFile(cast("BinaryIO", stream)))
    names = [name for name in archive.namelist() if not name.endswith("/") and not _is_litter(name)]
    data = [name for name in names if ".json" in name.lower()] or names
    if len(data) != 1:
        shown = ", ".join(data[:_NAMES_SHOWN]) + (", ..." if len(data) > _NAMES_SHOWN else "")
        raise FormatError(
            f"is a zip of {len(data)} files ({shown}); expected one: unpack it, or name one as zip://NAME::{path}",
            path=path,
        )
    return stack.enter_context(archive.open(data[0]))


def _is_litter(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


class _Counted(io.RawIOBase):
    """A file that counts the bytes that were read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._into: Any = getattr(file, "readinto1", None)
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        if self._into is not None:  # a file on disk: no copy is made
            count = int(self._into(buffer) or 0)
        else:
            content = self._file.read1(len(buffer)) if hasattr(self._file, "read1") else self._file.read(len(buffer))
            count = len(content)
            buffer[:count] = content
        self.bytes += count
        return count


class _Bounded(io.RawIOBase):
    """What comes out of one layer, as long as it is not too many times what went in."""

    def __init__(self, inner: Any, packed: _Counted, path: str, expansion: int) -> None:
        self._inner, self._packed, self._path, self._expansion = inner, packed, path, expansion
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._inner.read(len(buffer))
        buffer[: len(content)] = content
        self._bytes += len(content)
        if self._bytes > max(_FREE_BYTES, self._expansion * self._packed.bytes):
            raise FormatError(
                f"unpacks to more than {self._expansion} times its size; if that is right, raise --max-expansion",
                path=self._path,
                field="$",
            )
        return len(content)
