"""The gate for anybody's code: two ways to do the same work, their paired times, and the verdict reached on them.

The names below are for users. They are loaded when they are first used, so that `import nqperf.gate` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
