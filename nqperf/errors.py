"""The errors that nqperf raises on purpose: each says what, where, what was expected and what to do next."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import ClassVar

from nqperf.plain_text import plain, without_secrets

# Longer than any message of our own; names from files have no bound.
_LONGEST = 2000


class Interrupted(BaseException):  # no Exception: as KeyboardInterrupt, it must not be caught as one
    """The signal `signum` asked the program to end; `kept` says what a later start goes on from."""

    kept = ""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class NqPerfError(Exception):
    """Base of every error that a user can cause; the command line prints it as one line and exits with `exit_code`.

    `kept` says what a later start goes on from.
    """

    kept = ""
    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        """Return the message in one line, safe to show whatever a stranger's file put into it."""
        return plain(without_secrets(" ".join(super().__str__().split("\n"))), _LONGEST)


class ConfigError(NqPerfError):
    """A setting is out of range, or two settings do not fit each other."""


class FormatError(NqPerfError):
    """A file does not hold what its format promises.

    `message` says what is wrong and what was expected. `path` is the file, `line` its 1-based line (None where the
    format has no lines), `field` the JSON path, tensor or record field at fault (None where the file as a whole is).
    """

    def __init__(self, message: str, *, path: object, line: int | None = None, field: str | None = None) -> None:
        self.path = str(path)
        self.line = line
        self.field = field
        where = self.path if line is None else f"{self.path}, line {line}"
        if field is not None:
            where += f", field {field}"
        self._message = message
        super().__init__(f"{where}: {message}")

    def __reduce__(self) -> tuple[object, ...]:
        """Return how to make it again in another process; an exception's own way knows no keyword arguments."""
        again = functools.partial(FormatError, self._message, path=self.path, line=self.line, field=self.field)
        return again, ()


class DeviceError(NqPerfError):
    """The device that a run was required to compute on is not there; the message says why and what to do."""

    exit_code: ClassVar[int] = 1


class VariantError(NqPerfError):
    """A variant cannot run here, or its switches had no effect."""


class NoEffectError(VariantError):
    """The switches of the row `name` had no effect; `absent` says what was not seen."""

    def __init__(self, name: str, absent: str) -> None:
        super().__init__(f"{name}: the switches had no effect: {absent}")
        self.absent = absent


class ParityError(NqPerfError):
    """A variant's answers differ from the baseline's by more than its row tolerates."""


class OutOfTimeError(NqPerfError):
    """A comparison was not judged, for the time that the run may take did not allow it; the message says how much."""


class MissingExtraError(NqPerfError):
    """An optional dependency is not installed; the message names the extra that brings it.

    `extra` is the extra's name, "" where the whole `package` is what is missing; `purpose` is what cannot be done.
    `absent` are the modules that were not found, where they are known.
    """

    def __init__(self, extra: str, *, purpose: str, package: str = "nqperf", absent: Sequence[str] = ()) -> None:
        source = "path/to/nqperf" if package == "nqperf" else package  # no package index has nqperf
        what = f"{source}[{extra}]" if extra else source
        needs = f"the extra {extra!r}" if extra else f"the package {package}, whole"
        modules = f" (not installed: {', '.join(absent)})" if absent else ""
        super().__init__(f"{purpose} needs {needs}{modules}: pip install '{what}'")
