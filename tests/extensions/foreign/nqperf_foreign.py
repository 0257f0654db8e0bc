"""A package of its own that brings nqperf an engine, and two rows of the variants table in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from nqperf.engines.effects import Effect
from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.probe import Machine, Probe
from nqperf.engines.registry import EngineRow, find_engine
from nqperf.engines.state import EngineState, process_threads
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.perf.variants.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class TwiceConfig(EngineConfig):
    """`times` is how often each batch is run."""

    times: int = 1


class TwiceEngine(Engine[TwiceConfig]):
    """Runs each batch several times in ONNX Runtime, and answers with the last."""

    name = "twice"
    config_type = TwiceConfig
    switch_variables = frozenset({"TWICE_SEED"})

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        settings = {"batch_size": self.config.batch_size}
        self._inner = find_engine("onnxruntime").load(model_config, weights, settings, seq_length=self.seq_length)
        self._calls = 0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        for _ in range(self.config.times):
            found = self._inner.finish(self._inner.run(inputs))
        self._calls = self.config.times
        return {name: found[name] for name in MODEL_OUTPUTS}

    def state(self) -> EngineState:
        return EngineState(
            engine=self.name,
            compute_dtype="float32",
            batch_size=self.config.batch_size,
            traces=1,
            matmuls=None,
            low_precision_matmul_share=None,
            intra_op_threads=0,
            process_threads=process_threads(),
            own={"calls_a_batch": self._calls},
        )


def _patient(machine: Machine) -> str | None:
    return None if machine.of("twice").states.get("patient") else machine.of("twice").unseen("patience", "patience")


class TwiceProbe(Probe):
    """Sees that this machine has the patience."""

    steps = MappingProxyType({"patience": lambda: {"patient": True}})
    rules = MappingProxyType({"patience": _patient})


EFFECTS = {"twice": Effect(failure="it ran once", holds=lambda seen: seen.own["calls_a_batch"] == 2)}
ENGINE = EngineRow(
    name="twice",
    target="nqperf_foreign:TwiceEngine",
    needs=("onnxruntime",),
    libraries={"onnxruntime": ("onnxruntime", "onnxruntime-gpu")},
    probe="nqperf_foreign:TwiceProbe",
    effects="nqperf_foreign:EFFECTS",
)


ROWS = [
    Variant(name="once", description="through another package's engine", engine="twice", effects=()),
    Variant(
        name="twice",
        description="the same work two times",
        engine="twice",
        settings={"times": 2},
        requires=("patience",),
        effects=ENGINE.effects_of("twice"),
    ),
]
