"""What a row that combines others adds to each of them: which of its parts its speed comes with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nqperf.engines.state import flat
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Variant
from nqperf.records.apart import Beside, beside
from nqperf.records.results import BASELINE, Results
from nqperf.report.lines import listed

COMBINED = "combinations, and how many times as fast they were measured as each of their parts that ran alone"


def combinations_text(results: Results) -> str | None:
    """Return how fast each combination of `results` is beside its parts, a line each; None where none was measured."""
    known = combinations(results)
    return listed(COMBINED, (f"{name}: {told}" for name, told in known.items())) if known else None


def combinations(results: Results) -> dict[str, str]:
    """Return in words how fast each row of `results` is beside the rows that set a part of what it sets, by row.

    Of parts that contain each other only the largest are named. Each ratio has the interval of `records.apart`.
    """
    ratios = {
        row.name: row.verdict.ratio
        for row in results.variants
        if row.name in VARIANTS and row.name != BASELINE and row.verdict is not None and not row.verdict.at_most
    }
    told = {}
    for name, ratio in ratios.items():
        parts = list(_parts(name, ratios))
        if parts:
            known = beside(results, name)
            said = [_beside_part(part, known[part]) for part in parts]
            told[name] = f"{ratio:.2f} times the baseline, {', '.join(said)}"
    return told


def switches(name: str) -> int | None:
    """Return how many switches the row `name` of the table sets, None for a row that is not there."""
    return len(_sets(VARIANTS[name])) if name in VARIANTS else None


def _beside_part(part: str, found: Beside) -> str:
    interval = "no interval" if found.interval is None else f"{found.interval[0]:.3f} .. {found.interval[1]:.3f}"
    return f"{found.ratio:.2f} times {part} ({interval}{': told apart' if found.told_apart else ': not told apart'})"


def _parts(name: str, measured: Mapping[str, float]) -> Iterator[str]:
    """Yield the largest rows of those `measured` that set a part of what the row `name` sets."""
    whole = _sets(VARIANTS[name])
    parts = {other: sets for other in measured if (sets := _sets(VARIANTS[other])) < whole}
    for other, sets in parts.items():
        if not any(sets < larger for larger in parts.values()):
            yield other


def _sets(variant: Variant) -> set[tuple[str, object]]:
    return {("engine", variant.engine), *variant.environment.items(), *flat(variant.settings).items()}
