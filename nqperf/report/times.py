"""The times of a run that several views of it share."""

from __future__ import annotations

from statistics import median

from nqperf.records.results import BASELINE, Results, VariantResult


def row_seconds(results: Results, variant: VariantResult) -> list[float]:
    """Return every time of a batch of `variant` in the run `results`; the baseline's are those of all pairs.

    Units: seconds.
    """
    if variant.name != BASELINE:
        return [one for sample in variant.samples for one in sample.variant_seconds]
    return [one for taken in results.sets for pair in taken.baseline_seconds for one in pair]


def baseline_seconds(results: Results, variant: VariantResult) -> float | None:
    """Return what a batch took the baseline of `variant`: the median, None where there are no times.

    It is of every batch of the run `results`, so that rows compare; in a record of comparisons that share no baseline,
    of its own pairs.
    """
    baseline = results.variant(BASELINE)
    if baseline is not None and (shared := row_seconds(results, baseline)):
        return median(shared)
    samples = [*variant.samples]
    if results.variant(BASELINE) is not None:
        samples = [sample for one in results.variants for sample in one.samples]
        if results.controls.same is not None:
            samples += results.controls.same.samples
    seconds = [one for sample in samples for one in sample.baseline_seconds]
    return median(seconds) if seconds else None
