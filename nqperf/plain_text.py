"""Text of strangers made safe to show: control codes are spelt out, secrets of addresses are cut, and it has an end.

Names of tensors, layers, variants and files come from files that other people wrote. A terminal, a log of CI and a
record must show them as they are, and obey nothing in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Commands to GitHub's runners, wherever they come from: the first at the start of a line, the older second anywhere.
_COMMAND = re.compile(r"^(\s*)(::)|(#)(#\[)", re.MULTILINE)
# A scheme has an end, so that a long text without any is read in a time that grows no faster than the text.
# One within another, as fsspec chains them with `::`, is an address of its own; a quote before a letter is part of one.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,63}://"
_URL = re.compile(rf"{_SCHEME}(?:(?!::{_SCHEME})[^\s'\"<>]|'(?=['\w%@.~-]))+")
CUT = "[cut]"
# Controls but for tabs and line ends, joiners and what turns the direction of text, halves of pairs.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: str, limit: int | None = None) -> str:
    """Return `text` in one line with all that is not shown as it is spelt out, cut after `limit` characters.

    Example: plain("a\\x1b[31mb") is "a\\\\x1b[31mb".
    """
    shown = _COMMAND.sub(r"\1\3\\\2\4", "".join(_spelt(letter) for letter in text))
    return (
        shown if limit is None or len(shown) <= limit else f"{shown[:limit]} ... ({len(shown) - limit} more characters)"
    )


def counted(number: int, noun: str) -> str:
    """Return `number` with its `noun`, which stands in the plural unless there is one.

    Example: counted(1, "example") is "1 example", counted(2, "example") is "2 examples".
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain_lines(text: str) -> str:
    """Return `text` as `plain` does, its line ends kept."""
    return "\n".join(map(plain, text.split("\n")))


def without_controls(text: str) -> str:
    """Return a page's `text` with its control codes, and what turns or hides text, spelt out; lines and spaces stay."""
    return _UNSEEN.sub(lambda found: _spelt(found[0]), text)


def without_secrets(text: str) -> str:
    """Return `text` with its addresses cut to what is no secret: no user, password or token, no query, no fragment.

    Example: without_secrets("https://me:pw@host/a?sig=x") is "https://[cut]@host/a?[cut]".
    """
    return _URL.sub(lambda found: _address(found[0]), text)


def command_line(words: Iterable[str]) -> str:
    """Return the `words` of a command as a shell takes them, without the secrets of its addresses, for a record."""
    import shlex

    return shlex.join(map(without_secrets, words))


def _spelt(letter: str) -> str:
    """Return a letter, or how Python writes it where it is a control or is not shown."""
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()


def _address(url: str) -> str:
    """Return one address without its secrets; what cannot be taken apart is cut whole."""
    # Every session of pytest imports this module; most show no address.
    from urllib.parse import urlsplit, urlunsplit

    try:
        scheme, place, path, query, fragment = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://{CUT}"
    user, at, host = place.rpartition("@")
    return urlunsplit(
        (scheme, f"{CUT}@{host}" if user or at else host, path, CUT if query else "", CUT if fragment else "")
    )
