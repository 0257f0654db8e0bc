"""Reports in plain text."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.gate.comparison import Comparison, VariantChange
from nqperf.gate.records import Results
from nqperf.report.summary import NONE, summarise
from nqperf.report.tables import text_table

CHANGE_HEADINGS = ("variant", "old ratio", "new ratio", "factor", "interval", "pairs", "change")


def run_text(results: Results) -> str:
    """Return the report of a run: its table, what explains it, and what it came to."""
    summary = summarise(results)
    return "\n".join(
        (
            text_table(summary.headings, summary.rows, left=("verdict",)),
            "",
            *summary.notes,
            "",
            summary.headline,
            *(f"  {reason}" for reason in summary.reasons),
        )
    )


def seconds_text(seconds: Mapping[str, float]) -> str:
    """Return where the wall time of a run went."""
    parts = ", ".join(f"{name} {spent:.0f} s" for name, spent in seconds.items() if name != "total")
    return f"wall time: {seconds['total']:.0f} s ({parts})"


def comparison_text(comparison: Comparison) -> str:
    """Return the report of a comparison of two runs."""
    rows = [change_row(change) for change in comparison.changes]
    return "\n".join(
        (
            text_table(CHANGE_HEADINGS, rows, left=("change",)) if rows else "no variant has times in both runs",
            "",
            *(f"missing: {name} ({reason})" for name, reason in comparison.missing.items()),
            *(f"new: {name}" for name in comparison.added),
            *(f"note: {note}" for note in comparison.notes),
            "ratio: speed-up over the run's own baseline; factor: new ratio / old ratio, below 1 when slower",
        )
    )


def change_row(change: VariantChange) -> tuple[str, ...]:
    """Return the cells of one change, under CHANGE_HEADINGS."""
    return (
        change.name,
        f"{change.old_ratio:.3f}",
        f"{change.new_ratio:.3f}",
        f"{change.factor:.3f}",
        NONE if change.interval is None else f"{change.interval[0]:.3f} .. {change.interval[1]:.3f}",
        f"{change.old_pairs}, {change.new_pairs}",
        change.change,
    )
