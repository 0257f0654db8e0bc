"""The variants table: one row for each way to run the same weights.

A row is all there is to a variant: its name is the test's id, the choice on the command line and the line of the
report; its engine and settings run in a process of its own; its effects are what must be seen there.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from nqperf.errors import VariantError
from nqperf.perf.variants.variant import Effect, Variant
from nqperf.records.results import BASELINE

# Attention's and the heads' products may stay wide under auto mixed precision; most must not.
_MOST = 0.8

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

_GRAPH = Effect(failure="no graph was traced", holds=lambda seen: not seen.own["eager"] and seen.traces == 1)
_NOT_COMPILED = Effect(
    failure="XLA compiled something", holds=lambda seen: not seen.own["xla_compiled"] and seen.own["clusters"] == 0
)
_COMPILED = Effect(failure="XLA did not compile the function", holds=lambda seen: seen.own["xla_compiled"])
_CLUSTERS = Effect(failure="XLA compiled no cluster", holds=lambda seen: seen.own["clusters"] > 0)
_WIDE = Effect(failure="matrix products are in 16 bits", holds=lambda seen: seen.low_precision_matmul_share == 0)
_NARROW = Effect(
    failure="fewer than 4 in 5 matrix products are in 16 bits",
    holds=lambda seen: (seen.low_precision_matmul_share or 0) >= _MOST,
)
_AMP = Effect(failure="auto mixed precision converted no node", holds=lambda seen: seen.own["amp_nodes"] > 0)
_NO_TF32 = Effect(failure="TF32 is on", holds=lambda seen: not seen.own["tf32"] and not seen.own["tf32_rounds"])
_TF32 = Effect(
    failure="matrix products are not rounded to TF32",
    holds=lambda seen: seen.own["tf32"] and seen.own["tf32_rounds"] is True,
)
KEEPS_MEMORY = Effect(failure="malloc keeps no memory", holds=lambda seen: seen.keeps_memory is True)
_ONEDNN = Effect(failure="oneDNN is not used", holds=lambda seen: seen.own["onednn_ops"] > 0)
_INT8 = Effect(
    failure="fewer than half of the matrix products are in 8 bits",
    holds=lambda seen: seen.matmuls is not None and seen.own.get("int8_matmuls", 0) >= seen.matmuls / 2,
)
_BFLOAT16_LAYERS = Effect(
    failure="layers are not computed in bfloat16", holds=lambda seen: seen.own.get("precision_hint") == "bf16"
)
_THREADS = Effect(
    failure="an operation has another number of threads than was asked for",
    holds=lambda seen: seen.intra_op_threads == seen.own.get("requested_threads"),
)
_THESIS_OPTIONS = Effect(
    failure="TensorFlow does not report the Grappler options as set",
    holds=lambda seen: seen.own["grappler"].items() >= THESIS_GRAPPLER.items(),
)

_ROWS = (
    Variant(
        name=BASELINE,
        description="float32, graph, TF32 off, XLA off, Grappler at TensorFlow's defaults",
        effects=(_GRAPH, _NOT_COMPILED, _WIDE, _NO_TF32),
    ),
    Variant(
        name="eager",
        description="operation by operation, without a graph",
        settings={"eager": True},
        effects=(Effect(failure="a graph was traced", holds=lambda seen: seen.own["eager"] and seen.traces == 0),),
    ),
    Variant(
        name="grappler_off",
        description="graph without Grappler",
        settings={"grappler": {"disable_meta_optimizer": True}},
        requires=("grappler",),
        effects=(
            _GRAPH,
            Effect(failure="Grappler still changed the graph", holds=lambda seen: seen.own["rewritten_nodes"] == 0),
        ),
    ),
    Variant(
        name="grappler",
        description="the thesis's eleven Grappler options",
        settings={"grappler": THESIS_GRAPPLER},
        effects=(_GRAPH, _NOT_COMPILED, _THESIS_OPTIONS),
    ),
    Variant(
        name="xla",
        description="the whole function compiled by XLA",
        settings={"xla": True},
        requires=("xla",),
        effects=(_COMPILED, _WIDE, _NO_TF32),
    ),
    Variant(
        name="xla_grappler",
        description="XLA clusters within a graph that the thesis's Grappler options optimised",
        environment=_CPU_CLUSTERS,
        settings={"autoclustering": True, "grappler": THESIS_GRAPPLER},
        requires=("xla",),
        effects=(_GRAPH, _CLUSTERS, _THESIS_OPTIONS, _WIDE, _NO_TF32),
    ),
    Variant(
        name="mixed_float16",
        description="Keras policy mixed_float16",
        settings={"precision": "mixed_float16"},
        tolerance="sixteen_bit",
        requires=("float16",),
        effects=(_GRAPH, _NOT_COMPILED, _NARROW),
    ),
    Variant(
        name="mixed_bfloat16",
        description="Keras policy mixed_bfloat16",
        settings={"precision": "mixed_bfloat16"},
        tolerance="sixteen_bit",
        requires=("bfloat16",),
        effects=(_GRAPH, _NOT_COMPILED, _NARROW),
    ),
    Variant(
        name="amp_bfloat16",
        description="Grappler's auto mixed precision to bfloat16, by oneDNN, with means left in float32",
        environment=_WIDE_MEANS,
        settings={"grappler": {"auto_mixed_precision_onednn_bfloat16": True}},
        tolerance="sixteen_bit",
        requires=("onednn_on", "bfloat16"),
        effects=(_GRAPH, _NOT_COMPILED, _AMP, _NARROW),
    ),
    Variant(
        name="amp_float16",
        description="Grappler's auto mixed precision to float16",
        settings={"grappler": {"auto_mixed_precision": True}},
        tolerance="sixteen_bit",
        requires=("gpu", "float16"),
        effects=(_GRAPH, _NOT_COMPILED, _AMP, _NARROW),
    ),
    Variant(
        name="mixed_float16_xla_grappler",
        description="mixed_float16 with XLA clusters and the thesis's Grappler options",
        environment=_CPU_CLUSTERS,
        settings={"precision": "mixed_float16", "autoclustering": True, "grappler": THESIS_GRAPPLER},
        tolerance="sixteen_bit",
        requires=("xla", "float16"),
        effects=(_GRAPH, _CLUSTERS, _THESIS_OPTIONS, _NARROW),
    ),
    Variant(
        name="mixed_bfloat16_xla_grappler",
        description="mixed_bfloat16 with XLA clusters and the thesis's Grappler options",
        environment=_CPU_CLUSTERS,
        settings={"precision": "mixed_bfloat16", "autoclustering": True, "grappler": THESIS_GRAPPLER},
        tolerance="sixteen_bit",
        requires=("xla", "bfloat16"),
        effects=(_GRAPH, _CLUSTERS, _THESIS_OPTIONS, _NARROW),
    ),
    Variant(
        name="tf32",
        description="float32 whose matrix products on the GPU are rounded to TF32",
        settings={"tf32": True},
        tolerance="sixteen_bit",
        requires=("tf32",),
        effects=(_GRAPH, _NOT_COMPILED, _WIDE, _TF32),
    ),
    Variant(
        name="onednn_off",
        description="TensorFlow's own CPU kernels in place of oneDNN's",
        environment={"TF_ENABLE_ONEDNN_OPTS": "0"},
        requires=("onednn_on",),
        effects=(
            _GRAPH,
            _WIDE,
            Effect(failure="oneDNN is still used", holds=lambda seen: seen.own["onednn_ops"] == 0),
        ),
    ),
    Variant(
        name="onednn_on",
        description="oneDNN's kernels where TensorFlow does not use them by default",
        environment=_ONEDNN_ON,
        requires=("onednn_off",),
        effects=(_GRAPH, _NOT_COMPILED, _WIDE, _ONEDNN),
    ),
    Variant(
        name="allocator",
        description="glibc's malloc told to keep memory, so that activations are not faulted in anew for each layer",
        environment=KEEP_MEMORY,
        requires=("glibc_malloc",),
        effects=(_GRAPH, _NOT_COMPILED, _WIDE, KEEPS_MEMORY),
    ),
    Variant(
        name="onednn_on_allocator",
        description="onednn_on with malloc told to keep memory",
        environment={**_ONEDNN_ON, **KEEP_MEMORY},
        requires=("onednn_off", "glibc_malloc"),
        effects=(_GRAPH, _NOT_COMPILED, _WIDE, _ONEDNN, KEEPS_MEMORY),
    ),
    Variant(
        name="xla_allocator",
        description="xla with malloc told to keep memory",
        environment=KEEP_MEMORY,
        settings={"xla": True},
        requires=("xla", "glibc_malloc"),
        effects=(_COMPILED, _WIDE, KEEPS_MEMORY),
    ),
    Variant(
        name="onnxruntime",
        description="ONNX Runtime on the same weights",
        engine="onnxruntime",
        requires=("cpu",),
        effects=(_WIDE, _THREADS),
    ),
    Variant(
        name="onnxruntime_int8",
        description="ONNX Runtime with products in 8 bits, the heads and two feed-forward outputs in float32",
        engine="onnxruntime",
        settings={"precision": "int8"},
        tolerance="eight_bit",
        requires=("cpu",),
        effects=(_INT8, _THREADS),
    ),
    # No row of bfloat16: on a CPU, XLA widens such products to float32, also where the CPU has units for them.
    Variant(
        name="jax",
        description="the same network on JAX, compiled by XLA",
        engine="jax",
        requires=("cpu",),
        effects=(_COMPILED, _WIDE, _THREADS),
    ),
    Variant(
        name="openvino",
        description="OpenVINO on the same weights",
        engine="openvino",
        requires=("cpu",),
        effects=(_WIDE, _THREADS),
    ),
    Variant(
        name="openvino_bfloat16",
        description="OpenVINO with products in bfloat16",
        engine="openvino",
        settings={"precision": "mixed_bfloat16"},
        tolerance="sixteen_bit",
        requires=("openvino_bfloat16",),
        effects=(_NARROW, _THREADS),
    ),
    Variant(
        name="openvino_int8",
        description="OpenVINO with products in 8 bits, the heads in float32",
        engine="openvino",
        settings={"precision": "int8"},
        tolerance="eight_bit",
        requires=("openvino_int8",),
        effects=(_INT8, _THREADS),
    ),
    Variant(
        name="openvino_int8_bfloat16",
        description="openvino_int8 with all but the products in bfloat16",
        engine="openvino",
        settings={"precision": "int8_bfloat16"},
        tolerance="eight_bit",
        requires=("openvino_int8_bfloat16",),
        effects=(_INT8, _THREADS, _BFLOAT16_LAYERS),
    ),
)
VARIANTS: Mapping[str, Variant] = {row.name: row for row in _ROWS}


def select_variants(names: Iterable[str] | None = None, own: Iterable[Variant] = ()) -> tuple[Variant, ...]:
    """Return the rows of `names` in the table's order, then of `own`, the baseline always first; all rows when None.

    Raises: VariantError for a name that is in no row or in two, or when only the baseline is left.
    """
    known = dict(VARIANTS)
    for variant in own:
        if known.setdefault(variant.name, variant) is not variant:
            raise VariantError(f"two variants are called {variant.name}; give yours another name")
    if names is None:
        return tuple(known.values())
    wanted = {name.strip() for name in names} | {BASELINE}
    for name in sorted(wanted - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise VariantError(f"unknown variant {name!r}; expected some of {', '.join(known)}{hint}")
    if wanted == {BASELINE}:
        raise VariantError(f"no variant beside {BASELINE} is selected; expected some of {', '.join(known)}")
    return tuple(row for row in known.values() if row.name in wanted)
