"""Reports as one HTML page: a run, two runs compared, and runs over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup

from nqperf.formats.files import write_whole
from nqperf.plain_text import counted
from nqperf.records.comparison import Comparison
from nqperf.records.history import History, Point
from nqperf.records.results import Results
from nqperf.report import page as html
from nqperf.report.charts import Mark, timeline
from nqperf.report.conclusion import judged_text
from nqperf.report.headline import closing_sentence
from nqperf.report.run_sections import ratio_rows, run_sections
from nqperf.report.summary import interval_text, summarise, work_text
from nqperf.report.terminal import (
    CHANGE_HEADINGS,
    HISTORY_HEADINGS,
    RUN_HEADINGS,
    change_row,
    comparison_notes,
    history_rows,
    machine_letters,
    run_rows,
    step_text,
    steps_text,
)
from nqperf.statistics.comparison import Change


def write_page(path: Path, content: str) -> None:
    """Write a report, the text `content`, to `path`, whole or not at all.

    Raises: FormatError when it cannot be written.
    """
    write_whole(path, content.encode())


def run_page(results: Results) -> str:
    """Return the report of the run `results`, as a whole page."""
    reasons = summarise(results).reasons
    head = html.heading(results.outcome, judged_text(results), _under(results), reasons, closing_sentence(results))
    return html.html_page(f"nqperf: {results.outcome}", [head, *run_sections(results)])


def comparison_page(comparison: Comparison, old: Results, new: Results) -> str:
    """Return the report of two runs, `old` and `new`: what changed between them, by `comparison`, then either one."""
    return html.html_page("nqperf: two runs", _comparison(comparison, old, new))


def history_page(found: History) -> str:
    """Return the report of runs over time, of which `found` is the history, as a whole page."""
    return html.html_page("nqperf: history", _history(found))


def _under(results: Results) -> str:
    return f"{work_text(results)}; {results.created}"


def _comparison(comparison: Comparison, old: Results, new: Results) -> Iterator[Markup]:
    found = [change.change for change in comparison.changes]
    counts = [f"{found.count(change)} {change}" for change in dict.fromkeys(found)]
    counts += [f"{len(names)} {what}" for what, names in _apart(comparison) if names]
    yield html.title(1, f"Two runs: {', '.join(counts) or 'nothing to compare'}")
    yield from map(html.paragraph, (f"old: {_under(old)}", f"new: {_under(new)}"))
    if comparison.changes:
        yield html.title(2, "Change of each speed-up")
        yield html.paragraph(
            "Factor: new ratio / old ratio, each over its own run's baseline; left of the broken line at 1 is slower."
        )
        yield ratio_rows([(change.name, _factor(change), _said(change)) for change in comparison.changes])
        rows = [change_row(change) for change in comparison.changes]
        yield html.html_table("Old and new", CHANGE_HEADINGS, rows, left=("change",))
    yield from map(html.paragraph, comparison_notes(comparison))
    for role, run in (("Old", old), ("New", new)):
        yield html.title(2, f"{role} run, {run.created}: {run.outcome}, {judged_text(run)}")
        yield from run_sections(run, level=3)


def _apart(comparison: Comparison) -> tuple[tuple[str, Sequence[str]], ...]:
    return ("worse", comparison.worse), ("missing", tuple(comparison.missing)), ("new", comparison.added)


def _factor(change: Change) -> Mark:
    title = f"{change.name}: factor {change.factor:.3f} in {interval_text(change.interval)}, {change.change}"
    return Mark(ratio=change.factor, interval=change.interval, floor=None, title=title)


def _said(change: Change) -> Markup:
    return html.said(f"{change.factor:.3f}", interval_text(change.interval), change.change)


def _history(found: History) -> Iterator[Markup]:
    letters = machine_letters(found)
    first, last = found.runs[0], found.runs[-1]
    yield html.title(1, f"{counted(len(found.runs), 'run')}, {counted(len(found.variants), 'variant')}")
    yield html.paragraph(f"{first.created} to {last.created}; the last is {last.outcome}")
    yield html.paragraph(
        "Ratio: speed-up over the run's own baseline, with its interval and floor, in the order of the runs. An "
        "upright broken line: the machine, its software or the work is another one than before, and the two sides do "
        "not compare. An upright whole line: the ratio is another one from there on, surely."
    )
    changed = [number for number, moment in enumerate(found.runs) if moment.changes]
    dates = html.ends(first.created[:10], last.created[:10])
    yield html.charts(2, [(name, drawing + dates) for name, drawing in _timelines(found, changed)])
    yield from map(html.paragraph, steps_text(found))
    yield html.title(2, "Runs")
    left = ("machine", "outcome", "file")
    yield html.html_table("Every run, the oldest first", RUN_HEADINGS, run_rows(found), left=left)
    yield html.facts({f"machine {letters[number]}": moment.device for number, moment in enumerate(found.runs)})
    if changed:
        yield html.title(2, "Changes from one run to the next")
        yield html.facts({moment.created: "; ".join(moment.changes) for moment in found.runs if moment.changes})
    yield html.title(2, "Ratios")
    for name in found.variants:
        yield html.html_table(name, HISTORY_HEADINGS, history_rows(found, name), left=("verdict",))


def _timelines(found: History, changed: Sequence[int]) -> Iterator[tuple[str, Markup]]:
    for name, points in found.variants.items():
        marks: list[Mark | None] = [None] * len(found.runs)
        for point in points:
            marks[point.run] = _point_mark(point, found)
        if any(marks):
            steps = {step.run: step_text(step, found) for step in found.steps if step.row == name}
            yield name, timeline(marks, changed, f"{name}: ratio of {counted(len(points), 'run')}", steps)


def _point_mark(point: Point, found: History) -> Mark | None:
    if point.ratio is None:
        return None
    when = found.runs[point.run].created
    title = f"{when}: {point.ratio:.3f} in {interval_text(point.interval)}, {point.outcome}"
    if found.runs[point.run].outcome == "INVALID":
        title += " (run INVALID)"
    return Mark(ratio=point.ratio, interval=point.interval, floor=point.floor, title=title)
