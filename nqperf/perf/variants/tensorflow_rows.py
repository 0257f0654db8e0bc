"""The rows of the table that TensorFlow runs: graphs, XLA, types of 16 bits, oneDNN, malloc."""

from __future__ import annotations

from nqperf.engines.effects import SHARED, Effect
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import BASELINE

# The thesis's eleven options.
THESIS_GRAPPLER = {
    "layout_optimizer": True,
    "constant_folding": True,
    "shape_optimization": True,
    "remapping": True,
    "arithmetic_optimization": True,
    "dependency_optimization": True,
    "loop_optimization": True,
    "function_optimization": True,
    "debug_stripper": True,
    "disable_model_pruning": False,
    "scoped_allocator_optimization": True,
}
# TensorFlow's float16 lists keep means wide. Its bfloat16 lists do not, and layer normalisation's statistics in 8 bits
# change answers.
_WIDE_MEANS = {
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_INFERLIST_REMOVE": "Mean",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_DENYLIST_ADD": "Mean",
}
# Without these flags `set_jit` compiles nothing on a CPU.
_CPU_CLUSTERS = {"TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"}

_ONEDNN_ON = {"TF_ENABLE_ONEDNN_OPTS": "1"}
# By default glibc gives large blocks back to the system, which clears their pages anew each time they are taken.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}

KEEPS_MEMORY = SHARED["keeps_memory"]
_THESIS_OPTIONS = Effect(
    shows="TensorFlow reports the thesis's Grappler options as set",
    failure="TensorFlow does not report the Grappler options as set",
    holds=lambda seen: seen.own["grappler"].items() >= THESIS_GRAPPLER.items(),
)


def _seen(*effects: str) -> tuple[Effect, ...]:
    """Return what a row's switches must be seen to do, by the names that the engine has for it."""
    return find_engine(DEFAULT_ENGINE).effects_of(*effects)


TENSORFLOW_ROWS = (
    Variant(
        name=BASELINE,
        description="strict float32 (TF32 off), graph, XLA off, Grappler at TensorFlow's defaults",
        thesis="baseline",
        effects=_seen("graph", "not_compiled", "wide", "no_tf32"),
    ),
    Variant(
        name="eager",
        description="operation by operation, without a graph",
        settings={"eager": True},
        effects=_seen("eager"),
    ),
    Variant(
        name="grappler_off",
        description="graph without Grappler",
        settings={"grappler": {"disable_meta_optimizer": True}},
        requires=("grappler",),
        effects=_seen("graph", "unchanged_graph"),
    ),
    Variant(
        name="grappler",
        description="the thesis's eleven Grappler options",
        settings={"grappler": THESIS_GRAPPLER},
        effects=(*_seen("graph", "not_compiled"), _THESIS_OPTIONS),
    ),
    Variant(
        name="xla",
        description="the whole function compiled by XLA",
        settings={"xla": True},
        requires=("xla",),
        effects=_seen("compiled", "wide", "no_tf32"),
    ),
    Variant(
        name="xla_clusters",
        description="the thesis's XLA: clusters within the graph, by autoclustering alone",
        thesis="XLA",
        thesis_ratio=1.13,
        environment=_CPU_CLUSTERS,
        settings={"autoclustering": True},
        requires=("xla",),
        effects=_seen("graph", "clusters", "wide", "no_tf32"),
    ),
    Variant(
        name="xla_grappler",
        description="XLA clusters within a graph that the thesis's Grappler options optimised",
        thesis="XLA and Grappler",
        thesis_ratio=1.18,
        environment=_CPU_CLUSTERS,
        settings={"autoclustering": True, "grappler": THESIS_GRAPPLER},
        requires=("xla",),
        effects=(*_seen("graph", "clusters", "wide", "no_tf32"), _THESIS_OPTIONS),
    ),
    Variant(
        name="mixed_float16",
        description="Keras policy mixed_float16",
        thesis="mixed precision",
        thesis_ratio=2.71,
        settings={"precision": "mixed_float16"},
        tolerance="sixteen_bit",
        requires=("float16",),
        effects=_seen("graph", "not_compiled", "narrow"),
    ),
    Variant(
        name="mixed_bfloat16",
        description="Keras policy mixed_bfloat16",
        settings={"precision": "mixed_bfloat16"},
        tolerance="sixteen_bit",
        requires=("bfloat16",),
        effects=_seen("graph", "not_compiled", "narrow"),
    ),
    Variant(
        name="mixed_bfloat16_weights",
        description="mixed_bfloat16 with kernels kept in bfloat16, not rounded anew for each batch",
        settings={"precision": "mixed_bfloat16", "narrow_weights": True},
        tolerance="sixteen_bit",
        requires=("bfloat16",),
        effects=_seen("graph", "not_compiled", "narrow", "narrow_weights"),
    ),
    # On a CPU, XLA takes its own kernels in place of oneDNN's, so the next two are for GPUs.
    Variant(
        name="mixed_float16_xla",
        description="mixed_float16 with the whole function compiled by XLA",
        settings={"precision": "mixed_float16", "xla": True},
        tolerance="sixteen_bit",
        requires=("gpu", "xla", "float16"),
        effects=_seen("compiled", "narrow"),
    ),
    Variant(
        name="mixed_bfloat16_xla",
        description="mixed_bfloat16 with the whole function compiled by XLA",
        settings={"precision": "mixed_bfloat16", "xla": True},
        tolerance="sixteen_bit",
        requires=("gpu", "xla", "bfloat16"),
        effects=_seen("compiled", "narrow"),
    ),
    Variant(
        name="mixed_float16_weights",
        description="mixed_float16 with kernels kept in float16, not rounded anew for each batch",
        settings={"precision": "mixed_float16", "narrow_weights": True},
        tolerance="sixteen_bit",
        requires=("gpu", "float16"),
        effects=_seen("graph", "not_compiled", "narrow", "narrow_weights"),
    ),
    Variant(
        name="amp_bfloat16",
        description="Grappler's auto mixed precision to bfloat16, by oneDNN, with means left in float32",
        environment=_WIDE_MEANS,
        settings={"grappler": {"auto_mixed_precision_onednn_bfloat16": True}},
        tolerance="sixteen_bit",
        requires=("onednn_on", "bfloat16"),
        effects=_seen("graph", "not_compiled", "amp", "narrow"),
    ),
    Variant(
        name="amp_float16",
        description="Grappler's auto mixed precision to float16",
        settings={"grappler": {"auto_mixed_precision": True}},
        tolerance="sixteen_bit",
        requires=("gpu", "float16"),
        effects=_seen("graph", "not_compiled", "amp", "narrow"),
    ),
    Variant(
        name="mixed_float16_xla_grappler",
        description="mixed_float16 with XLA clusters and the thesis's Grappler options",
        thesis="mixed precision, XLA and Grappler",
        thesis_ratio=3.88,
        environment=_CPU_CLUSTERS,
        settings={"precision": "mixed_float16", "autoclustering": True, "grappler": THESIS_GRAPPLER},
        tolerance="sixteen_bit",
        requires=("xla", "float16", "float16_fusion"),
        effects=(*_seen("graph", "clusters", "narrow"), _THESIS_OPTIONS),
    ),
    Variant(
        name="mixed_bfloat16_xla_grappler",
        description="mixed_bfloat16 with XLA clusters and the thesis's Grappler options",
        environment=_CPU_CLUSTERS,
        settings={"precision": "mixed_bfloat16", "autoclustering": True, "grappler": THESIS_GRAPPLER},
        tolerance="sixteen_bit",
        requires=("xla", "bfloat16"),
        effects=(*_seen("graph", "clusters", "narrow"), _THESIS_OPTIONS),
    ),
    # What a program gets that sets nothing: on a CPU and on older GPUs that is the baseline.
    Variant(
        name="default",
        description="float32 with all as TensorFlow has it: on Ampere and later GPUs products are rounded to TF32",
        settings={"tf32": None},
        tolerance="sixteen_bit",
        requires=("tf32",),
        effects=_seen("graph", "not_compiled", "wide", "tf32"),
    ),
    Variant(
        name="tf32",
        description="the baseline with products rounded to TF32, where TensorFlow is told so",
        settings={"tf32": True},
        tolerance="sixteen_bit",
        requires=("tf32",),
        effects=_seen("graph", "not_compiled", "wide", "tf32"),
    ),
    Variant(
        name="xla_tf32",
        description="xla whose matrix products on the GPU are rounded to TF32",
        settings={"xla": True, "tf32": True},
        tolerance="sixteen_bit",
        requires=("xla", "tf32"),
        effects=_seen("compiled", "wide", "xla_tf32"),
    ),
    Variant(
        name="onednn_off",
        description="TensorFlow's own CPU kernels in place of oneDNN's",
        environment={"TF_ENABLE_ONEDNN_OPTS": "0"},
        requires=("onednn_on",),
        effects=_seen("graph", "wide", "no_onednn"),
    ),
    Variant(
        name="onednn_on",
        description="oneDNN's kernels where TensorFlow does not use them by default",
        environment=_ONEDNN_ON,
        requires=("onednn_off",),
        effects=_seen("graph", "not_compiled", "wide", "onednn"),
    ),
    Variant(
        name="allocator",
        description="glibc's malloc told to keep memory, so that activations are not faulted in anew for each layer",
        environment=KEEP_MEMORY,
        requires=("glibc_malloc",),
        effects=_seen("graph", "not_compiled", "wide", "keeps_memory"),
    ),
    Variant(
        name="onednn_on_allocator",
        description="onednn_on with malloc told to keep memory",
        environment={**_ONEDNN_ON, **KEEP_MEMORY},
        requires=("onednn_off", "glibc_malloc"),
        effects=_seen("graph", "not_compiled", "wide", "onednn", "keeps_memory"),
    ),
    Variant(
        name="xla_allocator",
        description="xla with malloc told to keep memory",
        environment=KEEP_MEMORY,
        settings={"xla": True},
        requires=("xla", "glibc_malloc"),
        effects=_seen("compiled", "wide", "keeps_memory"),
    ),
)
