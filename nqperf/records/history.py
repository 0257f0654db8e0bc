"""Runs over time: each variant's ratio by date, where it changed, and where the machine is another one than before.

Ratios are speed-ups over the baseline of the same run, so they can be held beside each other; a ratio after a change of
machine is another device's, and says nothing about the code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nqperf.errors import ConfigError
from nqperf.records.levels import Speed, Step, levels
from nqperf.records.results import BASELINE, Results, RunOutcome, VariantResult
from nqperf.records.settings import changes_of_setting


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
    line. `changes` says in words what makes its ratios and those of the run before two different things. `seconds` are
    those of a batch of the baseline, None where nothing was timed.
    """

    source: str
    created: str
    outcome: RunOutcome
    device: str
    changes: tuple[str, ...]
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The `runs` in the order in which they were made, and each variant's points in the same.

    `variants` has the points of each variant but the baseline, by name; a run without it has none there. `steps` are
    the changes from one level of a row to the next, in runs of one setting. `slower` are the rows that are surely
    slower than at their best, by 1 % or more, in the latest runs of that work on that machine. `unjudged` are rows
    whose runs are few and have a single set each: they tell no change.
    """

    runs: tuple[Moment, ...]
    variants: Mapping[str, tuple[Point, ...]]
    steps: tuple[Step, ...] = ()
    slower: tuple[Step, ...] = ()
    unjudged: tuple[str, ...] = ()


def history(runs: Mapping[str, Results], *, since: str = "") -> History:
    """Return the history of `runs` by the name of their source; of those made `since` then or later (ISO 8601, UTC).

    Raises: ConfigError when there is none.
    """
    if not runs:
        raise ConfigError("there are no runs; expected at least one")
    last = max(run.created for run in runs.values())
    runs = {source: run for source, run in runs.items() if run.created >= since}
    if not runs:
        raise ConfigError(f"no run was made since {since}; the last is of {last}")
    # ISO 8601 in UTC sorts as text; the source settles what was made in the same second.
    ordered = sorted(runs.items(), key=lambda item: (item[1].created, item[0]))
    found = [one for _, one in ordered]
    moments = tuple(
        Moment(
            source=source,
            created=one.created,
            outcome=one.outcome,
            device=one.fingerprint.device_key,
            changes=tuple(changes_of_setting(found[number - 1], one)) if number else (),
            seconds=_seconds(one),
        )
        for number, (source, one) in enumerate(ordered)
    )
    names = dict.fromkeys(variant.name for one in found for variant in one.variants if variant.name != BASELINE)
    judged = levels(found, [BASELINE, *names])
    return History(
        runs=moments,
        variants={name: _points(found, name) for name in names},
        steps=judged.steps,
        slower=judged.slower,
        unjudged=judged.unjudged,
    )


def exit_status(found: History) -> int:
    """Return 1 when a row that `found` holds is slower than at its best, else 0."""
    return 1 if found.slower else 0


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


def _seconds(run: Results) -> float | None:
    """Return the seconds of a batch of the baseline."""
    speed = Speed.of_baseline(0, run)
    return None if speed is None else math.exp(-speed.value)
