"""The ONNX Runtime engine: the network as an ONNX graph, in float32 or with products in 8 bits, on the CPU."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from nqperf.engines.engine import Engine, EngineConfig
from nqperf.engines.state import EngineState, process_threads
from nqperf.engines.threads import INTRA_OP, requested_threads
from nqperf.errors import ConfigError
from nqperf.formats.files import scratch_folder
from nqperf.formats.reading import read_whole
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.config import BertConfig
from nqperf.model.onnx.graph import Int8, pair_product
from nqperf.model.onnx.network import default_wide, onnx_graph
from nqperf.nq.example import FloatArray
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.records.work import CountedWork

_PROVIDERS = ["CPUExecutionProvider"]
_DEVICES = {
    "CPUExecutionProvider": "cpu",
    "CUDAExecutionProvider": "gpu",
    "TensorrtExecutionProvider": "gpu",
}
_PRODUCTS = ("MatMul", "Gemm")
_NARROW = frozenset({"int8", "uint8", "float16", "bfloat16"})
_QUIET = 3  # errors only


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxRuntimeConfig(EngineConfig):
    """How the weights are run, by `precision`: in float32, or with products in 8 bits but for modules in `wide`.

    A `wide` of None leaves wide what `default_wide` names. Weights of `reduced_range` have 7 bits, which no CPU
    overflows; None is 8 bits where products of them are seen to come out right.
    """

    precision: Literal["float32", "int8"] = "float32"
    wide: tuple[str, ...] | None = None
    reduced_range: bool | None = None


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
        graph = onnx_graph(model_config, weights, int8, fused=True)
        self._nodes: list[_Node] = []
        # The profile is written here, and the folder goes with the first run, or with this engine.
        self._profiled = contextlib.ExitStack()
        folder = self._profiled.enter_context(scratch_folder())
        path = folder / "model.onnx"
        write_onnx(path, graph.proto, graph.values)
        self._session = _session(path, profile=folder / "profile")

    def run(self, inputs: Mapping[str, Any]) -> list[FloatArray]:
        """Run the batch `inputs` and return its outputs."""
        outputs: list[FloatArray] = self._session.run(MODEL_OUTPUTS, inputs)
        if not self._nodes:
            with self._profiled:
                self._nodes = _executed(Path(self._session.end_profiling()))
        return outputs

    def finish(self, outputs: list[FloatArray]) -> dict[str, FloatArray]:
        """Return `outputs`, in the order of MODEL_OUTPUTS, by name."""
        return dict(zip(MODEL_OUTPUTS, outputs, strict=True))

    def state(self) -> EngineState:
        """Return what was executed in the first run; before it there is nothing.

        Its own: `int8_matmuls` counts the products in 8 bits, `wide` names the modules that were left in float32,
        `reduced_range` tells whether weights have 7 bits of the 8. Attention's two products are fused into others.
        """
        import onnxruntime

        products = [node for node in self._nodes if node.is_product]
        narrow = sum(node.is_narrow for node in products)
        return EngineState(
            engine=self.name,
            compute_dtype=self.config.precision,
            batch_size=self.config.batch_size,
            device=", ".join(sorted({node.device for node in products})) or None,
            traces=1,
            matmuls=len(products) if products else None,
            low_precision_matmul_share=narrow / len(products) if products else None,
            intra_op_threads=max((node.threads for node in self._nodes), default=0),
            process_threads=process_threads(),
            own={
                "requested_threads": requested_threads(),
                "int8_matmuls": sum(node.is_int8 for node in products),
                "wide": ", ".join(sorted(self._int8.wide)) if self._int8 else None,
                "reduced_range": self._int8.reduced_range if self._int8 else None,
                "onnxruntime": onnxruntime.__version__,
                "seq_length": self.seq_length,
            },
        )

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


class _Arguments(msgspec.Struct, frozen=True):
    """What a profile says of a node's run."""

    op_name: str = ""
    provider: str = ""
    input_type_shape: tuple[dict[str, Any], ...] = ()
    output_type_shape: tuple[dict[str, Any], ...] = ()
    # An empty string where there is one thread.
    thread_scheduling_stats: dict[str, dict[str, Any]] | str = ""


def _first_shape(values: tuple[dict[str, list[int]], ...]) -> list[int]:
    """Return the sizes of the first of these arrays, which come by their types; none where there is none."""
    return next((shape for one in values for shape in one.values()), [])


class _Node(msgspec.Struct, frozen=True):
    """An event of a profile."""

    cat: str
    name: str
    args: _Arguments = _Arguments()

    @property
    def is_product(self) -> bool:
        return any(product in self.args.op_name for product in _PRODUCTS)

    @property
    def product_flops(self) -> int:
        """The floating-point operations of a matrix product, by the sizes of its first factor and of what it gives.

        Factors that are kept packed are not among its inputs. 0 for all else.
        """
        given, found = (_first_shape(shapes) for shapes in (self.args.input_type_shape, self.args.output_type_shape))
        return 2 * math.prod(found) * given[-1] if self.is_product and given and found else 0

    @property
    def device(self) -> str:
        """The kind of device that its kernel is for: the provider that really ran it, not the one that was asked."""
        return _DEVICES.get(self.args.provider, self.args.provider)

    @property
    def types(self) -> frozenset[str]:
        return frozenset(name for one in self.args.input_type_shape for name in one)

    @property
    def is_narrow(self) -> bool:
        return bool(self.types & _NARROW)

    @property
    def is_int8(self) -> bool:
        return "int8" in self.types or "uint8" in self.types

    @property
    def threads(self) -> int:
        found = self.args.thread_scheduling_stats
        return 1 if isinstance(found, str) else 1 + len(found.get("sub_threads", {}))


def _executed(profile: Path) -> list[_Node]:
    """Return the nodes whose kernels ran, of ONNX Runtime's own graph."""
    events = msgspec.json.decode(read_whole(profile, what="a profile of ONNX Runtime"), type=list[_Node])
    return [event for event in events if event.cat == "Node" and event.name.endswith("_kernel_time")]


def _session(path: Path, *, profile: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = requested_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(path, options, providers=_PROVIDERS)


def products_overflow() -> bool:
    """Return whether products of the largest 8-bit values come out wrong, as where pairs are summed in 16 bits."""
    graph, inputs = pair_product()
    with scratch_folder() as folder:
        write_onnx(folder / "pair.onnx", graph, {})
        (found,) = _session(folder / "pair.onnx").run(None, inputs)
    left, right = inputs.values()
    return not np.array_equal(found, left.astype(np.int32) @ right.astype(np.int32))
