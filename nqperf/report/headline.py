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

    A row gains where its whole interval lies above 1. One whose answers are undecided is named as that, and beside it
    the fastest whose answers are known.
    """
    timed = [row for row in by_speed(results) if row.verdict is not None and row.name != BASELINE]
    right = [row for row in timed if row.status == "measured" and row.verdict and row.verdict.outcome != "FAIL"]
    if not timed:
        return None
    gaining = [row for row in right if row.verdict and row.verdict.interval and row.verdict.interval[0] > 1]
    safe = next((row for row in gaining if _answers_known(row)), None)
    said = [] if safe is None else [f"Fastest safe way: {_gain(safe)}"]
    if gaining and not _answers_known(gaining[0]):
        said.insert(0, f"Fastest way, not known to be safe: {_gain(gaining[0])}")
    if said:
        return " ".join(said)
    if right and all(row.verdict is not None and row.verdict.interval is None for row in right):
        return "A single set of processes was taken: which way is fastest is not sure yet."
    return f"No way is surely faster than the baseline with the answers kept{_losing(right)}."


def _losing(rows: list[VariantResult]) -> str:
    """Return which of `rows` are surely slower, the slowest last; nothing where none is."""
    said = [
        f"{row.name} {row.verdict.ratio:.2f} ({interval_text(row.verdict.interval)})"
        for row in rows
        if row.verdict and row.verdict.interval and row.verdict.interval[1] < 1
    ]
    return f"; surely slower: {', '.join(said)}" if said else ""


def _answers_known(row: VariantResult) -> bool:
    return row.agreement is not None and not row.undecided


def _gain(row: VariantResult) -> str:
    """Return what `row`, which has a verdict, gains, and what is known of its answers."""
    assert row.verdict is not None  # noqa: S101  # only such rows gain
    gained = f"{row.name}, {row.verdict.ratio:.2f} times the baseline ({interval_text(row.verdict.interval)})"
    if row.agreement is None:
        return f"{gained}; answers were not compared."
    few = ", which decides nothing" if row.undecided else ""
    return f"{gained}; {row.agreement.changed_text} answers changed{few}."
