"""What a run came to in one sentence: the fastest safe way, by how much, and whether the answers stay."""

from __future__ import annotations

from nqperf.records.results import BASELINE, Results, VariantResult
from nqperf.report.summary import interval_text


def by_speed(results: Results) -> tuple[VariantResult, ...]:
    """Return the rows of `results`, the baseline first, then the fastest; those without a ratio last, as they stood."""

    def order(row: VariantResult) -> tuple[int, float]:
        if row.name == BASELINE:
            return 0, 0.0
        return (2, 0.0) if row.verdict is None else (1, -row.verdict.ratio)

    return tuple(sorted(results.variants, key=order))


def fastest_sentence(results: Results) -> str | None:
    """Return what the fastest row of `results` with right answers gains, or that none does; None where none has times.

    A row gains where its whole interval lies above 1.
    """
    timed = [row for row in by_speed(results) if row.verdict is not None and row.name != BASELINE]
    safe = [row for row in timed if row.status == "measured" and row.verdict and row.verdict.outcome != "FAIL"]
    if not timed:
        return None
    for row in safe:
        assert row.verdict is not None  # noqa: S101  # as `timed` has it
        interval = row.verdict.interval
        if interval is not None and interval[0] > 1:
            gained = f"Fastest safe way: {row.name}, {row.verdict.ratio:.2f} times the baseline"
            return f"{gained} ({interval_text(interval)}); {_answers(row)}."
    if safe and all(row.verdict is not None and row.verdict.interval is None for row in safe):
        return "A single set of processes was taken: which way is fastest is not sure yet."
    return "No way is surely faster than the baseline with the answers kept."


def _answers(row: VariantResult) -> str:
    agreed = row.agreement
    if agreed is None:
        return "answers were not compared"
    return f"{agreed.changed} of {agreed.compared} answers changed" if agreed.changed else "all answers are the same"
