"""Runs over time: each variant's ratio by date, and where the machine or its software is another one than before.

Ratios are speed-ups over the baseline of the same run, so they can be held beside each other; a ratio after a change of
machine is another device's, and says nothing about the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nqperf.errors import ConfigError
from nqperf.records.comparison import MEASURING, changed_settings, changed_versions
from nqperf.records.profiles import sizes_text
from nqperf.records.results import BASELINE, Results, RunOutcome, VariantResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One variant in one run: `run` is the run's place in the history, from 0.

    `outcome` is its verdict's, else its status. `ratio` is its speed-up over the run's own baseline, in `interval`,
    from so many `pairs`, and `floor` what was promised; without a verdict there is none of them, and `reason` is told.
    """

    run: int
    outcome: str
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    pairs: int = 0
    floor: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One run: where it is kept, when it was made, what it came to, and what is not as in the run before.

    `source` is its file's name, `created` the UTC time (ISO 8601), `outcome` the run's, and `device` the machine in a
    line. `changes` says in words what makes its ratios and those of the run before two different things.
    """

    source: str
    created: str
    outcome: RunOutcome
    device: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The `runs` in the order in which they were made, and each variant's points in the same.

    `variants` has the points of each variant but the baseline, by name; a run without it has none there.
    """

    runs: tuple[Moment, ...]
    variants: Mapping[str, tuple[Point, ...]]


def history(runs: Mapping[str, Results]) -> History:
    """Return the history of `runs`, which are by the name of their source.

    Raises: ConfigError when there is none.
    """
    if not runs:
        raise ConfigError("there are no runs; expected at least one")
    # ISO 8601 in UTC sorts as text; the source settles what was made in the same second.
    ordered = sorted(runs.items(), key=lambda item: (item[1].created, item[0]))
    found = [one for _, one in ordered]
    moments = tuple(
        Moment(
            source=source,
            created=one.created,
            outcome=one.outcome,
            device=one.fingerprint.device_key,
            changes=tuple(_changes(found[number - 1], one)) if number else (),
        )
        for number, (source, one) in enumerate(ordered)
    )
    names = dict.fromkeys(variant.name for one in found for variant in one.variants if variant.name != BASELINE)
    return History(runs=moments, variants={name: _points(found, name) for name in names})


def _points(runs: Sequence[Results], name: str) -> tuple[Point, ...]:
    rows = ((number, run.variant(name)) for number, run in enumerate(runs))
    return tuple(_point(number, row) for number, row in rows if row is not None)


def _point(number: int, row: VariantResult) -> Point:
    verdict = row.verdict
    if verdict is None:
        return Point(run=number, outcome=row.status, reason=row.reason)
    return Point(
        run=number,
        outcome=verdict.outcome,
        ratio=verdict.ratio,
        interval=verdict.interval,
        pairs=verdict.pairs,
        floor=verdict.floor,
    )


def _changes(old: Results, new: Results) -> Iterator[str]:
    """Yield what makes the ratios of two runs that follow each other two different things."""
    if old.fingerprint.device_key != new.fingerprint.device_key:
        yield f"device: {old.fingerprint.device_key} -> {new.fingerprint.device_key}"
    for setting, then, now in changed_settings(old.fingerprint, new.fingerprint):
        yield f"{setting}: {then} -> {now}"
    for name, (before, after) in changed_versions(old.fingerprint, new.fingerprint).items():
        if name not in MEASURING:
            yield f"{name}: {before or 'absent'} -> {after or 'absent'}"
    if old.workload != new.workload:
        yield f"work: {sizes_text(old.workload)} -> {sizes_text(new.workload)}"
    for what in ("model", "data"):
        one, other = getattr(old, what), getattr(new, what)
        if one != other:
            names = f"{one.name} -> {other.name}" if one.name != other.name else f"{one.name}, other content"
            yield f"{what}: {names}"
