"""Several comparisons of one session as one record, which files, reports and later comparisons are made from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nqperf.records.results import BASELINE, Controls, Results, RunOutcome, Subject, VariantResult
from nqperf.records.verdict import control_faults

# The worst first: that of one comparison is the session's.
_ORDER: tuple[RunOutcome, ...] = ("INVALID", "FAIL", "INCONCLUSIVE", "PASS", "REPORTED")


def merge(runs: Sequence[Results]) -> Results:
    """Return one record of `runs`, comparisons that have each their own baseline and controls; of one, itself.

    The rows are the candidates', held to baselines that are named in them. A record has room for the controls of one
    comparison: those shown are of the first that did not hold, else of the first that has some; the ratios of all stand
    in the rows' metrics.
    Raises: ValueError when two candidates have the same name, IndexError without a run.
    """
    if len(runs) == 1:
        return runs[0]
    first = runs[0]
    shown = min(runs, key=lambda run: (run.controls.same is None, not control_faults(run.controls)))
    sizes = {name: size for name, size in first.workload.items() if all(run.workload.get(name) == size for run in runs)}
    return msgspec.structs.replace(
        first,
        model=Subject(name=f"{len(runs)} comparisons"),
        workload=sizes,
        variants=tuple(_row(row, run) for run in runs for row in run.variants if row.name != BASELINE),
        controls=shown.controls,
        judged=sum(run.judged for run in runs),
        expected=sum(run.expected for run in runs),
        outcome=min((run.outcome for run in runs), key=_ORDER.index),
        reasons=tuple(_named(reason, run.model.name) for run in runs for reason in run.reasons),
    )


def _row(row: VariantResult, run: Results) -> VariantResult:
    baseline = run.variant(BASELINE)
    held_to = baseline.requested.get("run") if baseline else None
    return msgspec.structs.replace(
        row, requested={**row.requested, "baseline": held_to}, metrics={**row.metrics, **_ratios(run.controls)}
    )


def _named(reason: str, name: str) -> str:
    """Return a reason that says which comparison it is of."""
    return reason if name in reason else f"{name}: {reason}"


def _ratios(controls: Controls) -> dict[str, float]:
    both = {"control same": controls.same, "control planted": controls.planted}
    return {name: control.verdict.ratio for name, control in both.items() if control is not None}
