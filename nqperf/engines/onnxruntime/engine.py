"""The ONNX Runtime engine: the network as an ONNX graph, in float32, float16 or with products in 8 bits."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.onnxruntime.sessions import (
    PROVIDERS,
    Node,
    Provider,
    executed,
    large_product,
    products_overflow,
    session,
)
from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.threads import INTRA_OP, requested_threads
from nqperf.errors import ConfigError
from nqperf.formats.files import scratch_folder
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.config import BertConfig
from nqperf.model.onnx.graph import Int8, OnnxGraph
from nqperf.model.onnx.modules import default_wide
from nqperf.model.onnx.network import onnx_graph
from nqperf.nq.example import FloatArray
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxRuntimeConfig(EngineConfig):
    """How the weights are run, by `precision`: in float32, in float16, or with 8-bit products but for `wide` modules.

    A `wide` of None leaves wide what `default_wide` names. Weights of `reduced_range` have 7 bits, which no CPU
    overflows; None is 8 bits where products of them are seen to come out right. `provider` computes: on the CPU, or on
    NVIDIA's GPUs.
    Raises: ConfigError for 8 bits on a GPU, or float16 on a CPU.
    """

    precision: Literal["float32", "mixed_float16", "int8"] = "float32"
    provider: Provider = "cpu"
    wide: tuple[str, ...] | None = None
    reduced_range: bool | None = None

    def __post_init__(self) -> None:
        EngineConfig.__post_init__(self)  # a class with slots is made twice, and super() knows the first one only
        if self.precision == "int8" and self.provider != "cpu":
            raise ConfigError(f"int8 is for the provider cpu, not for {self.provider}: take mixed_float16 there")
        if self.precision == "mixed_float16" and self.provider == "cpu":
            raise ConfigError("mixed_float16 is for the providers cuda and tensorrt: on a CPU it would be widened")


class OnnxRuntimeEngine(Engine[OnnxRuntimeConfig]):
    """Runs a model's weights; the first batch is profiled, and what was executed is read from that.

    Raises: ConfigError when the sequences are longer than the model's positions, `wide` names what is no module, or
    weights of 8 bits are seen to overflow.
    """

    name = "onnxruntime"
    config_type = OnnxRuntimeConfig
    switch_variables = frozenset({"OMP_NUM_THREADS", "ORT_DISABLE_ALL_OPTIMIZATION"})
    read_variables = frozenset({INTRA_OP})

    @staticmethod
    def start() -> None:
        """Import ONNX Runtime."""
        import onnxruntime  # noqa: F401

    def load(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> None:
        """Build the graph of `model_config` with the `weights` and let ONNX Runtime make its own of it.

        Raises: ConfigError when weights of 8 bits are asked for that are seen to overflow.
        """
        int8 = None
        if self.config.precision == "int8":
            reduced, wide = self.config.reduced_range, self.config.wide
            overflow = not reduced and products_overflow()
            if overflow and reduced is False:
                raise ConfigError("reduced_range is off, and products of 8-bit weights overflow here: leave it on")
            reduced = overflow if reduced is None else reduced
            int8 = Int8(wide=frozenset(default_wide(model_config) if wide is None else wide), reduced_range=reduced)
        self._int8 = int8
        graph = self._graph(model_config, weights)
        self._nodes: list[Node] = []
        # The profile is written here, and the folder goes with the first run, or with this engine.
        self._profiled = contextlib.ExitStack()
        folder = self._profiled.enter_context(scratch_folder())
        path = folder / "model.onnx"
        write_onnx(path, graph.proto, graph.values)
        provider, half = self.config.provider, self.config.precision == "mixed_float16"
        self._session = session(path, provider=provider, half=half, profile=folder / "profile")

    def _graph(self, model_config: BertConfig, weights: Mapping[str, FloatArray]) -> OnnxGraph:
        """Return the graph in the form that the provider's own kernels are for; TensorRT fuses by itself."""
        provider, half = self.config.provider, self.config.precision == "mixed_float16"
        if provider == "tensorrt":
            return onnx_graph(model_config, weights)
        return onnx_graph(model_config, weights, self._int8, fused=True, half=half, for_gpu=provider == "cuda")

    def run(self, inputs: Mapping[str, Any]) -> list[FloatArray]:
        """Run the batch `inputs` and return its outputs."""
        outputs: list[FloatArray] = self._session.run(MODEL_OUTPUTS, inputs)
        if not self._nodes:
            with self._profiled:
                self._nodes = executed(Path(self._session.end_profiling()))
        return outputs

    def finish(self, outputs: list[FloatArray]) -> dict[str, FloatArray]:
        """Return `outputs`, in the order of MODEL_OUTPUTS, by name."""
        return dict(zip(MODEL_OUTPUTS, outputs, strict=True))

    def state(self) -> EngineState:
        """Return what was executed in the first run; before it there is nothing.

        Its own: `int8_matmuls` counts the products in 8 bits, `wide` names the modules that were left in float32,
        `reduced_range` tells whether weights have 7 bits of the 8. Attention's two products are fused into others.
        `provider` names what computed: the products, or where TensorRT has taken them into its own, all that was.
        """
        import onnxruntime

        products = [node for node in self._nodes if node.is_product]
        computing = products or [node for node in self._nodes if not node.is_copy]
        narrow = sum(node.is_narrow for node in products)
        return EngineState(
            engine=self.name,
            compute_dtype=self.config.precision.removeprefix("mixed_"),
            batch_size=self.config.batch_size,
            device=", ".join(sorted({node.device for node in computing})) or None,
            traces=1,
            matmuls=len(products) if products else None,
            low_precision_matmul_share=narrow / len(products) if products else None,
            intra_op_threads=max((node.threads for node in self._nodes), default=0),
            process_threads=process_threads(),
            own={
                "requested_threads": requested_threads(),
                "provider": ", ".join(sorted({node.args.provider for node in computing})),
                "requested_provider": PROVIDERS[self.config.provider],
                "int8_matmuls": sum(node.is_int8 for node in products),
                "wide": ", ".join(sorted(self._int8.wide)) if self._int8 else None,
                "reduced_range": self._int8.reduced_range if self._int8 else None,
                "onnxruntime": onnxruntime.__version__,
                "seq_length": self.seq_length,
            },
        )

    def product_type(self) -> str:
        """Return the type that most products are computed in."""
        return self.config.precision.removeprefix("mixed_")

    def large_product(self) -> tuple[Callable[[], object], int]:
        """Return what multiplies large matrices on the provider, and its number of operations."""
        run, size = large_product(self.config.provider, self.product_type())
        return run, 2 * size**3

    def count_work(self) -> CountedWork:
        """Return what the first batch did: the nodes whose kernels ran, with the sizes of what they were given."""
        flops = [one for one in (node.product_flops for node in self._nodes) if one]
        kinds = Counter(node.args.op_name for node in self._nodes)
        return CountedWork(
            operations=dict(sorted(kinds.items())),
            products=len(flops),
            product_flops=sum(flops),
            casts=kinds["Cast"],
            parameters=self.parameters,
        )
