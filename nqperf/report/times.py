"""The times of a run that several views of it share."""

from __future__ import annotations

from statistics import median

from nqperf.records.results import BASELINE, Results, VariantResult


def baseline_seconds(results: Results, variant: VariantResult) -> float | None:
    """Return what a round took the baseline of `variant`: the median of its pairs, None where there are none.

    It is of all pairs of the run `results`, so that rows compare; in a record of comparisons that share no baseline, of
    its own.
    """
    samples = [*variant.samples]
    if results.variant(BASELINE) is not None:
        samples = [sample for one in results.variants for sample in one.samples]
        if results.controls.same is not None:
            samples += results.controls.same.samples
    seconds = [one for sample in samples for one in sample.baseline_seconds]
    return median(seconds) if seconds else None
