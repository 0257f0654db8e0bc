"""What switches of the OpenVINO engine must be seen to do."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.engines.effects import Effect

EFFECTS: Mapping[str, Effect] = {
    "split": Effect(
        shows="parts of a batch run side by side",
        failure="parts of a batch do not run side by side",
        holds=lambda seen: (
            seen.own.get("parts", 1) == seen.own.get("streams", 1)
            and (seen.own.get("parts", 1) > 1 or seen.own.get("requested_threads", 1) == 1)
        ),
    ),
    "bfloat16_layers": Effect(
        shows="layers are computed in bfloat16",
        failure="layers are not computed in bfloat16",
        holds=lambda seen: seen.own.get("precision_hint") == "bf16",
    ),
}
