"""The report page's section on how much of the device's matrix-product rate each row reaches."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from nqperf.records.results import Results
from nqperf.report import page as html
from nqperf.report.roofline import roofline, too_low_text


def roofline_section(results: Results, level: int) -> Iterator[Markup]:
    """Yield how much of the device's matrix-product rate each row of `results` reaches; `level` is of its title."""
    found = roofline(results)
    if found is None or not (found.rows or found.too_low):
        return
    yield html.title(level, "Roofline")
    if found.too_low:
        yield html.paragraph(f"No share is told where {too_low_text(found)}.")
    if not found.rows:
        return
    rates = ", ".join(f"{found.label(width)} {rate:.0f} GFLOP/s" for width, rate in found.rates.items())
    yield html.paragraph(
        f"The most that a large matrix product alone reached in this run: {rates}. "
        f"A window's products come to {found.window_gflops:.2f} GFLOP, padding counted."
    )
    yield html.html_table(
        "What the network reaches of it",
        ("variant", "type of most products", "GFLOP/s", "of the device's"),
        [(name, width, f"{reached:.0f}", f"{share:.0%}") for name, (width, reached, share) in found.rows.items()],
    )
