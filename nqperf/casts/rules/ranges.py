"""What each float type can hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A float type's range: its largest finite number, `maximum`, and its smallest above zero, `smallest`.

    `counts_to` is how far it counts without gaps.
    """

    maximum: float
    smallest: float
    counts_to: int


RANGES = {
    "float16": Range(maximum=65504.0, smallest=2.0**-24, counts_to=2048),
    "bfloat16": Range(maximum=3.3895313892515355e38, smallest=2.0**-133, counts_to=256),
    "float32": Range(maximum=3.4028234663852886e38, smallest=2.0**-149, counts_to=2**24),
    "float64": Range(maximum=1.7976931348623157e308, smallest=5e-324, counts_to=2**53),
}
