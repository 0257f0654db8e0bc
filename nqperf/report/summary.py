"""What a benchmark run found, in words: the rows and lines that every form of the report shows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from nqperf.gate.records import BASELINE, Control, Results, Usage, VariantResult, Verdict

HEADINGS = (
    "variant",
    "time",
    "change",
    "micro-F1",
    "changed",
    "ratio",
    "interval",
    "pairs",
    "floor",
    "verdict",
)
MICRO_F1 = "all-answer-f1"
NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in words: `headline` and `reasons` say what it came to, `rows` go under HEADINGS, `notes` explain them."""

    headline: str
    reasons: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def summarise(results: Results) -> Summary:
    """Return what `results` came to."""
    baseline_seconds = batch_seconds(results)
    return Summary(
        headline=_headline(results),
        reasons=results.reasons,
        rows=tuple(_row(variant, baseline_seconds) for variant in results.variants),
        notes=(*_absences(results), *_given_up(results), *_explanations(results)),
    )


def batch_seconds(results: Results) -> float | None:
    """Return what a batch took the baseline: the median of all pairs of the run, None where there are none."""
    samples = [sample for variant in results.variants for sample in variant.samples]
    if results.controls.same is not None:
        samples += results.controls.same.samples
    seconds = [one for sample in samples for one in sample.baseline_seconds]
    return median(seconds) if seconds else None


def milliseconds(seconds: float) -> str:
    """Return the time of a batch in words."""
    return f"{1000 * seconds:.1f} ms"


def outcome_of(variant: VariantResult) -> str:
    """Return the last word on one variant: its verdict, else its status."""
    if variant.verdict is not None:
        return variant.verdict.outcome
    return "yardstick" if variant.name == BASELINE and variant.status == "measured" else variant.status


def describe(verdict: Verdict) -> str:
    """Return a verdict in words."""
    interval = _interval(verdict)
    floor = "no floor" if verdict.floor is None else f"floor {verdict.floor:.2f}"
    text = f"{verdict.outcome}: ratio {verdict.ratio:.3f} {'' if interval == NONE else f'in {interval} '}"
    text += f"after {verdict.pairs} pairs, {floor}"
    return f"{text}, in {verdict.processes} sets of processes" if verdict.processes > 1 else text


def _headline(results: Results) -> str:
    data, model = results.data, results.model
    sizes = results.workload
    counted = f"{data.counts['features']} features of {data.counts['examples']} examples"
    what = f"{model.name} on {data.name}: {counted}, batch {sizes['batch_size']}"
    counts = f"judged {results.judged} of {results.expected} expected comparisons"
    return f"{results.outcome}: {counts} ({what} x {sizes['max_seq_length']})"


def _row(variant: VariantResult, baseline_seconds: float | None) -> tuple[str, ...]:
    """Return the cells under HEADINGS; time, change and ratio are one comparison, so that they cannot disagree."""
    verdict, agreement = variant.verdict, variant.agreement
    micro_f1 = agreement.value if agreement else variant.metrics.get(MICRO_F1)
    ratio = verdict.ratio if verdict else 1.0 if variant.name == BASELINE else None
    return (
        variant.name,
        NONE if ratio is None or baseline_seconds is None else milliseconds(baseline_seconds / ratio),
        NONE if verdict is None else f"{100 / verdict.ratio - 100:+.1f} %",
        NONE if micro_f1 is None else f"{micro_f1:.4f}",
        NONE if agreement is None else f"{agreement.changed} of {agreement.compared}",
        NONE if verdict is None else f"{verdict.ratio:.3f}",
        NONE if verdict is None else _interval(verdict),
        NONE if verdict is None else str(verdict.pairs),
        NONE if verdict is None or verdict.floor is None else f"{verdict.floor:.2f}",
        outcome_of(variant),
    )


def _interval(verdict: Verdict) -> str:
    return NONE if verdict.interval is None else f"{verdict.interval[0]:.3f} .. {verdict.interval[1]:.3f}"


def _absences(results: Results) -> tuple[str, ...]:
    return tuple(
        f"{variant.name} {variant.status}: {variant.reason}"
        for variant in results.variants
        if variant.status != "measured"
    )


def _given_up(results: Results) -> tuple[str, ...]:
    return tuple(f"GIVEN UP for time: {what}" for what in results.given_up)


def _explanations(results: Results) -> tuple[str, ...]:
    confidences = {variant.verdict.confidence for variant in results.variants if variant.verdict}
    held = f" (holds it with {min(confidences):.2%} probability)" if confidences else ""
    if results.profile is None:
        promise = (
            f"REPORT ONLY: no device profile is for {results.fingerprint.device_key} and this workload, so nothing was "
            "promised and nothing was judged; `nqperf calibrate` proposes a profile"
        )
    else:
        promise = f"floors: device profile {results.profile}"
    return (
        promise,
        f"control, baseline against itself (must not FAIL): {_control(results.controls.same)}",
        f"control, planted slowdown (must FAIL): {_control(results.controls.planted)}",
        (
            f"ratio: baseline seconds / variant seconds, median of the pairs, and its interval{held}; time: of one "
            "batch, the baseline's median over all pairs, and that / ratio; change: of this time; changed: predictions "
            "that differ from the baseline's"
        ),
        *_passes(results),
        *_usages(results),
        f"device: {results.fingerprint.device_key}",
        f"command: {results.command}",
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
