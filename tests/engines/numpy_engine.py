"""A second engine: BERT Joint in float64 NumPy, to show that an engine is one file and one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.registry import EngineRow
from nqperf.engines.state import EngineState, process_threads
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from tests.references import bert

ROW = EngineRow(name="numpy", target="tests.engines.numpy_engine:NumpyEngine", needs=("numpy",), extra="test")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumpyConfig(EngineConfig):
    """`doubled` computes everything twice: a setting whose effect can be observed."""

    doubled: bool = False


class NumpyEngine(Engine[NumpyConfig]):
    """Runs a model with the tests' readable reference."""

    name = "numpy"
    config_type = NumpyConfig
    environment: Mapping[str, str] = {"NQPERF_NUMPY_ENGINE": "1"}
    switch_variables = frozenset({"NPY_PROMOTION_STATE"})

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        self._model = weights, model_config
        self._calls = self._watched = 0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        for _ in range(2 if self.config.doubled else 1):
            found = bert.logits(*self._model, *(inputs[name] for name in MODEL_INPUTS))
            self._calls += 1
        return dict(zip(MODEL_OUTPUTS, found, strict=True))

    def finish(self, outputs: Mapping[str, Any]) -> dict[str, FloatArray]:
        return {name: values.astype(np.float32) for name, values in outputs.items()}

    def watch(self, first_run: Callable[[], object]) -> None:
        before = self._calls
        first_run()
        self._watched = self._calls - before

    def state(self) -> EngineState:
        return EngineState(
            engine=self.name,
            compute_dtype="float64",
            batch_size=self.config.batch_size,
            traces=0,
            matmuls=None,
            low_precision_matmul_share=None,
            intra_op_threads=0,
            process_threads=process_threads(),
            own={"calls_a_batch": self._watched},
        )
