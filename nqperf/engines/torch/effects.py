"""What switches of the PyTorch engine must be seen to do."""

from __future__ import annotations

from collections.abc import Mapping

from nqperf.engines.effects import Effect

EFFECTS: Mapping[str, Effect] = {
    "as_called": Effect(
        shows="operations run as they are called",
        failure="PyTorch compiled something",
        holds=lambda seen: seen.traces == 0,
    ),
    "compiled": Effect(
        shows="PyTorch's compiler has the whole function",
        failure="PyTorch did not compile the whole function",
        holds=lambda seen: seen.own.get("compiled") is True,
    ),
    "no_tf32": Effect(
        shows="matrix products are not rounded to TF32",
        failure="TF32 is on",
        holds=lambda seen: not seen.own["tf32"],
    ),
}
