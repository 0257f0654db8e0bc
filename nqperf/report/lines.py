"""Facts that belong together, a line each below the line that says what they are; and lines as wide as a console."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

_INDENT = "  "
# Where there is no console, as in a log.
_WIDTH = 120
# On a narrower console words are cut by its edge, and not by a line for each.
_NARROWEST = 40


def listed(what: str, facts: Iterable[str]) -> str:
    """Return `what` with a colon, and below it each of the `facts` on a line of its own.

    >>> print(listed("one pass", ["xla 2.00 s", "eager 3.00 s"]))
    one pass:
      xla 2.00 s
      eager 3.00 s
    """
    return f"\n{_INDENT}".join((f"{what}:", *facts))


def in_one_line(text: str) -> str:
    """Return a `text` that `listed` has made in one line, its facts with semicolons between; any other as it is.

    >>> in_one_line(listed("one pass", ["xla 2.00 s", "eager 3.00 s"]))
    'one pass: xla 2.00 s; eager 3.00 s'
    """
    what, *facts = text.split(f"\n{_INDENT}")
    return f"{what} {'; '.join(facts)}" if facts else text


def console_width() -> int:
    """Return how many letters a line of the console has, 120 where there is none."""
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def wrapped(text: str, width: int | None) -> str:
    """Return the lines of `text` in lines of at most `width` letters, those that go on indented; None leaves them.

    Words are never cut.
    """
    if width is None:
        return text
    return "\n".join(_line(line, max(width, _NARROWEST)) for line in text.split("\n"))


def _line(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}{_INDENT}",
        break_long_words=False,
        break_on_hyphens=False,
    )
