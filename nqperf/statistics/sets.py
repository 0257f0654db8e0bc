"""What the judge is given: rows, and their estimates in each set of fresh processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nqperf.errors import ConfigError
from nqperf.statistics.location import FloatArray, SetEstimate

Role = Literal["row", "same", "planted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The speed-up that a row promises: baseline seconds / row seconds, with its SD between runs.

    `ratio` is the speed-up. `sd` is that of the log ratio between runs of unchanged code (what no number of sets in one
    run averages out), 0 for a ratio known exactly, as 1.0 is for two revisions. `freedom` are the degrees of freedom
    that it was measured with.
    Raises: ConfigError for a ratio that is not above 0, or a negative SD.
    """

    ratio: float
    sd: float = 0.0
    freedom: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.ratio < math.inf:
            raise ConfigError(f"floor is {self.ratio}; expected a finite speed-up above 0")
        if not 0 <= self.sd < math.inf or not self.freedom > 0:
            raise ConfigError(f"the floor's SD is {self.sd} with {self.freedom} degrees of freedom; expected 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row `name` of the table, which is judged against its `floor`; without one its ratio is reported.

    `role` "same" is the control that is the baseline once more: it must be neither slower nor faster. "planted" is the
    baseline with work added, of which `planted` says how much: 0.1 for a tenth of the baseline's time, as measured.
    Raises: ConfigError when only one of role "planted" and `planted` is given.
    """

    name: str
    floor: Floor | None = None
    role: Role = "row"
    planted: float = 0.0

    def __post_init__(self) -> None:
        if (self.role == "planted") != (self.planted > 0):
            raise ConfigError(f"row {self.name} is a {self.role} row with {self.planted} planted")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sets:
    """Estimates of all rows in all sets so far: logs of ratios baseline seconds / row seconds.

    Shapes: [sets, rows] all; NaN where a row was not measured in a set (it left, or its worker died). `location` and
    `total` as in SetEstimate. `shared` says that all rows of a set are held to one baseline process, as variants are;
    each row of two revisions has its own.
    Raises: ConfigError when shapes do not fit, two rows have one name, or there is more than one "same" row.
    """

    rows: tuple[Row, ...]
    location: FloatArray
    total: FloatArray
    shared: bool = True

    def __post_init__(self) -> None:
        shape = (self.location.shape[0] if self.location.ndim else -1, len(self.rows))
        if self.location.shape != shape or self.total.shape != shape:
            raise ConfigError(
                f"locations of shape {self.location.shape} and totals of {self.total.shape}; "
                f"expected sets x {len(self.rows)} rows"
            )
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ConfigError(f"rows {', '.join(names)}; expected each name once")
        if sum(row.role == "same" for row in self.rows) > 1:
            raise ConfigError("two rows are the baseline once more; expected one at most")
        if not np.array_equal(np.isfinite(self.location), np.isfinite(self.total)):
            raise ConfigError("a location without a total, or the other way round; expected both or neither")

    @classmethod
    def of(cls, rows: Sequence[Row], measured: Sequence[Mapping[str, SetEstimate]], *, shared: bool = True) -> Sets:
        """Return the sets of `measured`: for each set of processes, the estimates of its `rows` by name.

        `shared` as in Sets.
        """
        location = np.full((len(measured), len(rows)), np.nan)
        total = location.copy()
        for number, estimates in enumerate(measured):
            for column, row in enumerate(rows):
                if row.name in estimates:
                    location[number, column] = estimates[row.name].location
                    total[number, column] = estimates[row.name].total
        return cls(rows=tuple(rows), location=location, total=total, shared=shared)

    def first(self, sets: int) -> Sets:
        """Return the first `sets` of these sets, as an earlier look saw them."""
        return Sets(rows=self.rows, location=self.location[:sets], total=self.total[:sets], shared=self.shared)
