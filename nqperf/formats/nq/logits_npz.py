"""Logits files: an .npz of four arrays, written and read in blocks so that memory does not grow with the rows."""

from __future__ import annotations

import contextlib
import io
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nqperf.errors import FormatError
from nqperf.formats.decoding import decoding
from nqperf.formats.files import whole_file
from nqperf.formats.reading import opened
from nqperf.nq.logits import LOGITS_FIELDS, MODEL_OUTPUTS, Logits

_ROWS_AT_ONCE = 256
_COPY_BYTES = 1 << 22
_DTYPES = {"unique_id": np.dtype("<i8")}
_LOGIT_DTYPE = np.dtype("<f4")
_EXPECTED = "an .npz of logits made by `nqperf predict`"
# The longest input that a row may be of; a header can name any length.
_LONGEST_ROW = 1 << 16


def write_logits(path: Path, blocks: Iterable[Logits]) -> int:
    """Write the rows of all `blocks`, in order, to the .npz `path`, whole or not at all; return their number.

    Raises: FormatError when it cannot be written.
    """
    with logits_writer(path) as writer:
        for block in blocks:
            writer.add(block)
        return writer.count


def encode_logits(logits: Logits) -> bytes:
    """Return the content of a file of these rows, `logits`; the same rows are the same bytes."""
    writer = LogitsWriter({name: io.BytesIO() for name in LOGITS_FIELDS})
    writer.add(logits)
    content = io.BytesIO()
    writer.finish(content)
    return content.getvalue()


@contextlib.contextmanager
def logits_writer(path: Path) -> Iterator[LogitsWriter]:
    """Yield a writer whose rows become `path` when the block ends."""
    with contextlib.ExitStack() as stack:
        partial = stack.enter_context(whole_file(path))
        spools = {name: stack.enter_context(TemporaryFile(dir=partial.parent)) for name in LOGITS_FIELDS}
        writer = LogitsWriter(spools)
        yield writer
        writer.finish(partial)


class LogitsWriter:
    """Collects rows in one unnamed file an array; their number stands in an .npy's header and is known at the end.

    `spools` are these files, empty and open for writing and reading, by the array's name.
    """

    def __init__(self, spools: Mapping[str, IO[bytes]]) -> None:
        self._spools = spools
        self._row_shapes: dict[str, tuple[int, ...]] = {}
        self.count = 0

    def add(self, block: Logits) -> None:
        """Append the rows of `block`, of as many positions as those before."""
        for name, spool in self._spools.items():
            array = np.ascontiguousarray(getattr(block, name), dtype=_DTYPES.get(name, _LOGIT_DTYPE))
            self._row_shapes[name] = array.shape[1:]
            spool.write(array.data)
        self.count += len(block)

    def finish(self, out: Path | IO[bytes]) -> None:
        """Write the .npz to `out`, a path or a file that is open for writing."""
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, spool in self._spools.items():
                header = {
                    "descr": np.lib.format.dtype_to_descr(_DTYPES.get(name, _LOGIT_DTYPE)),
                    "fortran_order": False,
                    "shape": (self.count, *self._row_shapes.get(name, ())),
                }
                # A fixed date, so that the same logits make the same bytes.
                member_info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                with archive.open(member_info, "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    spool.seek(0)
                    while content := spool.read(_COPY_BYTES):
                        member.write(content)


def read_logits(path: Path) -> Iterator[Logits]:
    """Yield the rows of the .npz `path` in order, in blocks of at most 256.

    Raises: FormatError for a missing, foreign or damaged file, missing arrays, arrays of other types or shapes, rows of
    more than 65,536 positions, NaN.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(opened(path, what=_EXPECTED))
        stack.enter_context(decoding(path, expected=_EXPECTED))
        archive = stack.enter_context(zipfile.ZipFile(file))
        members = {name: _Member(archive, name, path, stack) for name in LOGITS_FIELDS}
        count = _agreed_count(members, path)
        for start in range(0, count, _ROWS_AT_ONCE):
            rows = min(_ROWS_AT_ONCE, count - start)
            block = Logits(**{name: member.rows(rows) for name, member in members.items()})
            _refuse_nan(block, path, start)
            yield block
        for member in members.values():
            member.finish()


class _Member:
    """One array of an .npz, read row by row."""

    def __init__(self, archive: zipfile.ZipFile, name: str, path: Path, stack: contextlib.ExitStack) -> None:
        self.name, self.path = name, path
        try:
            self._file = stack.enter_context(archive.open(f"{name}.npy"))
        except KeyError:
            raise FormatError(
                f"the array is missing; the file has {sorted(archive.namelist())}, expected {list(LOGITS_FIELDS)}",
                path=path,
                field=name,
            ) from None
        with decoding(path, expected="an .npy array", field=name):
            version = np.lib.format.read_magic(self._file)
            read_header: Any = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            self.shape, fortran_order, self.dtype = read_header(self._file)
        expected = _DTYPES.get(name, _LOGIT_DTYPE)
        if fortran_order or self.dtype != expected:
            raise FormatError(f"is {self.dtype}; expected {expected} in C order", path=path, field=name)

    def rows(self, count: int) -> npt.NDArray[Any]:
        size = count * math.prod(self.shape[1:]) * self.dtype.itemsize
        content = self._file.read(size)
        if len(content) < size:
            raise FormatError("ends early: the file is cut off", path=self.path, field=self.name)
        return np.frombuffer(content, dtype=self.dtype).reshape(count, *self.shape[1:])

    def finish(self) -> None:
        if self._file.read(1):  # only at its end is the member's checksum compared
            raise FormatError("goes on behind its rows: the file is damaged", path=self.path, field=self.name)


def _agreed_count(members: dict[str, _Member], path: Path) -> int:
    start_shape = members["start_logits"].shape
    count, length = (int(size) for size in (*start_shape, 0, 0)[:2])
    shapes = {
        "unique_id": (count,),
        "start_logits": (count, length),
        "end_logits": (count, length),
        "answer_type_logits": (count, 5),
    }
    for name, expected in shapes.items():
        if members[name].shape != expected:
            raise FormatError(
                f"has shape {members[name].shape}; expected {expected}, from start_logits {start_shape}",
                path=path,
                field=name,
            )
    if length > _LONGEST_ROW:
        raise FormatError(
            f"has rows of {length} positions; expected at most {_LONGEST_ROW}", path=path, field="start_logits"
        )
    if count < 1 or length < 1:
        raise FormatError("has no rows; expected logits made by `nqperf predict`", path=path)
    return count


def _refuse_nan(block: Logits, path: Path, start: int) -> None:
    for name in MODEL_OUTPUTS:
        bad = np.flatnonzero(np.isnan(getattr(block, name)).any(axis=1))
        if len(bad):
            raise FormatError(
                "holds NaN: the model that made it is broken (often a float16 overflow)",
                path=path,
                field=f"{name}, row {start + bad[0]}",
            )
