"""The times that a saved run holds, as the sets of processes that the statistics are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nqperf.records.results import BASELINE, SAME, Pairs, Results, VariantResult
from nqperf.statistics.location import SetEstimate, set_estimate
from nqperf.statistics.sets import Row, Sets

_BASELINE_OF = "baseline of "


def timed_rows(run: Results) -> dict[str, tuple[Pairs, ...]]:
    """Return the times of each row of `run` that has some and was right, by its name."""
    return {row.name: row.samples for row in run.variants if row.name != BASELINE and _is_timed(row)}


def is_of_baseline(name: str) -> bool:
    """Return whether the row `name` of a comparison is about a baseline's own seconds."""
    return name == BASELINE or name.startswith(_BASELINE_OF)


def has_one_baseline(run: Results) -> bool:
    """Return whether all rows of `run` are held to one baseline; several comparisons in one record have one each."""
    return run.variant(BASELINE) is not None


def sets_of_rows(run: Results, names: Sequence[str]) -> Sets:
    """Return the sets of the rows of `run` that `names` tells, all of them timed, and of the control "same"."""
    timed = timed_rows(run)
    control = run.controls.same.samples if run.controls.same and has_one_baseline(run) else ()
    rows = [*(Row(name=name) for name in names), *([Row(name=SAME, role="same")] if control else [])]
    return Sets.of(rows, _by_set({**{name: timed[name] for name in names}, SAME: control}), shared=bool(control))


def baseline_sets(run: Results, names: Sequence[str]) -> Sets:
    """Return the sets of what the rows `names` of `run` are held to: its speed, in logs of batches a second.

    The baseline of a run is one row, in each set by the row that has most rounds in it; where each row has a baseline
    of its own, they are as many.
    """
    timed = timed_rows(run)
    if not has_one_baseline(run):
        rows = [Row(name=f"{_BASELINE_OF}{name}") for name in names]
        speeds = _by_set(
            {row.name: [_speed(one) for one in timed[name]] for row, name in zip(rows, names, strict=True)}
        )
        return Sets.of(rows, speeds, shared=False)
    longest: dict[int, Pairs] = {}
    for name in names:
        for sample in timed[name]:
            known = longest.get(sample.number)
            if known is None or len(sample.baseline_seconds) > len(known.baseline_seconds):
                longest[sample.number] = sample
    return Sets.of([Row(name=BASELINE)], _by_set({BASELINE: [*map(_speed, longest.values())]}), shared=False)


def sets_beside(run: Results, name: str) -> Sets:
    """Return the sets of every other row of `run` that has times, and of the baseline, beside the row `name`.

    Their estimates are logs of how many times as fast `name` is: its own less the other's, of the sets that both were
    in. `name` is then what all are held to, in the place of the baseline.
    """
    samples = {row.name: row.samples for row in run.variants if row.samples}
    speeds = _by_set(samples)
    others = [BASELINE, *(other for other in samples if other not in {name, BASELINE})]
    zero = SetEstimate(location=0.0, total=0.0, error=None, rounds=0)
    measured = [
        {
            other: SetEstimate(
                location=ours.location - theirs.location,
                total=ours.total - theirs.total,
                error=None,
                rounds=ours.rounds,
            )
            for other in others
            if (theirs := zero if other == BASELINE else found.get(other)) is not None
        }
        for found in speeds
        if (ours := found.get(name)) is not None
    ]
    return Sets.of([Row(name=other) for other in others], measured, shared=True)


def _speed(sample: Pairs) -> Pairs:
    """Return the times of a row that is the baseline, beside one that takes a second a batch."""
    return Pairs(
        baseline_seconds=(1.0,) * len(sample.baseline_seconds),
        variant_seconds=sample.baseline_seconds,
        number=sample.number,
    )


def _by_set(samples: Mapping[str, Sequence[Pairs]]) -> list[dict[str, SetEstimate]]:
    """Return the estimates of each set of processes, from the rows' times."""
    found: dict[int, dict[str, SetEstimate]] = {}
    for name, sets in samples.items():
        for sample in sets:
            baseline, row = np.array(sample.baseline_seconds), np.array(sample.variant_seconds)
            if len(row):
                found.setdefault(sample.number, {})[name] = set_estimate(baseline, row)
    return [found[number] for number in sorted(found)]


def _is_timed(row: VariantResult) -> bool:
    return row.status == "measured" and any(sample.baseline_seconds for sample in row.samples)
