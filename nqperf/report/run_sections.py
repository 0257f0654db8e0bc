"""A run as the sections of an HTML page: ratios, table, rounds, changed answers, what is missing, the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from markupsafe import Markup

from nqperf.plain_text import counted
from nqperf.records.results import BASELINE, OWN_MODEL, PLANTED, SAME, Control, Pairs, Results, Verdict
from nqperf.report import page as html
from nqperf.report.answers_section import answers_section
from nqperf.report.charts import Mark, Scale, ratio_axis, ratio_line, rounds
from nqperf.report.combinations import COMBINED, combinations
from nqperf.report.headline import by_speed
from nqperf.report.lines import in_one_line
from nqperf.report.outcomes import outcome_word
from nqperf.report.roofline_section import roofline_section
from nqperf.report.summary import (
    absence,
    describe,
    interval_text,
    milliseconds,
    outcome_of,
    planted_ratio,
    summarise,
    work_text,
)
from nqperf.report.tables import NONE
from nqperf.report.thesis import THESIS, thesis_ratios
from nqperf.report.times import row_seconds
from nqperf.report.variants_section import variants_section

LEGEND = (
    "Ratio: baseline seconds / variant seconds; right of the broken line at 1 is faster. The dot is the mean of the "
    "sets of processes, the thick line its interval, the upright bar the floor, which is the promised ratio. An open "
    "dot has no interval: it comes from a single set, or its row was ended at a limit."
)
OF_NQPERF = (
    "The ratios are of nqperf's network with this model's weights, on this machine. Other code with the same weights "
    "may rank the rows otherwise: nqperf bench mymodel:build runs yours."
)
_CONTROLS = {SAME: "control: baseline against itself", PLANTED: "control: planted slowdown"}


def run_sections(results: Results, level: int = 2) -> Iterator[Markup]:
    """Yield the sections of the run `results`, with headings of `level`."""
    summary, marks = summarise(results), dict(_marks(results))
    yield html.paragraph(summary.floors, kind="")
    if marks:
        yield html.title(level, "Speed")
        yield html.paragraph(LEGEND)
        if expected := planted_ratio(results.controls.planted):
            yield html.paragraph(f"The planted slowdown must be found{expected}.")
        if OWN_MODEL not in results.workload and results.variant(BASELINE) is not None:
            yield html.paragraph(OF_NQPERF)
        yield ratio_rows([(name, mark, said) for name, (mark, said) in marks.items()])
    yield html.title(level, "Table")
    headings, rows = _verdict_first(summary.headings, _by_speed(results, summary.rows))
    yield html.html_table(
        "The baseline, then each variant, the fastest first", headings, rows, left=("verdict",), lines=("verdict",)
    )
    yield html.paragraph(in_one_line(summary.explanations))
    for what, known in ((THESIS, thesis_ratios(results)), (COMBINED, combinations(results))):
        if known:
            yield html.paragraph(f"{what[0].upper()}{what[1:]}:")
            yield html.facts(known)
    yield from _notes(results)
    yield from variants_section(results, level)
    yield from _times(results, level)
    yield from _rounds(results, level)
    yield from answers_section(results, level)
    yield from _memory(results, level)
    yield from roofline_section(results, level)
    yield from _missing(results, level)
    yield html.title(level, "Machine and run")
    yield html.facts(_facts(results))


def ratio_rows(rows: Sequence[tuple[str, Mark, Markup]]) -> Markup:
    """Return a plot of ratios under each other on one axis; `rows` are name, ratio and what is said of it."""
    scale = Scale.around([1.0, *(end for _, mark, _ in rows for end in mark.ends)])
    return html.ratio_plot([(name, ratio_line(mark, scale), said) for name, mark, said in rows], ratio_axis(scale))


def verdict_mark(name: str, verdict: Verdict) -> Mark:
    """Return a `verdict` on the row `name` as it is drawn."""
    return Mark(
        ratio=verdict.ratio,
        interval=verdict.interval,
        floor=verdict.floor,
        title=f"{_label(name)}: {describe(name, verdict)}",
    )


def _marks(results: Results) -> Iterator[tuple[str, tuple[Mark, Markup]]]:
    named = [(variant.name, variant.verdict) for variant in by_speed(results)]
    named += [(name, control.verdict) for name, control in _controls(results)]
    for name, verdict in named:
        if verdict is not None:
            ratio = f"{'below ' if verdict.at_most else ''}{verdict.ratio:.3f}"
            word = outcome_word(name, verdict.outcome, verdict.interval)
            said = html.said(ratio, interval_text(verdict.interval), word)
            yield _label(name), (verdict_mark(name, verdict), said)


def _label(name: str) -> str:
    return _CONTROLS.get(name, name)


def _by_speed(results: Results, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the table's rows, the fastest variant first; the controls stay last."""
    named = {row[0]: row for row in rows}
    variants = [named[variant.name] for variant in by_speed(results) if variant.name in named]
    return [*variants, *(row for row in rows if row not in variants)]


def _verdict_first(
    headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return a table whose verdicts stand beside the names, where narrow screens show them."""
    return tuple(_turned(headings)), [tuple(_turned(row)) for row in rows]


def _turned(cells: tuple[str, ...]) -> tuple[str, ...]:
    return (cells[0], cells[-1], *cells[1:-1])


def _times(results: Results, level: int) -> Iterator[Markup]:
    """Yield how the times of a batch are spread, and how much is done in a second."""
    timed = [(row.name, row_seconds(results, row)) for row in by_speed(results)]
    rows = [(name, *_spread(seconds), *_rates(results, seconds)) for name, seconds in timed if seconds]
    if rows:
        yield html.title(level, "Times of a batch")
        headings = ("variant", "median", "90 %", "99 %", "longest", *_rate_names(results))
        yield html.html_table("All rounds of all sets; what is done in a second, at the median", headings, rows)


def _spread(seconds: Sequence[float]) -> tuple[str, ...]:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return (milliseconds(median(ordered)), *(milliseconds(ordered[round(share * last)]) for share in (0.9, 0.99, 1)))


def _rate_names(results: Results) -> tuple[str, ...]:
    return tuple(f"{name}/s" for name in _per_batch(results))


def _rates(results: Results, seconds: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{count / median(seconds):.1f}" for count in _per_batch(results).values())


def _per_batch(results: Results) -> dict[str, float]:
    """Return how many of what a batch holds."""
    size, counts = results.workload.get("batch_size"), results.data.counts
    if not isinstance(size, int):
        return {}
    if counts.get("features") and "examples" in counts:
        return {"windows": size, "examples": size * counts["examples"] / counts["features"]}
    return {"rows": size} if "rows" in counts else {}


def _controls(results: Results) -> list[tuple[str, Control]]:
    both = {SAME: results.controls.same, PLANTED: results.controls.planted}
    return [(name, control) for name, control in both.items() if control is not None]


def _rounds(results: Results, level: int) -> Iterator[Markup]:
    """Yield each variant's pairs in the order of the rounds, and the controls'."""
    shown = [(one.name, one.samples, one.verdict) for one in results.variants if one.verdict and one.samples]
    shown += [(name, control.samples, control.verdict) for name, control in _controls(results)]
    if not shown:
        return
    yield html.title(level, "Rounds")
    yield html.paragraph(
        "Each dot is the ratio of one round, in the order in which they were taken; an upright broken line stands "
        "between two sets of fresh processes. Line and band: the ratio and its interval, of all sets; thick line: the "
        "floor."
    )
    drawn = [(_label(name), _chart(name, samples, verdict)) for name, samples, verdict in shown if verdict is not None]
    yield html.charts(level + 1, drawn)


def _chart(name: str, samples: Sequence[Pairs], verdict: Verdict) -> Markup:
    sets = [pair_ratios(pairs) for pairs in samples]
    under = f"{counted(sum(map(len, sets)), 'round')} in {counted(len(sets), 'set')} of processes"
    missing = absence(verdict)
    return rounds(sets, verdict_mark(name, verdict)) + html.paragraph(f"{under}{f'; {missing}' if missing else ''}")


def pair_ratios(pairs: Pairs) -> list[float]:
    """Return the ratio of each of the `pairs`: baseline seconds / variant seconds."""
    both = zip(pairs.baseline_seconds, pairs.variant_seconds, strict=True)
    return [baseline / variant for baseline, variant in both]


def _memory(results: Results, level: int) -> Iterator[Markup]:
    """Yield what each variant took of the system beside its time."""
    used = [(variant.name, variant.usage) for variant in results.variants if variant.usage is not None]
    if not used:
        return
    peaks = {name: usage.peak_memory for name, usage in used if usage.peak_memory}
    yield html.title(level, "Memory")
    headings = ("variant", "peak memory", "of the baseline's", "minor faults", "major faults", "user", "system")
    on_gpu = any(usage.gpu_peak_memory is not None for _, usage in used)
    yield html.html_table(
        "The most memory held; page faults and CPU time of a batch",
        (*headings, *(("peak on the GPU",) if on_gpu else ())),
        [
            (
                name,
                _gib(peaks.get(name)),
                NONE if name not in peaks or BASELINE not in peaks else f"{peaks[name] / peaks[BASELINE]:.0%}",
                f"{usage.minor_faults:.0f}",
                f"{usage.major_faults:.1f}",
                f"{usage.user_seconds:.3f} s",
                f"{usage.system_seconds:.3f} s ({usage.system_share:.0%})",
                *((_gib(usage.gpu_peak_memory),) if on_gpu else ()),
            )
            for name, usage in used
        ],
    )


def _gib(size: int | None) -> str:
    return NONE if size is None else f"{size / (1 << 30):.2f} GiB"


def _notes(results: Results) -> Iterator[Markup]:
    """Yield what else is to be said of rows."""
    for one in results.variants:
        if one.note is not None:
            yield html.paragraph(f"{one.name}: {one.note}.", kind="")


def _missing(results: Results, level: int) -> Iterator[Markup]:
    """Yield what has no times, and why."""
    rows = [(one.name, outcome_of(one), one.reason or "") for one in results.variants if one.status != "measured"]
    if rows or results.given_up:
        yield html.title(level, "Not measured")
    if results.given_up:
        yield html.paragraph(f"Left out: {'; '.join(results.given_up)}.", kind="")
    if rows:
        headings = ("variant", "status", "why")
        yield html.html_table(
            "Variants without times, and the reason", headings, rows, left=headings[1:], lines=("why",)
        )


def _facts(results: Results) -> dict[str, str]:
    """Return what the times belong to, leaving out what could not be found out."""
    machine = results.fingerprint
    known = {
        "device": machine.device_key,
        "processor": f"{machine.cpu_model}, {counted(machine.cores, 'core')}, {machine.machine}, {machine.system}",
        "driver": machine.driver,
        "CUDA": machine.cuda,
        "TF32": {True: "on", False: "off", None: None}[machine.tf32],
        "threads": _threads(results),
        "versions": ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        "by default": ", ".join(f"{name} {state}" for name, state in machine.states.items()),
        "observed": ", ".join(f"{name} {state}" for name, state in machine.observed.items() if name != "commit"),
        "work": work_text(results),
        "model": results.model.sha256 and f"{results.model.name}, SHA-256 {results.model.sha256}",
        "data": results.data.sha256 and f"{results.data.name}, SHA-256 {results.data.sha256}",
        "floors": "none: no device profile is for this" if results.profile is None else f"profile {results.profile}",
        "made": results.created,
        "commit": machine.observed.get("commit"),
        "command": results.command,
    }
    return {name: text for name, text in known.items() if text}


def _threads(results: Results) -> str | None:
    inside, between = results.fingerprint.intra_op_threads, results.fingerprint.inter_op_threads
    if inside is None:
        return None
    # 0 is how TensorFlow is told to choose for itself.
    return f"{inside or 'as many as it likes'} in an operation, {between or 'as many as it likes'} between operations"
