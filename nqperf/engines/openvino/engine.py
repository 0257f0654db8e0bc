"""The OpenVINO engine: the weights' ONNX graph, compiled once for batches of one size, on the CPU."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.openvino.graphs import (
    count_graph,
    in_int8,
    large_product,
    multiplies_in,
    parts_of,
    product_types,
    properties,
    round_kernels,
)
from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.threads import INTRA_OP, requested_threads
from nqperf.formats.files import scratch_folder
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.config import BertConfig
from nqperf.model.onnx.network import onnx_graph
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork

_NARROW = frozenset({"bf16", "f16"})
_EIGHT_BITS = frozenset({"i8", "u8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVinoConfig(EngineConfig):
    """How the weights are run: `precision` is what the layers compute in.

    "int8" keeps all kernels but the heads' in 8 bits, and rounds their inputs to 8 bits when it runs; all else is
    computed in float32, and with "int8_bfloat16" in bfloat16. With `split` a batch is cut into equal parts that run
    side by side, as many as it has threads for, each with threads of its own: they need not wait for each other after
    every layer.
    """

    split: bool = True
    precision: Literal["float32", "mixed_bfloat16", "int8", "int8_bfloat16"] = "float32"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Begun:
    """A batch that is computed: the `requests` of its parts, and the `inputs` that they read meanwhile."""

    requests: tuple[Any, ...]
    inputs: Mapping[str, list[IntArray]]


class OpenVinoEngine(Engine[OpenVinoConfig]):
    """Runs a model's weights over batches of one size; a length is compiled when it first comes.

    Raises: ConfigError when the sequences are longer than the model's positions.
    """

    name = "openvino"
    config_type = OpenVinoConfig
    read_variables = frozenset({INTRA_OP, "ONEDNN_MAX_CPU_ISA"})

    @staticmethod
    def start() -> None:
        """Import OpenVINO and let it find its devices."""
        import openvino

        openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Build the graph of `model_config` with the `weights` and let OpenVINO read it."""
        import openvino

        self._core = openvino.Core()
        graph = onnx_graph(model_config, weights)
        with scratch_folder() as folder:
            path = folder / "model.onnx"
            write_onnx(path, graph.proto, graph.values)
            # Mapped values would be read from a file that is gone.
            self._core.set_property({"ENABLE_MMAP": False})
            self._model = self._core.read_model(path)
        if in_int8(self.config.precision):
            round_kernels(self._model)
        self._compiled: dict[int, Any] = {}
        self._requests: dict[int, Iterator[tuple[Any, ...]]] = {}
        self._parts = parts_of(self.config.batch_size, requested_threads()) if self.config.split else 1

    def trace(self) -> None:
        """Compile the graph, once for each of `lengths`; the first batch of each would do it too."""
        for length in self.lengths:
            self._of_length(length)

    def _of_length(self, length: int) -> Iterator[tuple[Any, ...]]:
        """Return what runs the parts of each next batch of this length, compiled for the first of them.

        There are as many as batches may be run at once, each with a place of its own for the outputs.
        """
        if length not in self._requests:
            model = self._model.clone()
            model.reshape({name: [self.config.batch_size // self._parts, length] for name in MODEL_INPUTS})
            told = properties(self.config.precision, parts=self._parts)
            self._compiled[length] = compiled = self._core.compile_model(model, "CPU", told)
            self._requests[length] = itertools.cycle(
                [tuple(compiled.create_infer_request() for _ in range(self._parts)) for _ in range(self.at_once)]
            )
        return self._requests[length]

    def run(self, inputs: Mapping[str, IntArray]) -> _Begun:
        """Begin the batch `inputs`, where no other one is computed that was not asked for."""
        requests = next(self._of_length(inputs[MODEL_INPUTS[0]].shape[1]))
        parts = {name: np.split(np.ascontiguousarray(inputs[name]), self._parts) for name in MODEL_INPUTS}
        for number, request in enumerate(requests):
            request.start_async({name: parts[name][number] for name in MODEL_INPUTS}, share_inputs=True)
        return _Begun(requests=requests, inputs=parts)

    def finish(self, outputs: _Begun) -> dict[str, FloatArray]:
        """Wait for a batch; its `outputs` are copies, for a later batch is written to the same place."""
        for request in outputs.requests:
            request.wait()
        return {name: np.concatenate([one.get_tensor(name).data for one in outputs.requests]) for name in MODEL_OUTPUTS}

    def computes(self, outputs: _Begun) -> bool:
        """Return whether a part of a batch, `outputs` of `run`, is still computed."""
        return not all(request.wait_for(0) for request in outputs.requests)

    def state(self) -> EngineState:
        """Return the states of the compiled graph of the whole length, as OpenVINO tells what it executes.

        Its own: `precision_hint` is what it says it was told. `int8_matmuls` counts the products that multiply in 8
        bits: they are kept so, and this CPU is seen to multiply so. Attention's two products are fused into others.
        `parts` are those that a batch is run in, `streams` how many of them OpenVINO says it runs side by side.
        """
        import openvino

        self.trace()
        compiled = self._compiled[self.seq_length]
        types = product_types(compiled)
        eight = sum(name in _EIGHT_BITS for name in types)
        if eight and not multiplies_in(self.config.precision):
            eight = 0
        narrow = sum(name in _NARROW for name in types) + eight
        return EngineState(
            engine=self.name,
            compute_dtype=self._type,
            batch_size=self.config.batch_size,
            device=", ".join(sorted({name.lower() for name in compiled.get_property("EXECUTION_DEVICES")})),
            traces=len(self._compiled),
            matmuls=len(types),
            low_precision_matmul_share=narrow / len(types),
            intra_op_threads=int(compiled.get_property("INFERENCE_NUM_THREADS")),
            process_threads=process_threads(),
            own={
                "requested_threads": requested_threads(),
                "precision_hint": compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
                "int8_matmuls": eight,
                "parts": self._parts,
                "streams": int(compiled.get_property("NUM_STREAMS")),
                "openvino": openvino.__version__,
                "seq_length": self.seq_length,
            },
        )

    @property
    def _type(self) -> str:
        """The type that layers compute in, in Keras's words; what is in 8 bits is told by the products."""
        return self.config.precision.removeprefix("mixed_").removeprefix("int8_")

    def count_work(self) -> CountedWork:
        """Return what a batch does: layers as they are executed, products by the sizes in the graph."""
        model = self._model.clone()
        model.reshape({name: [self.config.batch_size, self.seq_length] for name in MODEL_INPUTS})
        self.trace()
        return count_graph(model, self._compiled[self.seq_length], self.parameters)

    def product_type(self) -> str:
        """Return the type that most products are computed in."""
        return "int8" if in_int8(self.config.precision) else self._type

    def large_product(self) -> tuple[Callable[[], object], int]:
        """Return what multiplies large matrices, compiled as the graph is, and its number of operations."""
        run, size = large_product(self.config.precision)
        return run, 2 * size**3
