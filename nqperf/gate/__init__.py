"""The gate: paired times of any two ways to do the same work, and the verdict reached on them.

The names below are for users. They are loaded when they are first used: the rest of the room imports nothing above it,
while `paired` starts processes and looks at the machine, which is done on a higher floor.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nqperf.gate.records import Agreement, Results
    from nqperf.gate.sameness import Close, Metric
    from nqperf.gate.verdict import QUICK_GATE, REFERENCE_GATE, GateConfig
    from nqperf.gate.work import Work
    from nqperf.perf.paired import PairedConfig, paired

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
    "nqperf.gate.records": ("Agreement", "Results"),
    "nqperf.gate.sameness": ("Close", "Metric"),
    "nqperf.gate.verdict": ("QUICK_GATE", "REFERENCE_GATE", "GateConfig"),
    "nqperf.gate.work": ("Work",),
    "nqperf.perf.paired": ("PairedConfig", "paired"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
