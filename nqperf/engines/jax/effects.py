"""What switches of the JAX engine must be seen to do."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.engines.effects import Effect

EFFECTS: Mapping[str, Effect] = {
    "compiled": Effect(
        shows="XLA compiles the whole function",
        failure="XLA did not compile the function",
        holds=lambda seen: seen.own["xla_compiled"],
    ),
    "fused_attention": Effect(
        shows="cuDNN's fused kernels compute attention",
        failure="no kernel of cuDNN's computes attention",
        holds=lambda seen: seen.own.get("fused_attention", 0) > 0,
    ),
}
