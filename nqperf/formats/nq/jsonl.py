"""Natural Questions files: one example a line, in the simplified or the original layout, plain or gzip, streamed."""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeVar, cast

import msgspec

from nqperf.errors import ConfigError, FormatError, MissingExtraError
from nqperf.formats.nq.records import CandidateRecord, ExampleRecord, GoldRecord, HeadRecord, RecordError
from nqperf.nq.example import Annotation, Candidates, Example

STANDARD_INPUT = "-"
_GZIP_MAGIC = b"\x1f\x8b"
_Item = TypeVar("_Item")
_Record = TypeVar("_Record", ExampleRecord, CandidateRecord, GoldRecord, HeadRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which lines are read: `skip` examples are passed over, then `limit` are kept (None: all).

    With on_error "skip" a faulty line is left out and its error kept in NqReader.skipped. Then every pass judges a
    line as a whole example, so that all passes leave out the same ones.
    """

    limit: int | None = None
    skip: int = 0
    on_error: Literal["raise", "skip"] = "raise"

    def __post_init__(self) -> None:
        if self.skip < 0 or (self.limit is not None and self.limit < 1):
            raise ConfigError(f"skip {self.skip}, limit {self.limit}; expected skip >= 0 and limit >= 1")


@dataclass(slots=True, kw_only=True)
class NqReader:
    """Reads one Natural Questions source: a file, a glob pattern, a URL that fsspec reads, or `-`.

    Each method streams the source anew (standard input: once). `skipped` lists what the last pass left out.

    Raises (while iterating): FormatError naming file, line and field for a missing or empty source, a broken gzip,
    invalid JSON, missing or wrong-typed fields, spans outside the document, a repeated example id.
    """

    source: str
    selection: Selection = Selection()
    skipped: list[FormatError] = field(default_factory=list)

    def examples(self) -> Iterator[Example]:
        """Yield whole examples."""
        return self._read(ExampleRecord, ExampleRecord.example)

    def candidates(self) -> Iterator[tuple[int, Candidates]]:
        """Yield each example's id and candidates; nothing else of the line is built."""
        return self._read(CandidateRecord, lambda record: (record.id(), record.candidates()))

    def gold(self) -> Iterator[tuple[int, tuple[Annotation, ...]]]:
        """Yield each example's id and annotations; nothing else of the line is built."""
        return self._read(GoldRecord, lambda record: (record.id(), record.annotated()))

    def heads(self) -> Iterator[Head]:
        """Yield each line unread but for its id and annotations; what else is wrong in it shows at `Line.example`."""
        found = self._lines_read(HeadRecord, lambda record: (record.id(), record.annotated()))
        return (Head(line, *head) for line, head in found)

    def _read(self, record_type: type[_Record], build: Callable[[_Record], _Item]) -> Iterator[_Item]:
        return (item for _, item in self._lines_read(record_type, build))

    def _lines_read(
        self, record_type: type[_Record], build: Callable[[_Record], _Item]
    ) -> Iterator[tuple[Line, _Item]]:
        self.skipped.clear()
        decoder = msgspec.json.Decoder(record_type)
        judges = record_type is not ExampleRecord and self.selection.on_error == "skip"
        first_place: dict[int, tuple[str, int]] = {}
        passed = kept = 0
        for line in _lines(self.source):
            try:
                if judges:
                    line.example()
                identifier, item = _parsed(line, decoder, build)
                _refuse_twice(identifier, line, first_place)
            except FormatError as error:
                if self.selection.on_error == "raise":
                    raise
                self.skipped.append(error)
                continue
            passed += 1
            if passed > self.selection.skip:
                kept += 1
                yield line, item
                if kept == self.selection.limit:
                    return
        if not kept:
            raise FormatError(self._nothing(passed), path=self.source)

    def _nothing(self, passed: int) -> str:
        if self.skipped:
            return f"none of its {len(self.skipped)} lines is an example; the first: {self.skipped[0]}"
        if passed:
            return f"has {passed} examples, and skip {self.selection.skip} passes over all of them: lower it"
        return "is empty; expected one example a line"


def example_of(record: Mapping[str, Any], *, where: str) -> Example:
    """Return the example of a line's JSON in either layout; `where` names it in an error.

    Raises: FormatError naming the field at fault.
    """
    return Line(where, 1, msgspec.json.encode(record)).example()


class Line(NamedTuple):
    """One line of a file, as it stands there."""

    path: str
    number: int
    content: bytes

    def example(self) -> Example:
        """Return the example.

        Raises: FormatError with file, line and field when it is none.
        """
        return _parsed(self, _EXAMPLES, ExampleRecord.example)[1]

    def fault(self, message: str, field: str | None) -> FormatError:
        """Return the error that says what is wrong with the line."""
        return FormatError(message, path=self.path, line=self.number, field=field)


class Head(NamedTuple):
    """A line, and what was read of it."""

    line: Line
    example_id: int
    annotations: tuple[Annotation, ...]


_EXAMPLES = msgspec.json.Decoder(ExampleRecord)


def _parsed(line: Line, decoder: msgspec.json.Decoder[_Record], build: Callable[[_Record], _Item]) -> tuple[int, _Item]:
    """Return a line's example id and what `build` makes of its record."""
    try:
        record = decoder.decode(line.content)
        return record.id(), build(record)
    except RecordError as error:
        raise line.fault(str(error), error.field) from error
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `")
        missing = re.search(r"missing required field `(\w+)`", problem)
        at = where.rstrip("`").removeprefix("$").removeprefix(".")
        name = f"{at}.{missing[1]}".removeprefix(".") if missing else at
        raise line.fault(f"{problem}; expected a line of Natural Questions", name or "$") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = f"not JSON: {error}; the line is damaged or cut off"
        raise line.fault(problem, _last_key(line.content, error)) from error


def _refuse_twice(identifier: int, line: Line, first_place: dict[int, tuple[str, int]]) -> None:
    if identifier in first_place:
        path, number = first_place[identifier]
        raise line.fault(f"{identifier} stands twice, first in {path}, line {number}: remove one", "example_id")
    first_place[identifier] = line.path, line.number


def _last_key(line: bytes, error: Exception) -> str:
    """Name the JSON key that stands last before the byte at fault, where a reader should look."""
    keys = re.findall(rb'"(\w{1,40})"\s*:', line[: _fault_at(line, error)])
    return str(keys[-1].decode()) if keys else "$"


def _fault_at(line: bytes, error: Exception) -> int:
    """Return the byte at fault; for a string that is no UTF-8, msgspec counts from the string's own start."""
    if isinstance(error, UnicodeDecodeError):
        try:
            line.decode()
        except UnicodeDecodeError as first:
            return first.start
    at = re.search(r"\(byte (\d+)\)", str(error))
    return int(at[1]) if at else len(line)


def _lines(source: str) -> Iterator[Line]:
    """Yield every line that is not blank."""
    for path in _paths(source):
        number = 0
        try:
            with _opened(path) as stream:
                for number, content in enumerate(stream, start=1):
                    if not content.isspace():
                        yield Line(path, number, content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problem = f"broken gzip ({error}): fetch or pack the file again"
            raise FormatError(problem, path=path, line=number + 1, field="$") from error
        except OSError as error:
            raise FormatError(f"cannot be read ({error.strerror or error}): check the path", path=path) from error


def _paths(source: str) -> list[str]:
    if source == STANDARD_INPUT or Path(source).exists():
        return [source]
    if _is_url(source):
        return _urls(source)
    found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
    if not found:
        what = "no file matches this pattern" if glob.has_magic(source) else "no such file"
        raise FormatError(f"{what}; expected a Natural Questions .jsonl or .jsonl.gz: check the path", path=source)
    return found


def _is_url(source: str) -> bool:
    return "://" in source


def _urls(source: str) -> list[str]:
    """Return the URLs that one with * or ? stands for.

    Raises: MissingExtraError without fsspec, FormatError when there is nothing, or nothing that reads such URLs.
    """
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("remote", purpose=f"reading {source}") from None
    try:
        files, path = fsspec.core.url_to_fs(source)
        found = sorted(files.glob(path)) if glob.has_magic(path) else [path][: files.exists(path)]
    except (ImportError, ValueError, OSError) as error:
        raise FormatError(f"cannot be read ({error}): check the URL", path=source) from error
    if not found:
        raise FormatError("no such file; expected a Natural Questions .jsonl or .jsonl.gz: check the URL", path=source)
    return [str(files.unstrip_protocol(one)) for one in found]


def _open(path: str) -> BinaryIO:
    if not _is_url(path):
        return Path(path).open("rb")
    import fsspec

    return cast("BinaryIO", fsspec.open(path, "rb").open())


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    with contextlib.ExitStack() as stack:
        file = sys.stdin.buffer if path == STANDARD_INPUT else stack.enter_context(_open(path))
        # Buffered anew, for not every standard input can be peeked into; detached, so that that is left open.
        stream = io.BufferedReader(cast("io.RawIOBase", file))
        stack.callback(stream.detach)
        if stream.peek(2)[:2] == _GZIP_MAGIC:
            yield cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=stream)))
        else:
            yield stream
