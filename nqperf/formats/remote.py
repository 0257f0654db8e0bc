"""Files at URLs, through fsspec: https://, s3://, gs://, and chains such as zip://a.jsonl::https://host/a.zip."""

from __future__ import annotations

import glob
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, cast

from nqperf.errors import FormatError, MissingExtraError
from nqperf.formats.decoding import reason
from nqperf.plain_text import without_secrets

_CHAIN = "::"
_QUERIED = ("http://", "https://")


class RemoteFile(NamedTuple):
    """A file at a URL: its `name` as it may be shown, without secrets, and `open`, which opens it for reading."""

    name: str
    open: Callable[[], BinaryIO]


def is_url(source: str) -> bool:
    """Return whether `source` is a URL, or a chain of them, and no path."""
    return "://" in source


def shown_url(source: str) -> str:
    """Return `source` as it may be printed and stored: a URL without its query, which may sign it, and its password."""
    return without_secrets(source) if is_url(source) else source


def remote_files(source: str, *, what: str) -> list[RemoteFile]:
    """Return the files at the URL `source`, or those that one with * or [ stands for, in order.

    `what` says in messages what was expected there.

    Raises: MissingExtraError without fsspec or what the protocol needs, FormatError when there is none or the server
    refuses.
    """
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("remote", purpose=f"reading {shown_url(source)}") from None
    try:
        # A query is sent as it stands: what signs it may be a matter of each letter.
        quoted = {name: {"encoded": True} for name in ("http", "https") if f"{name}://" in source and "?" in source}
        files, path = fsspec.core.url_to_fs(source, **quoted)
        rest = source.partition(_CHAIN)[2]
        if not _has_pattern(source):
            return [RemoteFile(shown_url(source), _opener(files, path))]
        found = sorted(files.glob(path))
        names = [str(files.unstrip_protocol(one)) + (f"{_CHAIN}{rest}" if rest else "") for one in found]
    except Exception as error:
        raise remote_fault(error, source, what=what) from error
    if not found:
        raise FormatError(f"no such file: none matches this pattern; expected {what}", path=shown_url(source))
    return [RemoteFile(shown_url(name), _opener(files, one)) for name, one in zip(names, found, strict=True)]


def remote_fault(error: Exception, source: str, *, what: str, line: int | None = None) -> FormatError:
    """Return the error for what fsspec, or a library below it, raised while it read the URL `source`.

    `error` is what it raised, `what` was expected there; `line` is the last one that was read whole, None or 0 for
    none.
    """
    name = shown_url(source)
    if isinstance(error, ImportError):
        return FormatError(f"needs a package for this protocol ({reason(error)}): install it", path=name)
    if line:
        return FormatError(
            f"broke off after line {line} ({_cause(error)}): give the same command again", path=name, line=line
        )
    if (status := _status(error)) is not None:
        advice = "check the URL, and that it has not expired" if status < _SERVER_FAULTS else "try again later"
        return FormatError(f"the server answered {status}; expected {what}: {advice}", path=name)
    first = _chain(error)[-1]
    if isinstance(error, FileNotFoundError) and isinstance(first, FileNotFoundError | KeyError):
        return FormatError(f"no such file; expected {what}: check the URL", path=name)
    return FormatError(f"cannot be read ({_cause(first)}); expected {what}: check the URL", path=name)


_SERVER_FAULTS = 500


def _has_pattern(source: str) -> bool:
    first = source.partition(_CHAIN)[0]
    if first.startswith(_QUERIED):
        first = first.partition("?")[0]
        return "*" in first or "[" in first
    return bool(glob.has_magic(first))


def _opener(files: Any, path: str) -> Callable[[], BinaryIO]:
    return lambda: cast("BinaryIO", files.open(path, "rb"))


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and those that led to it."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def _status(error: Exception) -> int | None:
    """Return the HTTP status that a server answered with, if that is what went wrong."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        for holder, name in ((one, "status"), (response, "status_code"), (one, "code")):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 400 <= status < 600:  # noqa: PLR2004  # HTTP's range of refusals
                return status
    return None


def _cause(error: BaseException) -> str:
    """Return why, by the library's own name where it says nothing; its text may hold the URL with its query."""
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "the server did not answer in time"
    return without_secrets(reason(error))
