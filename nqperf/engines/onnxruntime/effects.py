"""What switches of the ONNX Runtime engine must be seen to do."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.engines.effects import Effect

EFFECTS: Mapping[str, Effect] = {
    "provider": Effect(
        shows="the provider that was asked for computes, and no other",
        failure="another provider than was asked for computes",
        holds=lambda seen: seen.own.get("provider") == seen.own.get("requested_provider", ""),
    ),
}
