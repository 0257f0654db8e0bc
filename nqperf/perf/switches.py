"""A variant's switches: as they are requested, set in a fresh process, and observed on what TensorFlow really ran.

The graphs are read through `tf.summary`'s trace, the public way: as traced, and as executed after Grappler, the oneDNN
rewrite and XLA's clustering.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from nqperf.errors import VariantError
from nqperf.formats.results.results_json import Switch

if TYPE_CHECKING:  # the engine's module sets TensorFlow's environment, which is the worker's to do
    from nqperf.engines.tensorflow import EngineConfig, TensorFlowEngine

# TensorFlow ignores a key that it does not know, so that a misspelt one makes a variant that is none.
# Source: tensorflow/python/eager/context.py, the options of `rewrite_options`.
GRAPPLER_OPTIONS = frozenset(
    {
        "arithmetic_optimization",
        "auto_mixed_precision",
        "auto_mixed_precision_mkl",
        "auto_mixed_precision_onednn_bfloat16",
        "constant_folding",
        "debug_stripper",
        "dependency_optimization",
        "disable_meta_optimizer",
        "disable_model_pruning",
        "function_optimization",
        "implementation_selector",
        "layout_optimizer",
        "loop_optimization",
        "pin_to_host_optimization",
        "remapping",
        "scoped_allocator_optimization",
        "shape_optimization",
        "use_plugin_optimizers",
    }
)
# Variables that are switches themselves: a worker has those of its variant and none of the caller's.
SWITCH_ENVIRONMENT = (
    "KERAS_BACKEND",
    "NVIDIA_TF32_OVERRIDE",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_ADD",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_CLEARLIST_ADD",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_CLEARLIST_REMOVE",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_DENYLIST_ADD",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_DENYLIST_REMOVE",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_INFERLIST_ADD",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_INFERLIST_REMOVE",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS",
)
_COMMON_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Two workers share one GPU; by default the first takes all of its memory.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    # A waiting oneDNN thread must sleep at once: the other worker of the pair computes meanwhile.
    "KMP_BLOCKTIME": "0",
    "OMP_WAIT_POLICY": "passive",
}
_MATMUL = re.compile(r"_?(Mkl)?(Native)?(Fused)?(Batch)?MatMul(V\d)?")
_NARROW_DOT = re.compile(r"= (bf16|f16)\[[^=]* dot\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What is requested: variables set before TensorFlow is imported, and how the engine and the process are set.

    Raises: VariantError for a Grappler option that TensorFlow does not have.
    """

    environment: dict[str, str] = field(default_factory=dict)
    precision: str = "float32"
    eager: bool = False
    xla: bool = False
    tf32: bool = False
    autoclustering: bool = False
    grappler: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.grappler) - GRAPPLER_OPTIONS)
        if unknown:
            raise VariantError(
                f"unknown Grappler option {', '.join(unknown)}, which TensorFlow would ignore; "
                f"expected some of {', '.join(sorted(GRAPPLER_OPTIONS))}"
            )

    def record(self) -> dict[str, Switch]:
        """Return the switches as the results file holds them."""
        return _flat(
            {
                "precision": self.precision,
                "eager": self.eager,
                "xla": self.xla,
                "tf32": self.tf32,
                "autoclustering": self.autoclustering,
                "grappler": self.grappler,
                "environment": self.environment,
            }
        )


PLAIN = Switches()


def worker_environment(switches: Switches, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker: the inherited one with this variant's switches and no others."""
    kept = {name: value for name, value in inherited.items() if name not in SWITCH_ENVIRONMENT}
    # The package as it runs here, whatever the worker's working directory.
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (root, inherited.get("PYTHONPATH"))))
    return {**kept, **_COMMON_ENVIRONMENT, **switches.environment, "PYTHONPATH": paths}


def set_process_switches(switches: Switches) -> None:
    """Set what holds for the whole process; it cannot be unset, so a process runs one variant only."""
    import tensorflow as tf

    if switches.grappler:
        tf.config.optimizer.set_experimental_options(switches.grappler)
    if switches.autoclustering:
        tf.config.optimizer.set_jit(True)


def engine_config(switches: Switches, batch_size: int) -> EngineConfig:
    """Return what the engine is told."""
    from nqperf.engines.tensorflow import EngineConfig

    return EngineConfig(
        precision=switches.precision,
        eager=switches.eager,
        xla=switches.xla,
        tf32=switches.tf32,
        batch_size=batch_size,
    )


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """The states that were found, on the graph as it was executed.

    `xla_compiled` says that XLA compiles the whole function, `clusters` how many parts of it. `fused_ops` are
    Grappler's, `onednn_ops` those of oneDNN, `amp_nodes` what auto mixed precision put in. `matmuls` is the number of
    matrix products, `low_precision_matmul_share` the share of them in 16 bits; None where there is no graph to read
    them from. `tf32_rounds` tells whether a matrix product on the GPU rounds to TF32; None without a GPU.
    """

    eager: bool
    xla_compiled: bool
    autoclustering: bool
    clusters: int
    fused_ops: int
    onednn_ops: int
    amp_nodes: int
    matmuls: int
    low_precision_matmul_share: float | None
    compute_dtype: str
    softmax_dtype: str
    tf32: bool
    tf32_rounds: bool | None
    grappler: dict[str, bool | int]
    traces: int
    intra_op_threads: int
    inter_op_threads: int
    process_threads: int | None

    def record(self) -> dict[str, Switch]:
        """Return the states as the results file holds them."""
        return _flat(msgspec.to_builtins(self))


def _flat(states: Mapping[str, Any]) -> dict[str, Switch]:
    """Return nested states under dotted names."""
    flat: dict[str, Switch] = {}
    for name, value in states.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            flat[name] = value
    return flat


def graphs_of(first_run: Callable[[], object]) -> Any:
    """Call `first_run`, which makes a function's first run, and return TensorFlow's record of the graphs of it.

    Executable graphs are recorded when they are made, at the first run and never again.
    """
    import tensorflow as tf

    graphs = tf.compat.v1.RunMetadata()
    with tempfile.TemporaryDirectory(prefix="nqperf-") as folder:
        tf.summary.trace_on(graph=True, profiler=False)
        try:
            first_run()
        finally:
            writer = tf.summary.create_file_writer(folder)
            with writer.as_default():
                tf.summary.trace_export("run", step=0)
            writer.close()
        for path in sorted(Path(folder).iterdir()):
            for record in tf.data.TFRecordDataset(str(path)):
                for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
                    graphs.MergeFromString(value.tensor.string_val[0])
    return graphs


def observe(engine: TensorFlowEngine, graphs: Any, inputs: Mapping[str, Any]) -> EngineState:
    """Return the states of an engine that has run; `graphs` is from `graphs_of`, `inputs` any batch."""
    found = engine.observed()
    executed = [node for function in graphs.function_graphs for part in function.partition_graphs for node in part.node]
    traced = [node for function in graphs.function_graphs for node in function.pre_optimization_graph.node]
    clusters = sum(node.op == "_XlaRun" for node in executed)
    # What went into clusters is no longer seen one by one.
    products = list(_products(traced if clusters else executed))
    # XLA takes a whole function before a graph of it is made; what is seen then is the feeding's.
    xla_compiled = bool(found["xla"]) and not products
    if xla_compiled:
        products = _compiled_products(engine.step.experimental_get_compiler_ir(dict(inputs))(stage="hlo"))
    return EngineState(
        eager=bool(found["eager"]),
        xla_compiled=xla_compiled,
        autoclustering=bool(found["autoclustering"]),
        clusters=clusters,
        fused_ops=sum("Fused" in node.op for node in executed),
        onednn_ops=sum(node.op.startswith("_Mkl") for node in executed),
        amp_nodes=sum("AutoMixedPrecision" in node.name for node in executed),
        matmuls=len(products),
        low_precision_matmul_share=sum(products) / len(products) if products else None,
        compute_dtype=str(found["compute_dtype"]),
        softmax_dtype=str(found["softmax_dtype"]),
        tf32=bool(found["tf32"]),
        tf32_rounds=_tf32_rounds() if found["gpus"] else None,
        grappler=dict(found["grappler"]),  # type: ignore[call-overload]  # the engine's states are plain objects
        traces=int(found["traces"]),  # type: ignore[call-overload]
        intra_op_threads=int(found["intra_op_threads"]),  # type: ignore[call-overload]
        inter_op_threads=int(found["inter_op_threads"]),  # type: ignore[call-overload]
        process_threads=_process_threads(),
    )


def _products(nodes: Iterable[Any]) -> Iterator[bool]:
    """Yield for each matrix product among `nodes` whether it is in 16 bits."""
    from tensorflow import bfloat16, float16

    narrow = {bfloat16.as_datatype_enum, float16.as_datatype_enum}
    return (node.attr["T"].type in narrow for node in nodes if _MATMUL.fullmatch(node.op))


def _compiled_products(hlo: str) -> list[bool]:
    """Return for each matrix product in what XLA was given whether it is in 16 bits."""
    return [bool(_NARROW_DOT.search(line)) for line in hlo.splitlines() if " dot(" in line]


def _tf32_rounds() -> bool:
    """Return whether a matrix product loses the twelfth bit of its input, which float32 holds and TF32 does not."""
    import tensorflow as tf

    value = 1 + 2.0**-12
    product = tf.linalg.matmul(tf.fill((256, 256), value), tf.eye(256))
    return bool(np.any(product.numpy() != np.float32(value)))


def _process_threads() -> int | None:
    """Return the number of threads of this process, or None where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208  # names are enough
    except OSError:
        return None
