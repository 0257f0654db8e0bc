"""The lines of text files: from a path, a glob pattern, a URL or standard input, packed or not, one at a time."""

from __future__ import annotations

import contextlib
import glob
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from nqperf.errors import FormatError, NqPerfError
from nqperf.formats.compression import BufferedReader, Limits, is_damage, unpacked
from nqperf.formats.decoding import UTF8_MARK, reason, wide_encoding
from nqperf.formats.reading import exists, opened, require_file
from nqperf.formats.remote import is_url, remote_fault, remote_files, shown_url
from nqperf.formats.sniffing import ARROW_FILE, ARROW_STREAM, HEAD_BYTES, PARQUET, foreign_kind
from nqperf.formats.tables import table_rows

STANDARD_INPUT = "-"
DEFAULT_LIMITS = Limits()
_MOST_BLANK = 1 << 20  # a packed file of a hundred bytes can hold them for minutes


class Line(NamedTuple):
    """One line of a file, as it stands there; a row of a table is the line of JSON that it makes.

    `path` is the name of its file as it may be printed, `number` its place there, from 1, blank lines counted too;
    `content` is its bytes, with the newline where there is one.
    """

    path: str
    number: int
    content: bytes

    def fault(self, message: str, field: str | None = None) -> FormatError:
        """Return the error that says `message` of the line.

        `field` is the JSON path at fault, None for the line as a whole.
        """
        return FormatError(message, path=self.path, line=self.number, field=field)


class _Input(NamedTuple):
    name: str
    open: Callable[[], contextlib.AbstractContextManager[BinaryIO]]
    is_remote: bool = False


def lines_of(source: str, *, what: str, limits: Limits = DEFAULT_LIMITS) -> Iterator[Line]:
    """Yield every line of `source` that is not blank; `what` names its role in messages.

    `limits` bound how long a line may be, and how far a packed file may expand.

    Raises: FormatError (while iterating) for a source that is missing, empty of files, no text, damaged, or beyond a
    limit; MissingExtraError where a library is needed to read it.
    """
    for one in _inputs(source, what):
        number, blank, layers = 0, 0, list[str]()
        try:
            with one.open() as file, unpacked(file, one.name, limits, layers) as stream:
                for number, content in enumerate(_contents(stream, one.name, what, limits), start=1):
                    if content.isspace() or (number == 1 and _is_mark_alone(content)):
                        blank += 1
                        _refuse_blanks(blank, Line(one.name, number, content), what)
                    else:
                        yield Line(one.name, number, content)
        except NqPerfError:
            raise
        except Exception as error:
            if one.is_remote and not is_damage(error):
                raise remote_fault(error, one.name, what=what, line=number) from error
            raise _local_fault(error, one.name, number, " in ".join(reversed(layers))) from error


def _is_mark_alone(content: bytes) -> bool:
    """Tell whether a first line is a byte-order mark and nothing more."""
    return content.startswith(UTF8_MARK) and not content.removeprefix(UTF8_MARK).strip()


def _refuse_blanks(count: int, line: Line, what: str) -> None:
    if count > _MOST_BLANK:
        raise line.fault(f"is one of more than {_MOST_BLANK} blank lines; expected {what}")


def _contents(stream: BufferedReader, name: str, what: str, limits: Limits) -> Iterator[bytes]:
    """Yield the lines of a stream, or the rows of a table as lines."""
    start = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
    if start.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
        for number, row in enumerate(table_rows(stream, name), start=1):
            yield _bounded(row, number, name, what, limits)
        return
    if (kind := foreign_kind(start)) is not None:
        raise FormatError(f"is {kind}; expected {what}", path=name, line=1, field="$")
    if encoding := wide_encoding(start):
        again = f"write it anew with `iconv -f {encoding} -t UTF-8`"
        raise FormatError(f"is not UTF-8 but {encoding} ({again}); expected {what}", path=name, line=1, field="$")
    number = 0
    while content := stream.readline(limits.line_bytes + 1):
        number += 1
        yield _bounded(content, number, name, what, limits)


def _bounded(content: bytes, number: int, name: str, what: str, limits: Limits) -> bytes:
    """Return a line, which is no longer than its limit.

    Raises: FormatError.
    """
    if len(content) > limits.line_bytes:
        raise Line(name, number, b"").fault(
            f"is longer than {limits.line_bytes} bytes; expected {what}: if it is right, raise --max-line-bytes", "$"
        )
    return content


def _local_fault(error: Exception, name: str, number: int, packing: str) -> FormatError:
    if is_damage(error):
        problem = f"broken {packing or 'file'} ({reason(error)}): fetch or pack the file again"
        return FormatError(problem, path=name, line=number + 1, field="$")
    if isinstance(error, OSError):
        return FormatError(f"cannot be read ({error.strerror or error}): check the path", path=name)
    return FormatError(f"cannot be read ({reason(error)})", path=name, line=number + 1, field="$")


def require_source(source: str, *, what: str) -> None:
    """Raise FormatError where a `source` on this machine is not there or no file; nothing is opened.

    `what` names its role in messages. Standard input and what a URL names are left to the reading.
    """
    if source != STANDARD_INPUT and (exists(Path(source)) or not is_url(source)):
        for path in _paths(source, what):
            require_file(Path(path), what=what)


def _inputs(source: str, what: str) -> list[_Input]:
    if source == STANDARD_INPUT:
        return [_Input(source, _standard_input)]
    if is_url(source) and not exists(Path(source)):
        files = remote_files(source, what=what)
        return [_Input(one.name, one.open, is_remote=True) for one in files]
    return [_file(path, what) for path in _paths(source, what)]


def _paths(source: str, what: str) -> list[str]:
    """Return the file that is called `source`, else those that match it as a pattern."""
    if exists(Path(source)):
        return [source]
    found = []
    with contextlib.suppress(OSError, ValueError):
        found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
    if found:
        return found
    if glob.has_magic(source):
        raise FormatError(f"no file matches this pattern; expected {what}: check the path", path=source)
    return [source]  # opening it says what is wrong


def _file(path: str, what: str) -> _Input:
    return _Input(path, lambda: opened(Path(path), what=what))


@contextlib.contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    if sys.stdin is None:
        raise FormatError("standard input is closed; give a file", path=STANDARD_INPUT)
    yield cast("BinaryIO", sys.stdin.buffer)  # and it is left open


def shown_source(source: str) -> str:
    """Return `source` as it may be printed and stored."""
    return shown_url(source)
