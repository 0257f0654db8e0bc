"""What the rows of the thesis's Table 5 came to there, beside what they came to in a run."""

from __future__ import annotations

from nqperf.perf.variants.table import VARIANTS
from nqperf.records.profiles import held_to
from nqperf.records.results import BASELINE, OWN_MODEL, Results
from nqperf.report.lines import listed

THESIS = "rows of the thesis's Table 5, which is of BERT-large on a V100 (the page docs/thesis.md says what differs)"
# One row alone is no table of the thesis.
_FEWEST = 2


def thesis_text(results: Results) -> str | None:
    """Return the ratios of `results` beside those of the thesis, a line a row; None where there are none to show."""
    known = thesis_ratios(results)
    return listed(THESIS, (f"{name}: {told}" for name, told in known.items())) if known else None


def thesis_ratios(results: Results) -> dict[str, str]:
    """Return the ratio of each row of `results` that is one of the thesis's, here and there, with its name there.

    Empty where fewer than two such rows were measured, of a user's own model, and where the baseline is another one.
    """
    if OWN_MODEL in results.workload or held_to(results.fingerprint.states) != BASELINE:
        return {}
    known = {
        row.name: f"{row.verdict.ratio:.2f} here, {ratio:.2f} on the thesis's V100 ({VARIANTS[row.name].thesis})"
        for row in results.variants
        if row.verdict and not row.verdict.at_most and (ratio := _ratio(row.name)) is not None
    }
    return known if len(known) >= _FEWEST else {}


def _ratio(name: str) -> float | None:
    return VARIANTS[name].thesis_ratio if name in VARIANTS else None
