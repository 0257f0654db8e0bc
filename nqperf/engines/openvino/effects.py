"""What switches of the OpenVINO engine must be seen to do."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.engines.effects import Effect

EFFECTS: Mapping[str, Effect] = {
    "bfloat16_layers": Effect(
        shows="layers are computed in bfloat16",
        failure="layers are not computed in bfloat16",
        holds=lambda seen: seen.own.get("precision_hint") == "bf16",
    ),
}
