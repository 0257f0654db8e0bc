"""nqperf: a performance regression suite for BERT question answering on Natural Questions.

The names below are loaded when they are first used, so that `import nqperf` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nqperf.api import Answer, Answers, Model, audit, bench, evaluate, load_model, predict, tune
    from nqperf.encoder import Encoder, EncoderOutput, load_encoder
    from nqperf.errors import NqPerfError
    from nqperf.perf.suite.config import SuiteConfig
    from nqperf.perf.variants.variant import Variant

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Answers",
    "Encoder",
    "EncoderOutput",
    "Model",
    "NqPerfError",
    "SuiteConfig",
    "Variant",
    "__version__",
    "audit",
    "bench",
    "evaluate",
    "load_encoder",
    "load_model",
    "predict",
    "tune",
]

_HOMES = {
    "nqperf.api": ("Answer", "Answers", "Model", "audit", "bench", "evaluate", "load_model", "predict", "tune"),
    "nqperf.encoder": ("Encoder", "EncoderOutput", "load_encoder"),
    "nqperf.errors": ("NqPerfError",),
    "nqperf.perf.suite.config": ("SuiteConfig",),
    "nqperf.perf.variants.variant": ("Variant",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
