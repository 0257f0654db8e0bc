"""What a run's columns are, and what each row took beside its time."""

from __future__ import annotations

from collections.abc import Sequence

from nqperf.records.results import Results, Usage
from nqperf.report.lines import listed


def columns_text(results: Results, headings: Sequence[str]) -> str:
    """Return what the columns of the table of `results` are, those of `headings`."""
    return listed("the columns", (f"{name}: {text}" for name, text in _columns(results).items() if name in headings))


def _columns(results: Results) -> dict[str, str]:
    confidences = {variant.verdict.confidence for variant in results.variants if variant.verdict}
    held = f", which holds it with {min(confidences):.2%} probability" if confidences else ""
    both = "" if results.controls.same is None else "; the baseline is the mean of its two processes"
    return {
        "ratio": f"baseline seconds / variant seconds, the mean of the sets' locations, and its interval{held}{both}",
        "in total": "the same of total times",
        "time": f"of one batch: the median of the baseline's, over the ratio{_turns(results)}",
        "change": "of this time",
        "changed": "results that differ from the baseline's",
        "finds": "the slowdown against the floor that these sets find in 4 of 5 runs",
    }


def _turns(results: Results) -> str:
    """Return over how many batches or runs a round times each row, where they are several: one is over too soon."""
    counts = sorted({one.batches for one in results.sets} - {1})
    if not counts:
        return ""
    size = results.workload.get("batch_size")
    what = "runs" if size is None else f"batches of {size}"  # a builder's work has no batches
    return f"; a round times each row over {' or '.join(map(str, counts))} {what}, for one is over too soon"


def usage_text(results: Results) -> str | None:
    """Return what each variant of `results` took of the system beside its time, None where nothing is known."""
    what = "page faults of a batch (major ones apart), the system's CPU time, peak memory"
    used = [_usage(variant.name, variant.usage) for variant in results.variants if variant.usage is not None]
    return listed(what, used) if used else None


def _usage(name: str, usage: Usage) -> str:
    major = f" + {usage.major_faults:.1f}" if usage.major_faults else ""
    peak = "" if usage.peak_memory is None else f", {usage.peak_memory / (1 << 30):.2f} GiB"
    gpu = "" if usage.gpu_peak_memory is None else f", {usage.gpu_peak_memory / (1 << 30):.2f} GiB of the GPU"
    return f"{name} {usage.minor_faults:.0f}{major}, {usage.system_share:.0%}{peak}{gpu}"
