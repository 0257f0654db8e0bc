"""The report page's sections on the rows' switches: what each variant is, and what it was seen to do."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from nqperf.perf.variants.table import VARIANTS
from nqperf.records.results import Results
from nqperf.report import page as html
from nqperf.report.headline import by_speed
from nqperf.report.seen import LOGITS, has_logits, seen_rows
from nqperf.report.variants import described


def variants_section(results: Results, level: int) -> Iterator[Markup]:
    """Yield what the variants of `results` are, and what each was seen to do; `level` is of the titles."""
    order = [row.name for row in by_speed(results)]
    known = [(name, described(VARIANTS[name])) for name in order if name in VARIANTS]
    if known:
        yield html.title(level, "What each variant does")
        yield _table("As `nqperf variants` tells", "what it is", known)
    seen = seen_rows(results)
    if seen:
        yield html.title(level, "What each variant was seen to do")
        caption = f"In its own process; {LOGITS}" if has_logits(results) else "In its own process"
        yield _table(caption, "what was seen", [(name, seen[name]) for name in order if name in seen])


def _table(caption: str, heading: str, rows: list[tuple[str, str]]) -> Markup:
    return html.html_table(caption, ("variant", heading), rows, left=(heading,), lines=(heading,))
