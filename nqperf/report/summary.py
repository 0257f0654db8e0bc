"""What a benchmark run found, in words: the rows and lines that every form of the report shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nqperf.records.results import BASELINE, UNUSED_GPUS, Control, Results, Usage, VariantResult, Verdict
from nqperf.report.roofline import roofline_text
from nqperf.report.times import baseline_seconds
from nqperf.statistics import signed_rank

# How the scores that have a shorter name are headed.
_METRIC_NAMES = {"all-answer-f1": "micro-F1"}
NONE = "-"
NO_INTERVAL = "too few pairs"
_SHORT = 0.0002  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in words: `headline` and `reasons` say what it came to, `rows` go under `headings`.

    `floors` says what was judged against, `explanations` what the columns are, `notes` is all there is to say in text.
    """

    headline: str
    reasons: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    floors: str
    explanations: tuple[str, ...]
    notes: tuple[str, ...]


def summarise(results: Results) -> Summary:
    """Return what `results` came to."""
    metric = _metric(results)
    score = "score" if metric is None else _METRIC_NAMES.get(metric, metric)
    floors, explanations = _floor(results), (_columns(results), *_passes(results))
    return Summary(
        headline=_headline(results),
        reasons=results.reasons,
        headings=("variant", "time", "change", score, "changed", "ratio", "interval", "pairs", "floor", "verdict"),
        rows=tuple(_row(variant, results, metric) for variant in results.variants),
        floors=floors,
        explanations=explanations,
        notes=(
            f"work: {work_text(results)}",
            *_unused_gpus(results),
            *_absences(results),
            *_given_up(results),
            floors,
            f"control, baseline against itself (must not FAIL): {_control(results.controls.same)}",
            f"control, planted slowdown (must FAIL): {_control(results.controls.planted)}",
            *explanations,
            *_usages(results),
            *filter(None, (roofline_text(results),)),
            f"device: {results.fingerprint.device_key}",
            f"command: {results.command}",
        ),
    )


def _unused_gpus(results: Results) -> Iterator[str]:
    """Yield a line on GPUs that the driver lists and the baseline's engine does not see."""
    if names := results.fingerprint.observed.get(UNUSED_GPUS):
        yield f"the driver lists {names}, and the baseline's engine sees none: all of this was computed on the CPU"


def milliseconds(seconds: float) -> str:
    """Return the time of a round in words, in microseconds where tenths of a millisecond would hide it."""
    return f"{1000 * seconds:.1f} ms" if seconds >= _SHORT else f"{1e6 * seconds:.1f} us"


def outcome_of(variant: VariantResult) -> str:
    """Return the last word on one variant: its verdict, else its status."""
    if variant.verdict is not None:
        return variant.verdict.outcome
    return "baseline" if variant.name == BASELINE and variant.status == "measured" else variant.status


def describe(verdict: Verdict) -> str:
    """Return a verdict in words."""
    floor = "no floor" if verdict.floor is None else f"floor {verdict.floor:.2f}"
    inside = "without an interval" if verdict.interval is None else f"in {interval_text(verdict.interval)}"
    text = f"{verdict.outcome}: ratio {verdict.ratio:.3f} {inside} after {counted(verdict.pairs, 'pair')}, {floor}"
    return f"{text}, in {verdict.processes} sets of processes" if verdict.processes > 1 else text


def counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def interval_text(interval: tuple[float, float] | None) -> str:
    """Return an interval of ratios in words; None is that of too few pairs."""
    return NO_INTERVAL if interval is None else f"{interval[0]:.3f} .. {interval[1]:.3f}"


def judged_text(results: Results) -> str:
    """Return how much of a run was judged."""
    if not results.expected and not results.judged:
        return "nothing was promised, so nothing was judged"
    return f"judged {results.judged} of {results.expected} expected comparisons"


def work_text(results: Results) -> str:
    """Return what was run, on how much of what, in which sizes."""
    sizes = [f"{count} {what}" for what, count in results.data.counts.items()]
    sizes += [f"{name} {size}" for name, size in results.workload.items()]
    return f"{results.model.name} on {results.data.name}{': ' if sizes else ''}{', '.join(sizes)}"


def absence(verdict: Verdict) -> str | None:
    """Return why a verdict has no interval, None where it has one."""
    if verdict.interval is not None:
        return None
    fewest = signed_rank.fewest_pairs((1 - verdict.confidence) / 2)
    return f"no interval: {counted(verdict.pairs, 'pair')}, and one takes {fewest} or more"


def _headline(results: Results) -> str:
    return f"{results.outcome}: {judged_text(results)}"


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
        NONE if ratio is None or seconds is None else milliseconds(seconds / ratio),
        NONE if verdict is None else f"{100 / verdict.ratio - 100:+.1f} %",
        NONE if score is None else f"{score:.4f}",
        NONE if agreement is None else f"{agreement.changed} of {agreement.compared}",
        NONE if verdict is None else f"{verdict.ratio:.3f}",
        NONE if verdict is None else interval_text(verdict.interval),
        NONE if verdict is None else str(verdict.pairs),
        NONE if verdict is None or verdict.floor is None else f"{verdict.floor:.2f}",
        outcome_of(variant),
    )


def _absences(results: Results) -> Iterator[str]:
    """Yield why a variant has no times, and why a ratio has no interval."""
    for variant in results.variants:
        if variant.status != "measured":
            yield f"{variant.name} {variant.status}: {variant.reason}"
        elif variant.verdict is not None and variant.verdict.interval is None:
            yield f"{variant.name}: {absence(variant.verdict)}"


def _given_up(results: Results) -> tuple[str, ...]:
    return tuple(f"GIVEN UP for time: {what}" for what in results.given_up)


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


def _columns(results: Results) -> str:
    confidences = {variant.verdict.confidence for variant in results.variants if variant.verdict}
    held = f" (holds it with {min(confidences):.2%} probability)" if confidences else ""
    return (
        f"ratio: baseline seconds / variant seconds, median of the pairs, and its interval{held}; time: of one "
        "round's work, the baseline's median over all its pairs, and that / ratio; change: of this time; changed: "
        "results that differ from the baseline's"
    )


def _passes(results: Results) -> tuple[str, ...]:
    """Return the seconds that each variant's answers took: made once, minutes apart, they are no comparison."""
    passes = [
        f"{variant.name} {variant.predict_seconds:.2f} s"
        for variant in results.variants
        if variant.predict_seconds is not None
    ]
    if not passes:
        return ()
    return (f"one pass over all features, once each and minutes apart, so not compared: {', '.join(passes)}",)


def _usages(results: Results) -> tuple[str, ...]:
    """Return what each variant took of the system beside its time."""
    used = [_usage(variant.name, variant.usage) for variant in results.variants if variant.usage is not None]
    if not used:
        return ()
    return (f"page faults of a batch (major ones apart), the system's CPU time, peak memory: {'; '.join(used)}",)


def _usage(name: str, usage: Usage) -> str:
    major = f" + {usage.major_faults:.1f}" if usage.major_faults else ""
    peak = "" if usage.peak_memory is None else f", {usage.peak_memory / (1 << 30):.2f} GiB"
    return f"{name} {usage.minor_faults:.0f}{major}, {usage.system_share:.0%}{peak}"


def _control(control: Control | None) -> str:
    return "not measured" if control is None else describe(control.verdict)
