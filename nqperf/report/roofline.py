"""How much of the device's matrix-product rate each row reaches: a roofline, from what the workers measured.

Rates are by the width of the type: for each, the most that any row of this run was seen to reach with a large product
alone. A row is held to the rate of the type that most of its products are in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nqperf.records.results import BASELINE, Results, VariantResult
from nqperf.report.lines import listed
from nqperf.report.times import baseline_seconds

# A row that reaches more of a rate than this says that the rate was taken while something else had the cores.
_MOST = 1.05
_WIDTHS = {"float32": "float32", "tf32": "TF32", "float16": "16 bits", "bfloat16": "16 bits", "int8": "8 bits"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """How much of the device's rate the rows reach; a GFLOP is a billion operations.

    Fields:
        window_gflops: The GFLOP of a window's matrix products.
        rates: The device's rate in GFLOP a second, by width ("float32", "16 bits", "8 bits").
        types: The type of the product that reached it, by width.
        rows: Each row's width, its own rate in GFLOP a second, and its share of the device's, by name.
        too_low: Widths whose rate was measured too low, since a row goes beyond it; no share of them is in `rows`.
    """

    window_gflops: float
    rates: Mapping[str, float]
    types: Mapping[str, str]
    rows: Mapping[str, tuple[str, float, float]]
    too_low: tuple[str, ...] = ()

    def label(self, width: str) -> str:
        """Return the `width`, with the type whose product reached its rate where it names none: "16 bits (float16)"."""
        name = self.types[width]
        return f"{width} ({name})" if width.endswith("bits") else width


def roofline(results: Results) -> Roofline | None:
    """Return the roofline of the run `results`, None where its workers measured no rate."""
    rates: dict[str, float] = {}
    types: dict[str, str] = {}
    for variant in results.variants:
        seen = variant.observed
        width, rate = _WIDTHS.get(str(seen.get("product_type"))), seen.get("product_gflops")
        # A type whose products are widened says nothing of that type.
        if width == _width(seen) and isinstance(rate, float) and rate > rates.get(width, 0.0):
            rates[width], types[width] = rate, str(seen.get("product_type"))
    windows = [one for variant in results.variants if isinstance(one := variant.observed.get("window_gflops"), float)]
    if not rates or not windows:
        return None
    rows = {}
    for variant in results.variants:
        width, reached = _width(variant.observed), _reached(results, variant)
        if reached is not None and width in rates:
            rows[variant.name] = width, reached, reached / rates[width]
    too_low = tuple(width for width in rates if any(row[0] == width and row[2] > _MOST for row in rows.values()))
    return Roofline(
        window_gflops=windows[0],
        rates=rates,
        types=types,
        rows={name: row for name, row in rows.items() if row[0] not in too_low},
        too_low=too_low,
    )


def roofline_text(results: Results) -> str | None:
    """Return the roofline of the run `results`, a line a row, None where there is none."""
    found = roofline(results)
    if found is None or not (found.rows or found.too_low):
        return None
    if not found.rows:
        return f"no share of the device's rate is told: {too_low_text(found)}"
    rates = ", ".join(f"{found.label(width)} {rate:.0f}" for width, rate in found.rates.items())
    rows = [f"{name} {share:.0%} of {width}" for name, (width, _, share) in found.rows.items()]
    if found.too_low:
        rows.append(f"no share where {too_low_text(found)}")
    of_what = f"{rates} GFLOP/s; {found.window_gflops:.2f} GFLOP a window"
    return listed(f"matrix products reach so much of what a large one alone reached at the most ({of_what})", rows)


def too_low_text(found: Roofline) -> str:
    """Return which rates of `found` were measured too low, and why."""
    rates = ", ".join(f"{width} ({found.rates[width]:.0f} GFLOP/s)" for width in found.too_low)
    return f"rows reach more than the rate that was measured for {rates}, as when the machine was busy then"


def _reached(results: Results, variant: VariantResult) -> float | None:
    """Return the billions of operations a second of a row's batches, None where it was not timed."""
    seconds = baseline_seconds(results, variant)
    ratio = variant.verdict.ratio if variant.verdict else 1.0 if variant.name == BASELINE else None
    gflops, rows = variant.observed.get("window_gflops"), variant.observed.get("batch_size")
    if seconds is None or ratio is None or not isinstance(gflops, float) or not isinstance(rows, int):
        return None
    return gflops * rows * ratio / seconds


def _width(seen: Mapping[str, Any]) -> str:
    """Return the width that most of a row's products are in."""
    matmuls, eight = seen.get("matmuls") or 0, seen.get("int8_matmuls") or 0
    if matmuls and eight * 2 >= matmuls:
        return "8 bits"
    if (seen.get("low_precision_matmul_share") or 0) * 2 >= 1:
        return "16 bits"
    # What may round its operands on such a GPU is held to the rate of products that do.
    return "TF32" if seen.get("product_type") == "tf32" else "float32"
