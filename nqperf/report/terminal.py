"""Reports in plain text."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.plain_text import plain, plain_lines
from nqperf.records.comparison import Comparison
from nqperf.records.history import History, Moment, Point
from nqperf.records.levels import Step
from nqperf.records.results import BASELINE, Results
from nqperf.records.timed import is_of_baseline
from nqperf.report.headline import closing_sentences
from nqperf.report.lines import wrapped
from nqperf.report.summary import interval_text, milliseconds, summarise
from nqperf.report.tables import NONE, text_table
from nqperf.statistics.comparison import Change

CHANGE_HEADINGS = ("variant", "old ratio", "new ratio", "factor", "interval", "sets", "change")
RUN_HEADINGS = ("made", "machine", "baseline's batch", "outcome", "file")
HISTORY_HEADINGS = ("made", "machine", "ratio", "interval", "pairs", "floor", "verdict")


def run_text(results: Results, width: int | None = None) -> str:
    """Return the report of the run `results`: its table, what explains it, and what it came to.

    What stands below the table has lines of at most `width` letters, but for the command; None leaves them whole.
    """
    summary = summarise(results)
    table = text_table(summary.headings, summary.rows, left=("verdict",))
    *notes, command = summary.notes
    came_to = (*closing_sentences(results), summary.headline, *(f"  {reason}" for reason in summary.reasons))
    below = (wrapped(plain_lines("\n".join(lines)), width) for lines in (notes, came_to))
    return f"\n{plain(command)}\n\n".join((f"{plain_lines(table)}\n\n{next(below)}", next(below)))


def seconds_text(seconds: Mapping[str, float]) -> str:
    """Return where the wall time of a run went: `seconds` by stage, and "total"."""
    parts = ", ".join(f"{name} {spent:.0f} s" for name, spent in seconds.items() if name != "total")
    return f"wall time: {seconds['total']:.0f} s ({parts})"


def comparison_text(comparison: Comparison, width: int | None = None) -> str:
    """Return the report of `comparison`, of two runs, with lines of at most `width` letters below its table."""
    rows = [change_row(change) for change in comparison.changes]
    table = text_table(CHANGE_HEADINGS, rows, left=("change",)) if rows else "no variant has times in both runs"
    explained = "ratio: speed-up over the run's own baseline; factor: new ratio / old ratio, below 1 when slower"
    notes = plain_lines("\n".join((*comparison_notes(comparison), explained)))
    return f"{plain_lines(table)}\n\n{wrapped(notes, width)}"


def comparison_notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what of a `comparison` stands in one of its two runs only, and what differs between them."""
    return (
        *(f"WORSE: {what}" for what in comparison.worse),
        *(f"missing: {name} ({reason})" for name, reason in comparison.missing.items()),
        *(f"new: {name}" for name in comparison.added),
        *(f"note: {note}" for note in comparison.notes),
    )


def change_row(change: Change) -> tuple[str, ...]:
    """Return the cells of one `change`, under CHANGE_HEADINGS."""
    return (
        change.name,
        *(_speed(change.name, value) for value in (change.old_ratio, change.new_ratio)),
        f"{change.factor:.3f}",
        interval_text(change.interval),
        f"{change.old_sets}, {change.new_sets}",
        f"{change.change} by total time" if change.by_total else change.change,
    )


def _speed(name: str, value: float) -> str:
    """Return a speed-up, or of the baseline the time of a batch."""
    return milliseconds(value) if is_of_baseline(name) else f"{value:.3f}"


def history_text(found: History) -> str:
    """Return the report of the history `found`: its runs, each variant's ratios, what changed, and the machines."""
    lines = [text_table(RUN_HEADINGS, run_rows(found), left=("machine", "outcome", "file")), ""]
    for name in found.variants:
        lines += [name, text_table(HISTORY_HEADINGS, history_rows(found, name), left=("machine", "verdict")), ""]
    letters = machine_letters(found)
    for number, moment in enumerate(found.runs):
        if not number or letters[number] not in letters[:number]:
            lines.append(f"machine {letters[number]}: {moment.device}")
    lines += [
        f"changed before {moment.created}: {'; '.join(moment.changes)}" for moment in found.runs if moment.changes
    ]
    lines += steps_text(found)
    lines.append("ratio: speed-up over the run's own baseline; | stands where machine, software or work changed before")
    return plain_lines("\n".join(lines))


def steps_text(found: History) -> list[str]:
    """Return what was `found` to change among runs of one setting, what is slower than at its best, what is open."""
    lines = [f"changed: {step_text(step, found)}" for step in found.steps]
    lines += [
        f"SLOWER: since {_run_text(found.runs[step.run])} {_times(step)} as at its best, "
        f"until {_run_text(found.runs[step.last])}"
        for step in found.slower
    ]
    if found.unjudged:
        lines.append(
            f"not judged: {', '.join(found.unjudged)}: a few runs of a single set each tell no change; "
            "give the next ones a larger --budget"
        )
    return lines


def step_text(step: Step, found: History) -> str:
    """Return what a `step` of the history `found` changed, and from which run on."""
    return f"{_times(step)} from {_run_text(found.runs[step.run])} on"


def _times(step: Step) -> str:
    row = "the baseline's own batch" if step.row == BASELINE else step.row
    return f"{row} is {step.factor:.3f} times as fast ({interval_text(step.interval)})"


def _run_text(run: Moment) -> str:
    return f"{run.created} ({run.source})"


def run_rows(found: History) -> list[tuple[str, ...]]:
    """Return the cells of each run that was `found`, under RUN_HEADINGS."""
    return [
        (
            moment.created,
            f"{'| ' if moment.changes else ''}{letter}",
            NONE if moment.seconds is None else milliseconds(moment.seconds),
            moment.outcome,
            moment.source,
        )
        for moment, letter in zip(found.runs, machine_letters(found), strict=True)
    ]


def history_rows(found: History, name: str) -> list[tuple[str, ...]]:
    """Return the cells of the variant `name` in the history `found`, a row a run, under HISTORY_HEADINGS."""
    letters = machine_letters(found)
    return [_history_row(found, letters, point) for point in found.variants[name]]


def machine_letters(found: History) -> list[str]:
    """Return a short name for the machine of each run in `found`: A for the first, B for the next one, ..."""
    known = list(dict.fromkeys(moment.device for moment in found.runs))
    return [_letter(known.index(moment.device)) for moment in found.runs]


def _letter(number: int) -> str:
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + chr(ord("A") + last)


def _history_row(found: History, letters: list[str], point: Point) -> tuple[str, ...]:
    moment = found.runs[point.run]
    timed = point.ratio is not None
    return (
        moment.created,
        f"{'| ' if moment.changes else ''}{letters[point.run]}",
        NONE if point.ratio is None else f"{point.ratio:.3f}",
        interval_text(point.interval) if timed else NONE,
        str(point.pairs) if timed else NONE,
        NONE if point.floor is None else f"{point.floor:.2f}",
        f"{point.outcome} (run INVALID)" if moment.outcome == "INVALID" else point.outcome,
    )
