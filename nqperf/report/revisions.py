"""A comparison of two revisions in words: a sentence first, then what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nqperf.perf.revisions.bisect import Bisected
from nqperf.plain_text import counted, plain, plain_lines
from nqperf.records.doubts import others_text, used_by_others
from nqperf.records.revisions import ComparedRow, Judged, Measure, RevisionResults, RevisionSide, Word
from nqperf.report.next_step import next_steps
from nqperf.report.summary import milliseconds
from nqperf.report.tables import markdown_table, markdown_text, text_table
from nqperf.statistics.verdicts import JudgeConfig

HEADINGS = ("row", "measure", "base", "change", "change / base", "interval", "margin", "sets", "verdict")
_NAMES: dict[Measure, str] = {"time": "time of a run", "memory": "peak memory", "start": "time to start"}
_MORE: dict[Measure, str] = {"time": "slower", "memory": "more memory", "start": "longer to start"}
_NOTHING = "-"
_SHORT = 10  # letters of a commit's name, as people write it
_WORDS: tuple[Word, ...] = ("SLOWER", "SAME", "FASTER", "INCONCLUSIVE")
# Of more rows that are not decided the sentence has the number, and the table the names.
_NAMED = 3
# An interval of a slowdown whose upper end is so many times its lower one says little of the size.
_ROUGH = 3


def headline(results: RevisionResults) -> str:
    """Return the outcome of `results` as a sentence, such as "4.9 % slower than main (4.1 .. 5.6), answers the same".

    Of several rows those that got slower are named; where none did, it says so of all.
    """
    answers = _answers(results)
    if results.new and not any(row.outcome for row in results.rows):
        return plain(f"nothing to compare: {results.base.label} has no {', '.join(results.new)} yet")
    if not any(row.judged for row in results.rows):
        return plain(f"{answers}; nothing was timed")
    return plain(", ".join([*_speeds(results), answers, *_not_compared(results), *_busy(results)]))


def row_sentence(row: ComparedRow, base: str) -> str:
    """Return what is said of `row` beside that of `base`, why it fails among it."""
    time = row.measure("time")
    said = [] if time is None else [_change(time, base)]
    # The sentence on the time has its size, too.
    reasons = [reason for reason in row.reasons if not (said and reason.startswith("time: "))]
    parts = [*reasons, *said, *([row.note] if row.note else [])]
    return plain(f"{row.name}: {'; '.join(parts) or 'nothing was compared'}")


def _speeds(results: RevisionResults) -> list[str]:
    """Return what is said of the speed: of the only row, or of those that are not as before."""
    base = results.base.label
    timed = [(row, time) for row in results.rows if (time := row.measure("time")) is not None]
    timed.sort(key=lambda one: _WORDS.index(one[1].word))  # what fails comes first
    said = []
    if len(results.rows) == 1:
        more = any(reason.startswith("more work") for reason in results.rows[0].reasons)
        said = [*(["more work"] if more else []), *(_change(time, base) for _, time in timed)]
    else:
        unsure = [row.name for row, time in timed if time.word == "INCONCLUSIVE"]
        many = len(unsure) > _NAMED
        told = {"SAME", "INCONCLUSIVE"} if many else {"SAME"}
        said = [f"{row.name} {_change(time, base)}" for row, time in timed if time.word not in told]
        if many:
            said.append(f"not sure of {counted(len(unsure), 'row')} whether slower than {base}")
        same = [time for _, time in timed if time.word == "SAME"]
        if same:
            said.append(
                f"{'the other ' if said else ''}{counted(len(same), 'row')} no slower than {base}{_by_margin(same)}"
            )
    grown = [(row, one) for row in results.rows for one in row.judged if one.word == "SLOWER" and one.measure != "time"]
    named = len(results.rows) > 1
    return said + [f"{row.name + ' ' if named else ''}{_percent(one)} {_MORE[one.measure]}" for row, one in grown]


def _busy(results: RevisionResults) -> list[str]:
    """Return that the machine was busy, where that may be why nothing was decided."""
    others = others_text(results.fingerprint) if results.outcome == "INCONCLUSIVE" else None
    return [others] if others else []


def _not_compared(results: RevisionResults) -> list[str]:
    """Return what is said of rows that the base has but cannot run: a PASS says nothing of them."""
    failed = sum(row.outcome is None and row.name not in results.new for row in results.rows)
    return [f"{counted(failed, 'row')} not compared, for {results.base.label} fails there"] if failed else []


def _change(time: Judged, base: str) -> str:
    """Return how the time of a run changed beside that of `base`, with the interval in per cent."""
    if time.told is None:
        inside = "" if time.interval is None else " (too rough for an interval)"
    else:
        low, high = (100 * (bound - 1) for bound in time.told)
        inside = f" ({-high:.1f} .. {-low:.1f})" if time.word == "FASTER" else f" ({low:.1f} .. {high:.1f})"
    if time.word == "INCONCLUSIVE":
        return f"not sure whether slower than {base}: {_percent(time)}{inside}"
    if time.word == "SAME" and time.interval is not None and time.interval[0] > 1:
        return f"slower than {base} by less than the margin of {100 * time.margin:g} %: {_percent(time)}{inside}"
    if time.word == "SAME":
        return f"no slower than {base}{_by_margin([time])}: {_percent(time)}{inside}"
    return f"{abs(100 * (time.ratio - 1)):.1f} % {'slower' if time.word == 'SLOWER' else 'faster'} than {base}{inside}"


def _by_margin(same: Sequence[Judged]) -> str:
    """Return the margin that some of `same` passed by, where it is not the one that was asked for."""
    wider = [one.margin for one in same if one.asked is not None]
    return f" by the margin of {100 * max(wider):g} %" if wider else ""


def _percent(one: Judged) -> str:
    return f"{100 * (one.ratio - 1):+.1f} %"


def _answers(results: RevisionResults) -> str:
    agreed = [row.agreement for row in results.rows if row.agreement is not None and row.agreement.compared]
    if not agreed:
        return "answers not compared"
    differ = [
        f"{one.agreement.changed} of {one.agreement.compared}" + (f" in {one.name}" if len(results.rows) > 1 else "")
        for one in results.rows
        if one.agreement is not None and any(reason.startswith("the answers differ") for reason in one.reasons)
    ]
    if differ:
        return f"answers differ ({', '.join(differ)})"
    changed, compared = sum(one.changed for one in agreed), sum(one.compared for one in agreed)
    if not changed:
        return "answers the same"
    few = any(row.undecided for row in results.rows)
    return f"{changed} of {compared} answers changed, {'too few to decide' if few else 'within the tolerance'}"


def side_text(side: RevisionSide) -> str:
    """Return which revision `side` is, in one line."""
    parts = [] if side.commit is not None and side.label == side.commit[:_SHORT] else [side.label]
    if side.commit is not None:
        parts.append(f"{side.commit[:_SHORT]} {side.subject or ''}".strip())
    if side.branch is not None:
        parts.append(f"on {side.branch}")
    if side.dirty:
        parts.append("with changes that are not committed")
    if side.environment != "shared":
        parts.append(f"libraries: {side.environment}")
    return ", ".join(parts)


def rows(results: RevisionResults) -> list[tuple[str, ...]]:
    """Return the cells of `results` under HEADINGS, a line each measure; a row's name stands in its first line.

    Base, change and ratio are one comparison, so that they cannot disagree: the change is the base times the ratio.
    """
    return [
        (
            row.name if number == 0 else "",
            _NAMES[one.measure],
            _value(one.measure, one.base),
            _value(one.measure, one.base * one.ratio),
            f"{one.ratio:.3f}",
            _NOTHING if one.interval is None else f"{one.interval[0]:.3f} .. {one.interval[1]:.3f}",
            f"{one.margin:.1%}",
            str(one.sets),
            one.word,
        )
        for row in results.rows
        for number, one in enumerate(row.judged)
    ]


def _value(measure: Measure, value: float) -> str:
    return f"{value / (1 << 20):.0f} MiB" if measure == "memory" else milliseconds(value)


def notes(results: RevisionResults) -> tuple[str, ...]:
    """Return what else is to be said of `results`, a line each."""
    taken = [one for row in results.rows for one in row.sets]
    hows = sorted({one.how for one in taken})
    ways = {"duet": "both at once, each on half of the cores", "turns": "in turns, each with all cores"}
    said = [f"base: {side_text(results.base)}", f"change: {side_text(results.change)}"]
    if hows:
        said.append(f"timed {' and '.join(ways[how] for how in hows)}; {counted(len(taken), 'set')} of fresh processes")
    said += results.settings
    said += [f"work of {row.name}: {change}" for row in results.rows for change in row.work_changes]
    said += [f"{row.name}: {row.note}" for row in results.rows if row.note]
    said += [f"rows that only the change has: {', '.join(results.new)}"] if results.new else []
    said += [f"rows that only the base has: {', '.join(results.gone)}"] if results.gone else []
    judged = [one for row in results.rows for one in row.judged]
    said += next_steps(results)
    said += ["columns: base is the median over its sets, change is base times the ratio"] if judged else []
    said += [
        f"{word}: {_meaning(word, found)}" for word in _WORDS if (found := [one for one in judged if one.word == word])
    ]
    return tuple(said)


def _meaning(word: Word, judged: Sequence[Judged]) -> str:
    """Return what the `word` of the verdicts `judged` says, with the figures that follow from their margins."""
    if word == "FASTER":
        return "surely less than before"
    if word == "INCONCLUSIVE":
        beside = [one for one in judged if one.measure != "time"]
        return "not sure yet" + ("; memory and the time to start fail only where they surely grew" if beside else "")
    shares = dict.fromkeys(
        (one.measure, one.margin if word == "SAME" else JudgeConfig.for_margin(one.margin).fail_margin - 1)
        for one in judged
    )
    said = ", ".join(f"{100 * share:g} % ({_NAMES[measure]})" for measure, share in shares)
    if word == "SAME":
        return f"surely less than its margin more, which is {said}"
    level = f"{1 - JudgeConfig().beyond_alpha:.0%}"
    return (
        f"surely slower, and at {level} by more than 0.4 of its margin, which is {said}; seen again in a new set (an "
        "interval is of 99%, and may reach below that)"
    )


def _reasons(results: RevisionResults) -> list[str]:
    """Return why it fails, a line each, with the row's name where there are several."""
    named = len(results.rows) > 1
    return [f"{row.name}: {reason}" if named else reason for row in results.rows for reason in row.reasons]


def revisions_text(results: RevisionResults) -> str:
    """Return the report of `results` in plain text."""
    cells = rows(results)
    table = [text_table(HEADINGS, cells, left=("row", "verdict")), ""] if cells else []
    reasons = [f"  {reason}" for reason in _reasons(results)]
    parts = [*table, *notes(results), "", f"{results.outcome}: {headline(results)}", *reasons]
    return plain_lines("\n".join(parts))


def revisions_markdown(results: RevisionResults) -> str:
    """Return the report of `results` in GitHub's Markdown, for job summaries and comments."""
    cells, reasons = rows(results), _reasons(results)
    table = [markdown_table(HEADINGS, cells, left=("row", "verdict")), ""] if cells else []
    return "\n".join(
        (
            f"## {results.outcome}: {markdown_text(headline(results))}",
            "",
            *(f"- **{markdown_text(reason)}**" for reason in reasons),
            *([""] if reasons else []),
            *table,
            *(f"- {markdown_text(note)}" for note in notes(results)),
            "",
        )
    )


def bisected_text(found: Bisected, stats: Sequence[str]) -> str:
    """Return what a search for a commit `found`; `stats` are what git says that the commits changed, one text each."""
    between = f"between {found.good.short} and {found.bad.short}, by {counted(found.sets, 'set')} of fresh processes"
    lines = [f"passed over: {sha[:_SHORT]} ({why})" for sha, why in found.unusable.items()]
    if found.commits:
        names = ", ".join(f"{commit.short} {commit.subject}" for commit in found.commits)
        size = ""
        if found.factor is not None:
            size = f" {100 * (found.factor - 1):.1f} % slower"
            if found.interval is not None:
                low, high = (100 * (bound - 1) for bound in found.interval)
                size += f" ({low:.1f} .. {high:.1f})"
        one = "made it" if len(found.commits) == 1 else "cannot be told apart, one of them made it"
        return plain_lines("\n".join([*lines, f"{names} {one}{size}, {between}", *_rough(found), "", *stats]))
    steps = [f"a step: {commit.short} {commit.subject}" for commit in found.steps]
    return plain_lines("\n".join([*lines, *steps, f"{found.reason}, {between}", *_rough(found)]))


def _rough(found: Bisected) -> list[str]:
    """Return what makes the size of a slowdown rough, a line each: few sets that scatter, other programs."""
    said = []
    if found.commits and found.interval is not None:
        low, high = map(math.log, found.interval)
        if high > _ROUGH * low:
            said.append(
                "the size is rough, for few sets tell which commit it was; `nqperf ab` with that commit checked out "
                "and --base HEAD~1 measures it"
            )
    if busy := used_by_others(found.others):
        said.append(f"{busy}; sizes are rough beside them")
    return said
