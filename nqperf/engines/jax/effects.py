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
}
