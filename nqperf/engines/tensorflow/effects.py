"""What switches of the TensorFlow engine must be seen to do."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.engines.effects import Effect

EFFECTS: Mapping[str, Effect] = {
    "graph": Effect(
        shows="a graph is traced, once",
        failure="no graph was traced",
        holds=lambda seen: not seen.own["eager"] and seen.traces == 1,
    ),
    "eager": Effect(
        shows="no graph is traced",
        failure="a graph was traced",
        holds=lambda seen: seen.own["eager"] and seen.traces == 0,
    ),
    "not_compiled": Effect(
        shows="XLA compiles nothing",
        failure="XLA compiled something",
        holds=lambda seen: not seen.own["xla_compiled"] and seen.own["clusters"] == 0,
    ),
    "compiled": Effect(
        shows="XLA compiles the whole function",
        failure="XLA did not compile the function",
        holds=lambda seen: seen.own["xla_compiled"],
    ),
    "clusters": Effect(
        shows="XLA compiles parts of the graph",
        failure="XLA compiled no cluster",
        holds=lambda seen: seen.own["clusters"] > 0,
    ),
    "unchanged_graph": Effect(
        shows="Grappler leaves the graph as it was traced",
        failure="Grappler still changed the graph",
        holds=lambda seen: seen.own["rewritten_nodes"] == 0,
    ),
    "amp": Effect(
        shows="auto mixed precision converts nodes",
        failure="auto mixed precision converted no node",
        holds=lambda seen: seen.own["amp_nodes"] > 0,
    ),
    "no_tf32": Effect(
        shows="matrix products are not rounded to TF32",
        failure="TF32 is on",
        holds=lambda seen: not (seen.own["tf32"] or seen.own["tf32_rounds"] or seen.own["xla_tf32"]),
    ),
    "tf32": Effect(
        shows="matrix products are rounded to TF32",
        failure="matrix products are not rounded to TF32",
        holds=lambda seen: seen.own["tf32"] and seen.own["tf32_rounds"] is True,
    ),
    "xla_tf32": Effect(
        shows="XLA may round matrix products to TF32, and the device does",
        failure="XLA's matrix products are not rounded to TF32",
        holds=lambda seen: seen.own["xla_tf32"] is True and seen.own["tf32_rounds"] is True,
    ),
    "narrow_weights": Effect(
        shows="kernels are kept in 16 bits",
        failure="kernels are kept in float32",
        holds=lambda seen: seen.own["kernel_dtype"] in ("float16", "bfloat16"),
    ),
    "onednn": Effect(
        shows="oneDNN's kernels compute",
        failure="oneDNN is not used",
        holds=lambda seen: seen.own["onednn_ops"] > 0,
    ),
    "no_onednn": Effect(
        shows="none of oneDNN's kernels computes",
        failure="oneDNN is still used",
        holds=lambda seen: seen.own["onednn_ops"] == 0,
    ),
}
