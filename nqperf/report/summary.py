"""What a benchmark run found, in words: the rows and lines that every form of the report shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nqperf.plain_text import counted
from nqperf.records.doubts import busy_text, untested
from nqperf.records.profiles import held_to
from nqperf.records.results import (
    BASELINE,
    GPU_FAULT,
    PLANTED,
    SAME,
    UNUSED_GPUS,
    Control,
    Results,
    VariantResult,
    Verdict,
)
from nqperf.report.columns import columns_text, usage_text
from nqperf.report.combinations import combinations_text
from nqperf.report.conclusion import judged_text, stands_in_table, unmeasured
from nqperf.report.longer import larger_budget, more_time
from nqperf.report.outcomes import is_control, outcome_word
from nqperf.report.roofline import roofline_text
from nqperf.report.seen import seen_text
from nqperf.report.tables import NONE, with_cells
from nqperf.report.thesis import thesis_text
from nqperf.report.times import baseline_seconds

# How the scores that have a shorter name are headed.
_METRIC_NAMES = {"all-answer-f1": "micro-F1"}
NO_INTERVAL = "one set, no interval"
# Ends so many times apart tell nothing.
_ROUGH = 100.0
_SHORT = 0.0002  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in words: `headline` and `reasons` say what it came to, `rows` go under `headings`.

    `floors` says what was judged against, `explanations` what the columns are, `notes` is all there is to say in text.
    Both may have a line a fact below their first, as `nqperf.report.lines` joins them.
    """

    headline: str
    reasons: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    floors: str
    explanations: str
    notes: tuple[str, ...]


def summarise(results: Results) -> Summary:
    """Return what `results` came to."""
    metric = _metric(results)
    score = "score" if metric is None else _METRIC_NAMES.get(metric, metric)
    columns = ("variant", "time", "change", score, "changed", "ratio", "interval", "in total", "sets", "floor", "finds")
    variants = (_row(variant, results, metric) for variant in results.variants if stands_in_table(variant))
    headings, rows = with_cells((*columns, "verdict"), (*variants, *_control_rows(results)))
    floors, explanations = _floor(results), columns_text(results, headings)
    judged = judged_text(results)
    return Summary(
        headline=f"{results.outcome}: {judged}",
        reasons=tuple(filter(None, (*(why for why in results.reasons if why not in judged), busy_text(results)))),
        headings=headings,
        rows=rows,
        floors=floors,
        explanations=explanations,
        notes=(
            f"work: {work_text(results)}",
            *_of_the_baseline(results),
            *_absences(results),
            *_given_up(results),
            floors,
            _same(results.controls.same),
            _planted(results.controls.planted),
            explanations,
            *filter(
                None,
                (
                    thesis_text(results),
                    combinations_text(results),
                    seen_text(results),
                    usage_text(results),
                    roofline_text(results),
                ),
            ),
            f"device: {results.fingerprint.device_key}",
            f"command: {results.command}",
        ),
    )


def _of_the_baseline(results: Results) -> Iterator[str]:
    """Yield a line on the row that the others are held to, and on GPUs that its engine does not see."""
    if (row := held_to(results.fingerprint.states)) != BASELINE:
        yield f"the baseline is the row {row}, in the place of TensorFlow's float32"
    if names := results.fingerprint.observed.get(UNUSED_GPUS):
        yield f"the driver lists {names}, and the baseline's engine sees none: all of this was computed on the CPU"
    if fault := results.fingerprint.observed.get(GPU_FAULT):
        yield f"NVIDIA's driver lists no GPU ({fault}): all of this was computed on the CPU"


def milliseconds(seconds: float) -> str:
    """Return the `seconds` of a round in words, in microseconds where tenths of a millisecond would hide it."""
    return f"{1000 * seconds:.1f} ms" if seconds >= _SHORT else f"{1e6 * seconds:.1f} us"


def outcome_of(variant: VariantResult) -> str:
    """Return the last word on `variant`: its verdict, else its status."""
    if variant.verdict is not None and variant.status == "measured":
        return variant.verdict.outcome
    return "baseline" if variant.name == BASELINE and variant.status == "measured" else variant.status


def describe(name: str, verdict: Verdict) -> str:
    """Return the `verdict` on the row called `name` in words."""
    floor = "no floor" if verdict.floor is None else f"floor {floor_text(verdict)}"
    if verdict.at_most:
        return f"{outcome_text(name, verdict)}: ratio below {verdict.ratio:.3f}, {floor}"
    inside = "without an interval" if verdict.interval is None else f"in {interval_text(verdict.interval)}"
    by_total = f", by total time ({verdict.total_ratio:.3f})" if verdict.by_total and verdict.total_ratio else ""
    sets = f"{counted(verdict.sets, 'set')} of processes, {counted(verdict.pairs, 'round')}"
    return f"{outcome_text(name, verdict)}: ratio {verdict.ratio:.3f} {inside} after {sets}, {floor}{by_total}"


def outcome_text(name: str, verdict: Verdict, results: Results | None = None) -> str:
    """Return the outcome of the `verdict` on the row called `name`, and how much longer an open row would take.

    `results` are those of the run, where the options that give the time are to be named.
    """
    if verdict.outcome != "INCONCLUSIVE" or verdict.more_seconds is None or is_control(name):
        return outcome_word(name, verdict.outcome, verdict.interval)
    return f"{verdict.outcome}, about {more_time(verdict.more_seconds)} more ({larger_budget(results, verdict)})"


def ratio_text(verdict: Verdict) -> str:
    """Return the ratio of a `verdict`, marked where it is only a bound, or that of a single set."""
    if verdict.at_most:
        return f"below {verdict.ratio:.3f}"
    return f"{verdict.ratio:.3f}{f' ({NO_INTERVAL})' if verdict.interval is None else ''}"


def floor_text(verdict: Verdict) -> str:
    """Return the floor of a `verdict` with its standard error."""
    if verdict.floor is None:
        return NONE
    return f"{verdict.floor:.3f}" if not verdict.floor_sd else f"{verdict.floor:.3f} +- {verdict.floor_sd:.1%}"


def interval_text(interval: tuple[float, float] | None) -> str:
    """Return `interval`, of ratios, in words; None is that of a single set of processes.

    Of two sets that scatter it may be "0.000 .. 1000000.000", which nobody reads as "nothing is known".
    """
    if interval is None:
        return NO_INTERVAL
    if interval[1] > _ROUGH * interval[0]:
        return "too rough to tell"
    return f"{interval[0]:.3f} .. {interval[1]:.3f}"


def work_text(results: Results) -> str:
    """Return what was run in `results`, on how much of what, in which sizes."""
    sizes = [counted(count, what.removesuffix("s")) for what, count in results.data.counts.items()]
    sizes += [f"{name} {size}" for name, size in results.workload.items()]
    return f"{results.model.name} on {results.data.name}{': ' if sizes else ''}{', '.join(sizes)}"


def absence(verdict: Verdict) -> str | None:
    """Return why `verdict` has no interval, None where it has one."""
    if verdict.interval is not None:
        return None
    if verdict.at_most:
        return "no interval: it was ended at its limit, and is slower than that"
    return f"no interval: {counted(verdict.sets, 'set')} of processes, and one takes 2 or more"


def _metric(results: Results) -> str | None:
    """Return the one score that all rows have, None where there is none or there are several."""
    names = {variant.agreement.metric for variant in results.variants if variant.agreement}
    return names.pop() if len(names) == 1 else None


def _row(variant: VariantResult, results: Results, metric: str | None) -> tuple[str, ...]:
    """Return the cells of a variant; time, change and ratio are one comparison, so that they cannot disagree."""
    verdict, agreement = variant.verdict, variant.agreement
    score = agreement.value if agreement else variant.metrics.get(metric or "")
    seconds = baseline_seconds(results, variant)
    ratio = verdict.ratio if verdict else 1.0 if variant.name == BASELINE else None
    return (
        variant.name,
        NONE if ratio is None or seconds is None else _time(seconds / ratio, verdict),
        NONE if verdict is None or verdict.at_most else f"{100 / verdict.ratio - 100:+.1f} %",
        NONE if score is None else f"{score:.4f}",
        NONE if agreement is None else f"{agreement.changed_text}{_known(variant, results)}",
        *_speed(verdict),
        outcome_of(variant)
        if verdict is None or variant.status != "measured"
        else outcome_text(variant.name, verdict, results),
    )


def _known(variant: VariantResult, results: Results) -> str:
    """Return what stands behind the count of changed answers of a variant where it decides nothing."""
    return ", not tested" if untested(results) else ", undecided" if variant.undecided else ""


def _control_rows(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the cells of the controls, which are rows like any other."""
    for name, control in ((SAME, results.controls.same), (PLANTED, results.controls.planted)):
        if control is not None:
            row = VariantResult(name=name, status="measured", samples=control.samples, verdict=control.verdict)
            yield _row(row, results, None)


def _time(seconds: float, verdict: Verdict | None) -> str:
    return f"> {milliseconds(seconds)}" if verdict and verdict.at_most else milliseconds(seconds)


def _speed(verdict: Verdict | None) -> tuple[str, ...]:
    """Return the cells of a verdict's figures."""
    if verdict is None:
        return (NONE,) * 6
    return (
        f"< {verdict.ratio:.3f}" if verdict.at_most else f"{verdict.ratio:.3f}",
        NONE if verdict.at_most else interval_text(verdict.interval),
        NONE if verdict.total_ratio is None else f"{verdict.total_ratio:.3f}",
        str(verdict.sets),
        floor_text(verdict),
        NONE if verdict.finds is None else f"{verdict.finds:.1%}",
    )


def _absences(results: Results) -> Iterator[str]:
    """Yield why a variant has no times, and why a ratio has no interval."""
    yield from unmeasured(results)
    for variant in results.variants:
        if variant.status == "measured" and variant.verdict is not None and variant.verdict.interval is None:
            yield f"{variant.name}: {absence(variant.verdict)}"
        if variant.note is not None:
            yield f"{variant.name}: {variant.note}"


def _given_up(results: Results) -> tuple[str, ...]:
    return tuple(f"LEFT OUT: {what}" for what in results.given_up)


def _floor(results: Results) -> str:
    """Return what the run was judged against."""
    if results.profile is not None:
        return f"floors: device profile {results.profile}"
    if any(variant.verdict and variant.verdict.floor for variant in results.variants) or results.expected:
        return "floors: as each comparison names them"
    return (
        f"REPORT ONLY: no device profile is for {results.fingerprint.device_key} and this workload, so nothing was "
        "promised and nothing was judged; `nqperf calibrate` proposes a profile"
    )


def _same(control: Control | None) -> str:
    rule = "fails on another speed that is beyond noise"
    return f"control, the baseline against itself ({rule}): {_control(SAME, control)}"


def _planted(control: Control | None) -> str:
    share = f" of {control.planted:.1%}" if control is not None and control.planted else ""
    return f"control, planted work{share} (must be found{planted_ratio(control)}): {_control(PLANTED, control)}"


def planted_ratio(control: Control | None) -> str:
    """Return which ratio a `control` with planted work must have, behind what is said of it; nothing without work."""
    return f", at a ratio of about {1 / (1 + control.planted):.3f}" if control is not None and control.planted else ""


def _control(name: str, control: Control | None) -> str:
    return "not measured" if control is None else describe(name, control.verdict)
