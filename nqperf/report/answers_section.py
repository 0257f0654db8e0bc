"""What each variant of a run answered otherwise than the baseline, as a section of an HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from nqperf.records.doubts import untested
from nqperf.records.results import Results
from nqperf.report import page as html


def answers_section(results: Results, level: int) -> Iterator[Markup]:
    """Yield the section on the run `results`, with a heading of `level`; nothing where no answers were compared."""
    compared = [variant for variant in results.variants if variant.agreement is not None]
    if not compared:
        return
    yield html.title(level, "Answers that changed")
    same = [variant for variant in compared if variant.agreement and not variant.agreement.changed]
    why = untested(results)
    for undecided, ends in ((False, "every answer is the baseline's"), (True, "that decides nothing")):
        if names := [variant.name for variant in same if variant.undecided == undecided]:
            told = f"not tested, for {why}" if why else ends
            yield html.paragraph(f"None in {', '.join(names)}: {told}.", kind="")
    for variant in compared:
        found = variant.agreement
        if found is None or not found.changed:
            continue
        rows = [(one.subject, one.baseline, one.variant) for one in found.differences]
        caption = f"{variant.name}: {found.changed} of {found.compared} changed"
        if len(rows) < found.changed:
            caption += f", {'the first ' + str(len(rows)) + ' shown' if rows else 'which ones is not on record'}"
        if rows:
            headings = ("question", "baseline", variant.name)
            yield html.html_table(caption, headings, rows, left=headings[1:], lines=headings)
        else:
            yield html.paragraph(f"{caption}.", kind="")
