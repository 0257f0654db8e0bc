"""Engines that a search must not be taken in by, and an honest one beside them; all remember what they computed."""

import os
import time
from pathlib import Path

from nqperf.engines.registry import EngineRow
from nqperf.nq.features import MODEL_INPUTS
from tests.engines.numpy_engine import NumpyEngine

# The file whose presence says that a process of `OnceFastEngine` ran before.
MARK = "NQPERF_TRAP_MARK"
_SLOW_SECONDS = 0.05


class SteadyEngine(NumpyEngine):
    """Answers rightly, and takes its time for each batch: what the others are held to."""

    name = "steady"

    def run(self, inputs):
        time.sleep(_SLOW_SECONDS)
        return super().run(inputs)


class RememberingEngine(NumpyEngine):
    """Answers rightly, and the second time at once."""

    name = "remembering"

    def load(self, model_config, weights):
        super().load(model_config, weights)
        self._known = {}

    def run(self, inputs):
        key = b"".join(inputs[name].tobytes() for name in MODEL_INPUTS)
        if key not in self._known:
            self._known[key] = super().run(inputs)
        return self._known[key]


class WrongEngine(RememberingEngine):
    """As fast, and its answers start one position late."""

    name = "wrong"

    def finish(self, outputs):
        found = super().finish(outputs)
        return {**found, "start_logits": found["start_logits"][:, ::-1].copy()}


class OnceFastEngine(RememberingEngine):
    """As fast in the first process that there ever was, slow in all others."""

    name = "once_fast"

    def load(self, model_config, weights):
        super().load(model_config, weights)
        mark = Path(os.environ[MARK])
        self._slow = mark.exists()
        mark.touch()

    def run(self, inputs):
        if self._slow:
            time.sleep(_SLOW_SECONDS)
        return super().run(inputs)


ROWS = tuple(
    EngineRow(name=kind.name, target=f"tests.engines.trap_engines:{kind.__name__}", needs=("numpy",), extra="test")
    for kind in (RememberingEngine, WrongEngine, OnceFastEngine, SteadyEngine)
)
