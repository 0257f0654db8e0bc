"""From bytes to values: the one place where parsers are called, and all that they raise becomes a FormatError.

A parser fails in its own ways: with its own errors, and with those of Python when the input is deep (RecursionError),
large (MemoryError, OverflowError), no text (UnicodeDecodeError) or meets a fault in it (a Rust library's panic).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from nqperf.errors import FormatError, NqPerfError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

JSON_BYTES = 64 << 20
TOML_BYTES = 1 << 20
_LEVELS = 64
_TOML_LINE = 1 << 14  # tomllib takes time by the square of a line's dotted key
_REASON_LETTERS = 200
_EXACT_FLOATS = 2**53
UTF8_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# One escape after the other, so that the backslash of an escaped backslash begins none.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F]..|.)", re.DOTALL)
_PAIR, _REPLACEMENT = 12, rb"\ufffd"

_Record = TypeVar("_Record")


@contextlib.contextmanager
def decoding(path: object, *, expected: str, line: int | None = None, field: str | None = None) -> Iterator[None]:
    """Turn whatever a parser raises in the block into a FormatError at this place; `expected` ends its message.

    The place is the file `path`, and in it the `line`, counted from 1, and the `field`, each where it is known.

    Raises: FormatError; an NqPerfError of the block as it is.
    """
    try:
        yield
    except NqPerfError:
        raise
    except Exception as error:
        message = f"cannot be read ({reason(error)}); expected {expected}"
        raise FormatError(message, path=path, line=line, field=field) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how PyO3 hands on a fault in Rust; it is no Exception
            raise
        message = f"cannot be read (its parser broke off: {reason(error)}); expected {expected}"
        raise FormatError(message, path=path, line=line, field=field) from error


def reason(error: BaseException) -> str:
    """Return why a parser failed, in one short line without control characters: what its `error` says, or its kind."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start}: {error.reason}"
    said = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in said)
    return shown if len(shown) <= _REASON_LETTERS else f"{shown[:_REASON_LETTERS]}..."


def decode_json(content: bytes, record: type[_Record], path: object, *, expected: str) -> _Record:
    """Return the JSON document `content` as a `record`; a byte-order mark is passed over, half a surrogate is U+FFFD.

    `path` names the document in messages.
    Raises: FormatError that ends with `expected`, at the field at fault where the document is JSON of another layout.
    """
    return _shallow(_decoded(content, record, path, expected), path, expected)


def decode_python_json(content: bytes, record: type[_Record], path: object, *, expected: str) -> _Record:
    """Return the JSON document `content` as a `record`, read as leniently as Python's own reader does.

    It takes NaN, Infinity and 1e999, which JSON has not, and 5.0 is the integer 5 to whoever compares it.
    `path` names the document in messages, `expected` says at their end what it should have been.
    Raises: FormatError as `decode_json` does.
    """
    try:
        return _decoded(content, record, path, expected)
    except FormatError:
        try:
            # Python's own reader is slower, and takes more.
            document = json.loads(content.removeprefix(UTF8_MARK).decode(), parse_float=_number)
        except (ValueError, RecursionError, MemoryError):
            document = None
        if document is None:
            raise
    return as_record(document, record, path, expected=expected)


def decode_toml(content: bytes, record: type[_Record], path: object, *, expected: str) -> _Record:
    """Return the TOML document `content` as a `record`.

    `path` names the document in messages.
    Raises: FormatError that ends with `expected`, at the line or the field at fault.
    """
    try:
        text = utf8(content, path, expected=expected).decode()
        for number, line in enumerate(text.splitlines(), start=1):
            if len(line) > _TOML_LINE:
                raise FormatError(f"has more than {_TOML_LINE} letters; expected {expected}", path=path, line=number)
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        message = f"is no TOML: {reason(error)}; expected {expected}"
        raise FormatError(message, path=path, line=int(found[1]) if found else None) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise FormatError(f"is no TOML ({reason(error)}); expected {expected}", path=path) from None
    return as_record(document, record, path, expected=expected)


def as_record(document: Any, record: type[_Record], path: object, *, expected: str) -> _Record:
    """Return a parsed `document` as a `record`; `path` names it in messages, and `expected` ends them.

    Raises: FormatError at the field at fault.
    """
    try:
        return _shallow(msgspec.convert(document, record), path, expected)
    except msgspec.ValidationError as error:
        raise misfit(error, path, expected=expected) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise FormatError(f"cannot be read ({reason(error)}); expected {expected}", path=path) from None


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _EXACT_FLOATS else value


def _decoded(content: bytes, record: type[_Record], path: object, expected: str) -> _Record:
    content = utf8(content, path, expected=expected)
    try:
        try:
            return msgspec.json.decode(content, type=record)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            mended = without_half_surrogates(content)
            if mended == content:
                raise
            return msgspec.json.decode(mended, type=record)
    except msgspec.ValidationError as error:
        raise misfit(error, path, expected=expected) from None
    except (msgspec.DecodeError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise FormatError(f"is no whole JSON ({reason(error)}); expected {expected}", path=path) from None


_CONTAINERS = (dict, list, tuple, msgspec.Struct)


def _shallow(value: _Record, path: object, expected: str) -> _Record:
    """Return `value`, whose dictionaries and lists are no deeper than whoever walks through them can go.

    Raises: FormatError.
    """
    level: list[Any] = [value]
    for _ in range(_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return value
    raise FormatError(f"is nested more than {_LEVELS} levels deep; expected {expected}", path=path)


def _inside(value: Any) -> list[Any]:
    """Return the containers right within a container."""
    if isinstance(value, msgspec.Struct):
        inner = [getattr(value, name) for name in value.__struct_fields__]
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, dict):
        inner = list(value.values())
    else:
        inner = value
    return [
        one for one in inner if isinstance(one, dict | list | tuple | msgspec.Struct) or dataclasses.is_dataclass(one)
    ]


def misfit(error: msgspec.ValidationError, path: object, *, expected: str) -> FormatError:
    """Return the error for a document of another layout, from what msgspec said of it, `error`.

    `path` names the document, and `expected` says at the end of the message what it should have been.
    """
    problem, field = placed(error)
    return FormatError(f"{problem}; expected {expected}", path=path, field=field)


def placed(error: msgspec.ValidationError) -> tuple[str, str | None]:
    """Return what is wrong and in which field, taken from msgspec's `error`; None for the document as a whole."""
    problem, _, where = str(error).partition(" - at `")
    return problem, re.sub(r"^\$\.?", "", where.rstrip("`")) or None


def utf8(content: bytes, path: object, *, expected: str) -> bytes:
    """Return the document `content`, in UTF-8, without its byte-order mark.

    `path` names the document in messages, and `expected` says at their end what it should have been.

    Raises: FormatError when it is in UTF-16 or UTF-32, or no UTF-8 at all; a parser reads some of it without a word.
    """
    _refuse_wide(content, path, expected=expected)
    content = content.removeprefix(UTF8_MARK)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"is not UTF-8 ({reason(error)}); expected {expected}", path=path) from None
    return content


def without_half_surrogates(content: bytes) -> bytes:
    r"""Return the JSON document `content` with U+FFFD where half of a surrogate pair stands alone (`\ud83d`)."""

    def mended(escape: re.Match[bytes]) -> bytes:
        found = escape[0]
        half = found[1:3].lower() == b"ud" and found[3:4].lower() >= b"8" and len(found) < _PAIR
        return _REPLACEMENT if half else found

    return _ESCAPES.sub(mended, content)


def wide_encoding(content: bytes) -> str | None:
    """Return "UTF-16" or "UTF-32" for `content` that starts as text in it does, with its mark or without; else None."""
    for mark, name in _WIDE_MARKS.items():
        if content.startswith(mark):
            return name
    start = content[:4]
    return "UTF-16" if start[1::2] == b"\0\0" or (start[::2] == b"\0\0" and start.strip(b"\0")) else None


def _refuse_wide(content: bytes, path: object, *, expected: str) -> None:
    if name := wide_encoding(content):
        again = f"write it anew with `iconv -f {name} -t UTF-8`"
        raise FormatError(f"is not UTF-8 but {name} ({again}); expected {expected}", path=path)
