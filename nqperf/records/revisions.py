"""What a comparison of two revisions is on record with: both sides, the answers, the sets, and the verdicts.

Ratios are slowdowns here, as people say them of a change: the change's seconds (or bytes) / the base's.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from nqperf.records.results import Agreement, Fingerprint

REVISIONS_SCHEMA: Final = 1

Word = Literal["SLOWER", "SAME", "FASTER", "INCONCLUSIVE"]
RevisionOutcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Measure = Literal["time", "memory", "start"]


class _Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record; msgspec turns a ValueError of `__post_init__` into an error located in what it decodes."""


class RevisionSide(_Record, frozen=True):
    """One side: its `label` is what people call it; the rest says what stood there.

    `commit` is the commit's whole name and `subject` its first line, None outside of a repository; `branch` the branch
    that was checked out, `dirty` whether tracked files differed from the commit. `python` is the interpreter's version,
    `environment` says whose libraries ran: "shared" with the other side, "its own", or "named" by the user.
    """

    label: str
    commit: str | None = None
    subject: str | None = None
    branch: str | None = None
    dirty: bool = False
    environment: Literal["shared", "its own", "named"] = "shared"


class MeasuredSet(_Record, frozen=True):
    """One set of fresh processes: `seed` drew its orders, `how` it was timed, the `order` of starts, what was measured.

    Units: `base` and `change` are seconds of a run in each round, `starts` the seconds that both sides took to start
    (import, build, first runs), `peaks` the most bytes of memory that both ever held, None where it was not told.
    """

    seed: int
    how: Literal["duet", "turns"]
    order: tuple[str, ...]
    base: tuple[float, ...]
    change: tuple[float, ...]
    starts: tuple[float, float]
    peaks: tuple[int | None, int | None] = (None, None)


class Judged(_Record, frozen=True):
    """The verdict on one `measure` (time of a run, peak memory, or seconds to start), and the `word` for it.

    `ratio` is the change's over the base's, `interval` holds it with the judge's confidence (None after one set),
    `margin` is the least slowdown that fails (0.02: 2 %). `base` and `change` are the medians of the `sets` that were
    taken, in seconds or bytes. `more_sets` is about how many sets more would decide, None where it is decided or no
    number would.
    Raises: ValueError for a ratio that is not a finite number above 0.
    """

    measure: Measure
    word: Word
    ratio: float
    interval: tuple[float, float] | None
    margin: float
    base: float
    change: float
    sets: int
    more_sets: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.ratio < math.inf:
            raise ValueError(f"a ratio of {self.ratio} is no finite number above 0")


class RevisionResults(_Record, frozen=True):
    """The whole comparison of `target` in two revisions, `base` and `change`.

    `command` made it, `created` is when (UTC), `fingerprint` where. `agreement` says how far the outputs agree,
    `judged` holds the verdicts and `sets` what they rest on. `schema_version` is that of this layout.

    `outcome` is FAIL where the answers differ, a side failed, or a measure is surely slower by more than its margin.
    `reasons` say why, a line each. `pages` are the memory pages that the processes asked for, `seconds` the wall time.
    """

    command: str
    created: str
    fingerprint: Fingerprint
    target: str
    base: RevisionSide
    change: RevisionSide
    outcome: RevisionOutcome
    reasons: tuple[str, ...] = ()
    agreement: Agreement | None = None
    judged: tuple[Judged, ...] = ()
    sets: tuple[MeasuredSet, ...] = ()
    pages: str = "plain"
    seconds: float = 0.0
    schema_version: int = REVISIONS_SCHEMA

    def measure(self, name: Measure) -> Judged | None:
        """Return the verdict on the measure `name`, None where it was not reached."""
        return next((one for one in self.judged if one.measure == name), None)
