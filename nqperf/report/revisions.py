"""A comparison of two revisions in words: a sentence first, then what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from nqperf.perf.revisions.bisect import Bisected
from nqperf.plain_text import plain, plain_lines
from nqperf.records.revisions import Judged, Measure, RevisionResults, RevisionSide, Word
from nqperf.report.summary import counted, milliseconds
from nqperf.report.tables import markdown_table, markdown_text, text_table

HEADINGS = ("measure", "base", "change", "ratio", "interval", "margin", "sets", "verdict")
_NAMES: dict[Measure, str] = {"time": "time of a run", "memory": "peak memory", "start": "time to start"}
_MORE: dict[Measure, str] = {"time": "slower", "memory": "more memory", "start": "longer to start"}
_NOTHING = "-"
_WORDS: dict[Word, str] = {
    "SLOWER": "surely more than its margin",
    "SAME": "surely less than its margin more",
    "FASTER": "surely less than before",
    "INCONCLUSIVE": "not sure yet",
}


def headline(results: RevisionResults) -> str:
    """Return the outcome of `results` as a sentence, such as "4.9 % slower than main (4.1 .. 5.6), answers the same".

    Eturn the outcome of `results` as a sentence, such as "4.9 % slower than main (4.1 .. 5.6), answers the same".
    """
    answers = _answers(results)
    if not results.judged:
        return plain(f"{results.target}: {answers}; nothing was timed")
    time = results.measure("time")
    said = [] if time is None else [f"{_change(time)} than {results.base.label}"]
    said += [
        f"{_percent(one)} {_MORE[one.measure]}" for one in results.judged if one.word == "SLOWER" and one is not time
    ]
    return plain(f"{results.target}: {', '.join([*said, answers])}")


def _change(time: Judged) -> str:
    """Return how the time of a run changed, with the interval in per cent."""
    inside = ""
    if time.interval is not None:
        low, high = (100 * (bound - 1) for bound in time.interval)
        inside = f" ({low:+.1f} .. {high:+.1f} %)"
    if time.word == "INCONCLUSIVE":
        return f"not sure whether slower: {_percent(time)}{inside}"
    if time.word == "SAME":
        return f"no slower ({_percent(time)}, {inside.strip(' ()')})" if inside else "no slower"
    return f"{abs(100 * (time.ratio - 1)):.1f} % {'slower' if time.word == 'SLOWER' else 'faster'}{inside}"


def _percent(one: Judged) -> str:
    return f"{100 * (one.ratio - 1):+.1f} %"


def _answers(results: RevisionResults) -> str:
    agreed = results.agreement
    if agreed is None:
        return "answers not compared"
    return (
        "answers the same" if not agreed.changed else f"answers differ ({agreed.changed} of {agreed.compared} values)"
    )


def side_text(side: RevisionSide) -> str:
    """Return which revision `side` is, in one line."""
    parts = [side.label]
    if side.commit is not None:
        parts.append(f"{side.commit[:10]} {side.subject or ''}".strip())
    if side.branch is not None:
        parts.append(f"on {side.branch}")
    if side.dirty:
        parts.append("with changes that are not committed")
    if side.environment != "shared":
        parts.append(f"libraries: {side.environment}")
    return ", ".join(parts)


def rows(results: RevisionResults) -> list[tuple[str, ...]]:
    """Return the cells of `results` under HEADINGS, one row a measure."""
    return [
        (
            _NAMES[one.measure],
            _value(one.measure, one.base),
            _value(one.measure, one.change),
            f"{one.ratio:.3f}",
            _NOTHING if one.interval is None else f"{one.interval[0]:.3f} .. {one.interval[1]:.3f}",
            f"{one.margin:.1%}",
            str(one.sets),
            one.word,
        )
        for one in results.judged
    ]


def _value(measure: Measure, value: float) -> str:
    return f"{value / (1 << 20):.0f} MiB" if measure == "memory" else milliseconds(value)


def notes(results: RevisionResults) -> tuple[str, ...]:
    """Return what else is to be said of `results`, a line each."""
    hows = sorted({taken.how for taken in results.sets})
    ways = {"duet": "both at once, each on half of the cores", "turns": "in turns, each with all cores"}
    said = [f"base: {side_text(results.base)}", f"change: {side_text(results.change)}"]
    if hows:
        said.append(
            f"timed {' and '.join(ways[how] for how in hows)}; {counted(len(results.sets), 'set')} of fresh processes"
        )
    more = [one.more_sets for one in results.judged if one.more_sets]
    if results.outcome == "INCONCLUSIVE" and more and results.sets:
        minutes = max(more) * results.seconds / len(results.sets) / 60
        said.append(f"about {minutes:.0f} more minutes would decide: --budget {results.seconds + 60 * minutes:.0f}")
    said += [
        f"{word}: {meaning}" for word, meaning in _WORDS.items() if any(one.word == word for one in results.judged)
    ]
    return tuple(said)


def revisions_text(results: RevisionResults) -> str:
    """Return the report of `results` in plain text."""
    table = [text_table(HEADINGS, rows(results), left=("verdict",)), ""] if results.judged else []
    reasons = [f"  {reason}" for reason in results.reasons]
    parts = [*table, *notes(results), "", f"{results.outcome}: {headline(results)}", *reasons]
    return plain_lines("\n".join(parts))


def revisions_markdown(results: RevisionResults) -> str:
    """Return the report of `results` in GitHub's Markdown, for job summaries and comments."""
    table = [markdown_table(HEADINGS, rows(results), left=("verdict",)), ""] if results.judged else []
    return "\n".join(
        (
            f"## {results.outcome}: {markdown_text(headline(results))}",
            "",
            *(f"- **{markdown_text(reason)}**" for reason in results.reasons),
            *([""] if results.reasons else []),
            *table,
            *(f"- {markdown_text(note)}" for note in notes(results)),
            "",
        )
    )


def bisected_text(found: Bisected, stats: Sequence[str]) -> str:
    """Return what a search for a commit `found`; `stats` are what git says that the commits changed, one text each."""
    between = f"between {found.good.short} and {found.bad.short}, by {counted(found.sets, 'set')} of fresh processes"
    lines = [f"passed over: {sha[:10]} ({why})" for sha, why in found.unusable.items()]
    if found.commits:
        names = ", ".join(f"{commit.short} {commit.subject}" for commit in found.commits)
        size = ""
        if found.factor is not None:
            size = f" {100 * (found.factor - 1):.1f} % slower"
            if found.interval is not None:
                low, high = (100 * (bound - 1) for bound in found.interval)
                size += f" ({low:.1f} .. {high:.1f})"
        one = "made it" if len(found.commits) == 1 else "cannot be told apart, one of them made it"
        return plain_lines("\n".join([*lines, f"{names} {one}{size}, {between}", "", *stats]))
    steps = [f"a step: {commit.short} {commit.subject}" for commit in found.steps]
    return plain_lines("\n".join([*lines, *steps, f"{found.reason}, {between}"]))
