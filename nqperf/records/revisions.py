"""What a comparison of two revisions is on record with: both sides, the answers, the sets, and the verdicts.

Ratios are slowdowns here, as people say them of a change: the change's seconds (or bytes) / the base's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from nqperf.records.results import Agreement, Fingerprint, is_undecided
from nqperf.records.work import CountedWork

REVISIONS_SCHEMA: Final = 4

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


# An interval whose ends are so many times apart tells nobody anything yet: of two sets it may end at millions.
_TOLD = 2.0


class Judged(_Record, frozen=True):
    """The verdict on one `measure` (time of a run, peak memory, or seconds to start), and the `word` for it.

    `ratio` is the change's over the base's, `interval` holds it with the judge's confidence (None after one set),
    `margin` is the slowdown by which it is judged (0.02: 2 %): surely more than 0.4 of it fails, surely less than it
    passes. `asked` is the smaller margin, which decides what fails, of a row that passed by `margin` since the time was
    too short for that; None where they are one. `base` and `change` are the medians of the `sets` that were taken, in
    seconds or bytes. `more_sets` is about how many sets more would decide, by `asked` where there is one; None where it
    is decided or no number would.
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
    asked: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.ratio < math.inf:
            raise ValueError(f"a ratio of {self.ratio} is no finite number above 0")

    @property
    def told(self) -> tuple[float, float] | None:
        """The interval, None where it tells nobody anything: there is none, or its ends are twice as far apart."""
        known = self.interval
        return known if known is not None and known[1] < _TOLD * known[0] else None


class ComparedRow(_Record, frozen=True):
    """The row `name` of the base beside the same row of the change.

    `outcome` is FAIL where the answers differ, the change fails or does more work, or a measure is surely slower by
    more than its margin; None where the row was not judged, and `note` says why. `reasons` say why it fails, a line
    each. `agreement` says how far the answers agree, `work` what a run of both does, counted (None where nothing
    tells), and `work_changes` what is different in it. `judged` holds the verdicts, and `sets` what they rest on.
    """

    name: str
    outcome: RevisionOutcome | None
    reasons: tuple[str, ...] = ()
    note: str | None = None
    agreement: Agreement | None = None
    work: tuple[CountedWork | None, CountedWork | None] = (None, None)
    work_changes: tuple[str, ...] = ()
    judged: tuple[Judged, ...] = ()
    sets: tuple[MeasuredSet, ...] = ()

    @property
    def undecided(self) -> bool:
        """Whether too few answers were compared to tell if they are the base's within the row's tolerance."""
        return is_undecided(self.note)

    def measure(self, name: Measure) -> Judged | None:
        """Return the verdict on the measure `name`, None where it was not reached."""
        return next((one for one in self.judged if one.measure == name), None)


class RevisionResults(_Record, frozen=True):
    """The whole comparison of two revisions, `base` and `change`, of a project.

    `command` made it, `created` is when (UTC), `fingerprint` where. `rows` are what was compared: one builder, or rows
    of the suite. `new` and `gone` name rows that the change or the base alone has. `schema_version` is that of this
    layout.

    `outcome` is FAIL where a row's is, INCONCLUSIVE where none is and one of them is. `pages` are the memory pages that
    the processes asked for, `seconds` the wall time, `settings` what is to be said of the settings, a line each.
    """

    command: str
    created: str
    fingerprint: Fingerprint
    base: RevisionSide
    change: RevisionSide
    outcome: RevisionOutcome
    rows: tuple[ComparedRow, ...]
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    pages: str = "plain"
    seconds: float = 0.0
    settings: tuple[str, ...] = ()
    schema_version: int = REVISIONS_SCHEMA

    def row(self, name: str) -> ComparedRow | None:
        """Return the row `name`, None where there is none."""
        return next((one for one in self.rows if one.name == name), None)


def joined(several: Sequence[RevisionResults]) -> RevisionResults:
    """Return one record of `several` comparisons of the same two revisions: the sides of the first, the rows of all.

    Raises: ValueError without a comparison.
    """
    if not several:
        raise ValueError("no comparison; expected at least one")
    outcomes = {one.outcome for one in several}
    worst: tuple[RevisionOutcome, ...] = ("FAIL", "INCONCLUSIVE", "PASS")
    return msgspec.structs.replace(
        several[0],
        outcome=next(outcome for outcome in worst if outcome in outcomes),
        rows=tuple(row for one in several for row in one.rows),
        seconds=sum(one.seconds for one in several),
    )
