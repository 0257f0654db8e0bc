"""What a session with tests of the gate knows: its tests, what was measured, and what went wrong beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from nqperf.pytest_plugin.items import variant_of
from nqperf.records.results import Results
from nqperf.records.revisions import RevisionResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What one call of `nqperf_paired` found.

    `test` is the node id of the test that called it, `results` the record of its one comparison.
    """

    test: str
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRevisions:
    """What a comparison with another revision found.

    `test` is the node id of the test that asked for it, empty for the rows of the suite; `results` is its record.
    `allow_inconclusive` says that INCONCLUSIVE is no failure of it.
    """

    test: str
    results: RevisionResults
    allow_inconclusive: bool


@dataclass(slots=True, kw_only=True)
class GateState:
    """What is known of the gate.

    `started` is when the session did, in seconds of `time.monotonic`. `items` are the tests of the suite, `pairs` those
    that take `nqperf_paired`, `compared` what these found, by the name of the row. `results` is the record of the
    session, None as long as nothing was measured; `seconds` is where the suite's time went. `revisions` is
    what was held to another revision, by what it is of. `faults` fail the session, `notes` are only shown.
    """

    started: float
    items: list[pytest.Item] = field(default_factory=list)
    pairs: list[pytest.Item] = field(default_factory=list)
    compared: dict[str, Compared] = field(default_factory=dict)
    results: Results | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    revisions: dict[str, ComparedRevisions] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def tests(self) -> list[pytest.Item]:
        """All tests of the gate."""
        return [*self.items, *self.pairs]

    @property
    def variants(self) -> tuple[str, ...]:
        """The variants whose tests were selected, in order."""
        return tuple(dict.fromkeys(variant_of(item) for item in self.items))


STATE = pytest.StashKey[GateState]()
