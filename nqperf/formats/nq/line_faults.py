"""What is wrong with a line of Natural Questions, named for what it is."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import reason, without_half_surrogates
from nqperf.formats.lines import Line

_Record = TypeVar("_Record")
_MARK = b"\xef\xbb\xbf"
_EXPECTED = "expected a line of Natural Questions"
_ONE_A_LINE = "expected one example a line"
# By keys that ours have not: what people name by mistake.
_FOREIGN = {
    "predictions": "is a predictions file; expected the examples that it answers",
    "paragraphs": "is an article of SQuAD; expected examples of Natural Questions",
    "data": "is a file of SQuAD; expected examples of Natural Questions",
    "context": "is a row of another data set (question, context); expected examples of Natural Questions",
    "answer": "is a row of another data set (question, answer); expected examples of Natural Questions",
    "answers": "is a row of another data set (question, answers); expected examples of Natural Questions",
    "rows": "is an answer of Hugging Face's datasets server; expected the examples in it, one a line",
    "error": "is an error that a server told, not the file itself: fetch it again",
}


def decoded_line(line: Line, decoder: msgspec.json.Decoder[_Record]) -> _Record:
    """Return the record that `line` holds, as `decoder` reads it.

    A byte-order mark is passed over, half a surrogate pair becomes U+FFFD.

    Raises: FormatError with file, line and field when it is none.
    """
    try:
        return decoder.decode(line.content)
    except msgspec.ValidationError as error:
        raise _misfit(line, error) from error
    except (msgspec.DecodeError, ValueError, RecursionError, MemoryError) as error:
        mended = without_half_surrogates(line.content.removeprefix(_MARK))
        if mended != line.content:
            return decoded_line(line._replace(content=mended), decoder)
        raise _no_json(line, error) from error


def named_fault(line: Line, problem: str, field: str) -> FormatError:
    """Return the error for a `line` that is JSON and no example, by what it is where that is known.

    Else it says `problem` at `field`, the JSON path at fault.
    """
    if field in ("example_id", "question_text", "document_text") and problem.startswith(("missing", "neither")):
        try:
            keys = msgspec.json.decode(line.content.removeprefix(_MARK), type=dict[str, msgspec.Raw]).keys()
        except (msgspec.DecodeError, ValueError, RecursionError):
            keys = {}.keys()
        for key, kind in _FOREIGN.items():
            if key in keys:
                return line.fault(kind, "$")
    return line.fault(problem, field)


def _misfit(line: Line, error: msgspec.ValidationError) -> FormatError:
    if line.content.lstrip()[:1] == b"[":
        return line.fault(f"is a JSON array; {_ONE_A_LINE}: write it anew with `jq -c '.[]'`", "$")
    problem, _, where = str(error).partition(" - at `")
    missing = re.search(r"missing required field `(\w+)`", problem)
    at = where.rstrip("`").removeprefix("$").removeprefix(".")
    name = f"{at}.{missing[1]}".removeprefix(".") if missing else at
    return line.fault(f"{problem}; {_EXPECTED}", name or "$")


def _no_json(line: Line, error: Exception) -> FormatError:
    if isinstance(error, UnicodeDecodeError):
        advice = "if it is Latin-1, write it anew with `iconv -f LATIN1 -t UTF-8`"
        return line.fault(f"is not UTF-8 ({reason(error)}); {advice}", _last_key(line.content, error))
    kind = _other_layout(line, error)
    if kind is not None:
        return line.fault(kind, "$")
    said = reason(error).removeprefix("JSON is malformed: ")
    problem = f"not JSON: {said}; the line is damaged or cut off"
    return line.fault(problem, _last_key(line.content, error))


def _other_layout(line: Line, error: Exception) -> str | None:
    """Return what a line is a part of, and how to make lines of it; None where it is one that is damaged."""
    text, first = line.content.strip(), line.number == 1
    end = text[-1:].decode("ascii", "replace")
    kinds = {
        f"is a JSON array; {_ONE_A_LINE}: write it anew with `jq -c '.[]'`": first and text.startswith(b"["),
        f"ends with {end!r} behind its JSON; {_ONE_A_LINE} and nothing else": text.endswith((b",", b"]"))
        and _is_json(text[:-1].rstrip()),
        f"is JSON over several lines; {_ONE_A_LINE}: write it anew with `jq -c .`": first and _is_opening(text),
        f"is what Python prints, not JSON; {_EXPECTED}: write it with json.dumps": text.startswith(b"{'"),
        f"is no JSON but other text ({_shown(text)}); {_EXPECTED}": text[:1].isalpha() or text[:1] in (b'"', b"#"),
        f"holds more than one JSON value; {_ONE_A_LINE}": "trailing characters" in str(error),
    }
    return next((kind for kind, is_so in kinds.items() if is_so), None)


def _is_opening(text: bytes) -> bool:
    """Return whether a first line opens an object and leaves off between two of its fields, as `json.dump(indent=)`."""
    return text == b"{" or (text.startswith(b"{") and text.endswith((b",", b"{", b"[")) and not _is_json(text[:-1]))


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def _shown(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace"))


def _last_key(line: bytes, error: Exception) -> str:
    """Name the JSON key that stands last before the byte at fault, where a reader should look."""
    keys: list[Any] = re.findall(rb'"(\w{1,40})"\s*:', line[: _fault_at(line, error)])
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
