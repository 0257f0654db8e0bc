"""What the TensorFlow engine is told, and the variables of the environment that it reads by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from nqperf.engines.engine import EngineConfig
from nqperf.engines.threads import INTRA_OP
from nqperf.errors import ConfigError

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
# A worker has those of its variant and none of the caller's. TF_ENABLE_ONEDNN_OPTS is not among them: where it stands
# in the caller's environment it says what this machine does by default, so the baseline has it, and so has every row
# that does not set it itself. The same holds for the others of READ_VARIABLES.
SWITCH_VARIABLES = frozenset(
    {
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
        "TF_SET_ONEDNN_FPMATH_MODE",
        "TF_XLA_FLAGS",
    }
)
READ_VARIABLES = frozenset(
    {
        "OMP_NUM_THREADS",
        "ONEDNN_MAX_CPU_ISA",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_NUM_INTEROP_THREADS",
        INTRA_OP,
        "XLA_FLAGS",
    }
)
WORKER_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}
# By default the first process takes all memory of a GPU.
GPU_SHARING = {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFlowConfig(EngineConfig):
    """How the weights are run.

    `precision` is what the layers compute in: "float32", "mixed_float16" or "mixed_bfloat16". `narrow_weights` keeps
    the kernels of what computes in 16 bits so. `tf32` lets float32 matrix products on Ampere and later GPUs round to 10
    bits; None leaves that as TensorFlow has it. `eager` runs operation by operation, without a graph. `xla` compiles
    the whole of it, `autoclustering` parts. `autoclustering` and `grappler` hold for the whole process and cannot be
    unset. In mixed_float16 on a CPU where products that Grappler fuses with their bias are seen to stall, its option
    `remapping` is off unless it is set here.
    Raises: ConfigError for two settings that do not fit each other, or a Grappler option that TensorFlow lacks.
    """

    precision: str = "float32"
    narrow_weights: bool = False
    eager: bool = False
    xla: bool = False
    tf32: bool | None = False
    autoclustering: bool = False
    grappler: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        EngineConfig.__post_init__(self)  # a class with slots is made twice, and super() knows the first one only
        if self.eager and self.xla:
            raise ConfigError("eager and xla are both on; expected one: XLA compiles a graph, and eager has none")
        unknown = sorted(set(self.grappler) - GRAPPLER_OPTIONS)
        if unknown:
            raise ConfigError(
                f"unknown Grappler option {', '.join(unknown)}, which TensorFlow would ignore; "
                f"expected some of {', '.join(sorted(GRAPPLER_OPTIONS))}"
            )
