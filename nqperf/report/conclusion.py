"""What a run came to beside its ratios: how much of it was judged, why it failed, and which rows have no times."""

from __future__ import annotations

from collections.abc import Iterator

from nqperf.records.results import BASELINE, Results, VariantResult


def judged_text(results: Results) -> str:
    """Return how much of the run `results` was judged; where nothing was promised, first why it ended as it did."""
    if all(row.status in {"unjudged", "skipped"} for row in results.variants if row.name != BASELINE):
        return "nothing was measured"
    if results.expected or results.judged:
        return f"judged {results.judged} of {results.expected} expected comparisons"
    promised = "no speed was promised, so none was judged"
    return promised if results.outcome in {"PASS", "REPORTED"} else f"{_cause(results)}; {promised}"


def _cause(results: Results) -> str:
    """Return why a run in which nothing was promised is red: the rows that failed, else its first reason."""
    failed = [row for row in results.variants if row.status == "failed"]
    if results.outcome != "FAIL" or not failed:
        return next(iter(results.reasons), "it cannot be trusted")
    others = f"; {', '.join(row.name for row in failed[1:])} failed too" if failed[1:] else ""
    return f"{failed[0].name} failed: {failed[0].reason}{others}"


def stands_in_table(row: VariantResult) -> bool:
    """Return whether `row` has anything to show in a table: of one that never ran, a line of text says why."""
    return row.status != "skipped" and (row.status != "unjudged" or row.agreement is not None)


def unmeasured(results: Results) -> Iterator[str]:
    """Yield a line on the rows of `results` that have no times, those together that have none for the same reason."""
    together: dict[tuple[str, str | None], list[str]] = {}
    for row in results.variants:
        if row.status != "measured":
            together.setdefault((row.status, row.reason), []).append(row.name)
    for (status, reason), names in together.items():
        yield f"{', '.join(names)} {status}: {reason}"
