"""Rows that installed packages bring: a table of our own rows that looks for more of them by an entry point.

A package that fails to load is named and left out. Looking costs a walk over all installed packages, so it is done
once, when a name is asked for that is not among our own rows, or all names are.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from importlib import metadata
from typing import Generic, Protocol, TypeVar

from nqperf.errors import ConfigError

_logger = logging.getLogger(__name__)


class Named(Protocol):
    """A row, which has a name."""

    @property
    def name(self) -> str:
        """What it is asked for by."""


Row = TypeVar("Row", bound=Named)


class Table(MutableMapping[str, Row], Generic[Row]):
    """Rows by name: our own `rows` in their order, then those of installed packages by the entry points of `group`.

    The object of an entry point is a row, or a list or tuple of rows, of the type `kind`; `adopted` is told the name of
    its package and returns the row that is taken. `faults` says which entry points are left out and why, one sentence
    each.

    Raises: ConfigError for a name that two packages bring: neither is taken.
    """

    def __init__(
        self,
        group: str,
        kind: type[Row],
        rows: Iterable[Row],
        *,
        adopted: Callable[[Row, str], Row] = lambda row, _package: row,
    ) -> None:
        self._group = group
        self._adopted = adopted
        self._kind = kind
        self._rows: dict[str, Row] = {row.name: row for row in rows}
        self._own = frozenset(self._rows)
        self._brought_by: dict[str, list[str]] = {}
        self._faults: list[str] = []
        self._waiting: list[metadata.EntryPoint] | None = None
        self._unfinished: dict[str, Row] = {}

    @property
    def faults(self) -> tuple[str, ...]:
        """What is left out, and why."""
        self._look()
        return (*self._faults, *(self._refusal(name) for name, packages in self._brought_by.items() if packages[1:]))

    def brought_by(self, name: str) -> str | None:
        """Return the package that brings the row `name`, with its version; None for our own."""
        self._look()
        return next(iter(self._brought_by.get(name, ())), None)

    def __getitem__(self, name: str) -> Row:
        if name not in self._own:
            self._look()
        if name in self._rows:
            return self._rows[name]
        if name in self._brought_by:
            raise ConfigError(self._refusal(name))
        return self._unfinished[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._own:
            self._look()
        return name in self._rows or name in self._brought_by or name in self._unfinished

    def __setitem__(self, name: str, row: Row) -> None:
        self._rows[name] = row

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(self._rows)

    def __len__(self) -> int:
        self._look()
        return len(self._rows)

    def _refusal(self, name: str) -> str:
        """Return why a row that several packages bring is not taken."""
        packages = " and ".join(self._brought_by[name])
        return f"{self._group}: {packages} bring a {name!r} each, so none is taken; keep one of them installed"

    def _look(self) -> None:
        """Take the rows of installed packages, once.

        A package that asks for one of its own rows while it is being loaded finds those that it has made by then.
        """
        if self._waiting is None:
            points = metadata.entry_points(group=self._group)
            self._waiting = sorted(points, key=lambda point: (point.name, point.value))
            for point in self._waiting:
                package = _package(point)
                try:
                    rows = self._load(point)
                except Exception as error:  # noqa: BLE001  # whatever a package does, the others go on
                    self._faults.append(_left_out(point, self._group, error))
                    continue
                for row in rows:
                    self._take(row, package)
            self._waiting = []
            self._unfinished.clear()
            for fault in self.faults:
                _logger.warning(fault)
        for point in self._waiting:
            with contextlib.suppress(Exception):  # what is at fault is told when its turn comes
                self._unfinished |= {row.name: row for row in self._load(point)}

    def _load(self, point: metadata.EntryPoint) -> list[Row]:
        """Return the rows that an entry point brings.

        Raises: ConfigError for what is no row, or has the name of one of ours; whatever the package does when it loads.
        """
        found = point.load()
        rows = [self._checked(row) for row in (found if isinstance(found, list | tuple) else (found,))]
        return [self._adopted(row, _name(point)) for row in rows]

    def _take(self, row: Row, package: str) -> None:
        """Take a row that no other package has brought; else take neither."""
        packages = self._brought_by.setdefault(row.name, [])
        packages.append(package)
        if packages[1:]:
            self._rows.pop(row.name, None)
        else:
            self._rows[row.name] = row

    def _checked(self, row: Row) -> Row:
        """Return a row of a package.

        Raises: ConfigError for what is no row, or has the name of one of ours.
        """
        if not isinstance(row, self._kind):
            raise ConfigError(f"it is a {type(row).__name__}; expected {self._kind.__name__}, or a list of them")
        if row.name in self._own:
            raise ConfigError(f"nqperf has a {row.name!r} already; give it another name")
        return row


def _name(point: metadata.EntryPoint) -> str:
    """Return the name of the distribution that an entry point is of."""
    return point.dist.name if point.dist else point.module


def _package(point: metadata.EntryPoint) -> str:
    """Return the distribution with its version."""
    return f"{_name(point)} {point.dist.version}" if point.dist else _name(point)


def _left_out(point: metadata.EntryPoint, group: str, error: Exception) -> str:
    """Return in words that an entry point is left out, and why."""
    said = " ".join(str(error).split())
    where = f"its {group} entry point {point.name!r} ({point.value})"
    return f"{_package(point)}: {where} is left out: {type(error).__name__}: {said}"
