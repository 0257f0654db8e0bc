"""Files of one JSON record a line, packed or not, as records of one type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from nqperf.errors import FormatError
from nqperf.formats.decoding import UTF8_MARK, placed, reason, without_half_surrogates
from nqperf.formats.lines import DEFAULT_LIMITS, lines_of

_Record = TypeVar("_Record")


def read_json_lines(source: str, record: type[_Record], *, what: str) -> Iterator[_Record]:
    """Yield every line of `source` that is not blank as a `record`; `what` names the file's role in messages.

    Raises (while iterating): FormatError naming file, line and field; for a file without a line, too.
    """
    decoder = msgspec.json.Decoder(record)
    number = 0
    for number, line in enumerate(lines_of(source, what=what, limits=DEFAULT_LIMITS), start=1):  # noqa: B007
        try:
            content = line.content.removeprefix(UTF8_MARK)
            found = decoder.decode(without_half_surrogates(content) if b"\\ud" in content else content)
        except msgspec.ValidationError as error:
            problem, field = placed(error)
            raise line.fault(f"{problem}; expected {what}", field) from error
        except (msgspec.DecodeError, ValueError, RecursionError, MemoryError) as error:
            raise line.fault(f"is no JSON ({reason(error)}); expected {what}", "$") from error
        yield found
    if not number:
        raise FormatError(f"is empty; expected {what}", path=source)
