"""What an engine was seen to do: the same few states for all engines, and each one's own beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

Plain = str | int | float | bool | None


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """The states that were found, on what was executed; the effects of the variants table read them.

    `engine` is its name, `compute_dtype` what its layers compute in, as it calls that, and `batch_size` the windows of
    a batch. `device` is the kind of device that matrix products were executed on, "cpu" or "gpu" (several with commas
    between); None where nothing tells. `traces` counts the graphs that were traced or compiled so far. `matmuls` is the
    number of matrix products of a batch, `low_precision_matmul_share` the share of them in 16 bits or fewer; None where
    nothing tells. `intra_op_threads` are those that share one operation, 0 where the library takes all cores;
    `process_threads` all of the process, None where the system does not tell. `keeps_memory` tells whether malloc keeps
    large blocks that were freed; the worker sees it, no engine. So it does `in_flight`: the most batches that the
    device had at once, none of them finished when the last was handed over; None where they are waited for one by one.
    `window_gflops` is what a window's matrix products come to in billions of operations, `product_gflops` how many of
    them a second a large product alone reaches in `product_type`; the worker finds them. `own` holds what only this
    engine has.
    """

    engine: str
    compute_dtype: str
    batch_size: int
    device: str | None = None
    traces: int
    matmuls: int | None
    low_precision_matmul_share: float | None
    intra_op_threads: int
    process_threads: int | None
    keeps_memory: bool | None = None
    in_flight: int | None = None
    window_gflops: float | None = None
    product_type: str | None = None
    product_gflops: float | None = None
    own: dict[str, Any]

    def record(self) -> dict[str, Plain]:
        """Return the states as the results file holds them, the engine's own among the others."""
        common = msgspec.to_builtins(self)
        return flat({**common.pop("own"), **common})


def flat(states: Mapping[str, Any]) -> dict[str, Plain]:
    """Return nested `states` under dotted names."""
    found: dict[str, Plain] = {}
    for name, value in states.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            found[name] = value
    return found


def process_threads() -> int | None:
    """Return the number of threads of this process, or None where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208  # names are enough
    except OSError:
        return None
