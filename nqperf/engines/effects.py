"""What a switch must be seen to do, in words and as a test of an engine's states: those that every engine can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nqperf.engines.state import EngineState

# Attention's and the heads' products may stay wide under auto mixed precision; most must not.
_MOST = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a switch must be seen to do: `holds` gets the variant's observed states.

    `failure` says what was not so where it does not hold, `shows` what is so where it does. What must be so in the
    baseline for that, the row requires: an effect does not see the baseline.
    """

    failure: str
    holds: Callable[[EngineState], bool]
    shows: str = ""

    @property
    def proves(self) -> str:
        """What is proven where it holds."""
        return self.shows or f"not so: {self.failure}"


SHARED: Mapping[str, Effect] = {
    "wide": Effect(
        shows="all matrix products are wider than 16 bits",
        failure="matrix products are in 16 bits",
        holds=lambda seen: seen.low_precision_matmul_share == 0,
    ),
    "narrow": Effect(
        shows="4 in 5 matrix products or more are in 16 bits",
        failure="fewer than 4 in 5 matrix products are in 16 bits",
        holds=lambda seen: (seen.low_precision_matmul_share or 0) >= _MOST,
    ),
    "int8": Effect(
        shows="half of the matrix products or more are in 8 bits",
        failure="fewer than half of the matrix products are in 8 bits",
        holds=lambda seen: seen.matmuls is not None and seen.own.get("int8_matmuls", 0) >= seen.matmuls / 2,
    ),
    "threads": Effect(
        shows="an operation has as many threads as were asked for",
        failure="an operation has another number of threads than was asked for",
        holds=lambda seen: seen.intra_op_threads == seen.own.get("requested_threads"),
    ),
    "in_flight": Effect(
        shows="the device had two batches or more at once",
        failure="the device never had two batches at once",
        holds=lambda seen: (seen.in_flight or 0) > 1,
    ),
    "keeps_memory": Effect(
        shows="malloc keeps large blocks that were freed",
        failure="malloc keeps no memory",
        holds=lambda seen: seen.keeps_memory is True,
    ),
}
