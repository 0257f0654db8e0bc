"""What a benchmark run found, in words: the rows and lines that every form of the report shows."""

from __future__ import annotations

from dataclasses import dataclass

from nqperf.formats.results.results_json import BASELINE, Control, Results, VariantResult, Verdict

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
    baseline = results.variant(BASELINE)
    baseline_seconds = baseline.predict_seconds if baseline else None
    return Summary(
        headline=_headline(results),
        reasons=results.reasons,
        rows=tuple(_row(variant, baseline_seconds) for variant in results.variants),
        notes=(*_absences(results), *_explanations(results)),
    )


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
    what = f"{model.name} on {data.name}: {data.features} features of {data.examples} examples, batch {data.batch_size}"
    counts = f"judged {results.judged} of {results.expected} expected comparisons"
    return f"{results.outcome}: {counts} ({what} x {data.max_seq_length})"


def _row(variant: VariantResult, baseline_seconds: float | None) -> tuple[str, ...]:
    verdict, parity = variant.verdict, variant.parity
    micro_f1 = parity.micro_f1 if parity else variant.metrics.get(MICRO_F1)
    return (
        variant.name,
        NONE if variant.predict_seconds is None else f"{variant.predict_seconds:.2f} s",
        _change(variant, baseline_seconds),
        NONE if micro_f1 is None else f"{micro_f1:.4f}",
        NONE if parity is None else f"{parity.changed_predictions} of {parity.predictions}",
        NONE if verdict is None else f"{verdict.ratio:.3f}",
        NONE if verdict is None else _interval(verdict),
        NONE if verdict is None else str(verdict.pairs),
        NONE if verdict is None or verdict.floor is None else f"{verdict.floor:.2f}",
        outcome_of(variant),
    )


def _change(variant: VariantResult, baseline_seconds: float | None) -> str:
    """Return the change of the time of one batch: of the pairs where there are some, else of the one whole pass."""
    if variant.name == BASELINE or variant.status != "measured":
        return NONE  # wrong answers have no speed
    if variant.verdict is not None:
        return f"{100 / variant.verdict.ratio - 100:+.1f} %"
    if variant.predict_seconds is None or baseline_seconds is None:
        return NONE
    return f"{100 * variant.predict_seconds / baseline_seconds - 100:+.1f} %"


def _interval(verdict: Verdict) -> str:
    return NONE if verdict.interval is None else f"{verdict.interval[0]:.3f} .. {verdict.interval[1]:.3f}"


def _absences(results: Results) -> tuple[str, ...]:
    return tuple(
        f"{variant.name} {variant.status}: {variant.reason}"
        for variant in results.variants
        if variant.status != "measured"
    )


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
            f"ratio: baseline seconds / variant seconds, median of the pairs, and its interval{held}; change: of the "
            "time, from the same pairs; time: one pass over all features; changed: predictions that differ from the "
            "baseline's"
        ),
        f"device: {results.fingerprint.device_key}",
        f"command: {results.command}",
    )


def _control(control: Control | None) -> str:
    return "not measured" if control is None else describe(control.verdict)
