"""nqperf: a performance regression suite for BERT question answering on Natural Questions.

The names below are loaded when they are first used, so that `import nqperf` costs nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
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


def lazy_names(module: str, homes: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a module whose names are loaded when they are first used.

    `module` is its name, `homes` holds the names by the modules that they come from.
    """
    home = {name: origin for origin, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(home[name]), name)

    return get, lambda: sorted({*vars(sys.modules[module]), *home})


__getattr__, __dir__ = lazy_names(__name__, _HOMES)
