"""The gate for anybody's code: two ways to do the same work, their paired times, and the verdict reached on them.

The names below are for users. They are loaded when they are first used, so that `import nqperf.gate` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nqperf import lazy_names

if TYPE_CHECKING:
    from nqperf.perf.measuring.work import Work
    from nqperf.perf.pairs.paired import PairedConfig, paired
    from nqperf.perf.pairs.sameness import Close, Metric
    from nqperf.records.results import Agreement, Results
    from nqperf.records.verdict import QUICK_GATE, REFERENCE_GATE, GateConfig

__all__ = [
    "QUICK_GATE",
    "REFERENCE_GATE",
    "Agreement",
    "Close",
    "GateConfig",
    "Metric",
    "PairedConfig",
    "Results",
    "Work",
    "paired",
]

_HOMES = {
    "nqperf.records.results": ("Agreement", "Results"),
    "nqperf.perf.pairs.sameness": ("Close", "Metric"),
    "nqperf.records.verdict": ("QUICK_GATE", "REFERENCE_GATE", "GateConfig"),
    "nqperf.perf.measuring.work": ("Work",),
    "nqperf.perf.pairs.paired": ("PairedConfig", "paired"),
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
