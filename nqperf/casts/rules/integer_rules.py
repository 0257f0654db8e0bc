"""NUM107: integers that travel through a half type which does not count that far."""

from __future__ import annotations

from collections.abc import Iterator

from nqperf.casts.findings import Finding
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import MOVES
from nqperf.casts.trace.records import HALVES, OpRecord


def integer_in_half(flow: Flow) -> Iterator[Finding]:
    """NUM107: integers of `flow` in a half type beyond the point where it skips some of them."""
    for op in flow.trace.ops:
        top = _counted(flow, op)
        if top is not None:
            half = op.out_dtype if op.out_dtype in HALVES else op.in_dtypes[0]
            yield Finding(
                rule="NUM107",
                location=op.location,
                layer=op.layer,
                message=f"integers {top} travel in {half}, which holds every integer only to {_counts_to(half)}",
                edit="keep integers in int32; a layer casts floating arguments down, integer ones it leaves alone",
            )


def _counts_to(dtype: str) -> int:
    return RANGES[dtype].counts_to


def _counted(flow: Flow, op: OpRecord) -> str | None:
    """Return how far the integers go that `op` takes into or out of a half type, None when they are harmless."""
    if op.op_type == "Range" and op.out_dtype in HALVES:
        top = max((_top(flow, each) or 0 for each in flow.inputs(op)), default=0)
        return f"up to {top:.0f}" if top > _counts_to(op.out_dtype) else None
    if op.op_type != "Cast" or op.kind == "repair":
        return None
    if op.out_dtype in HALVES and op.in_dtypes[0].startswith(("int", "uint")):
        top = _top(flow, flow.moved_from(op)) or 0
        return f"up to {top:.0f}" if top > _counts_to(op.out_dtype) else None
    if op.in_dtypes[0] in HALVES and op.out_dtype.startswith(("int", "uint")):
        before = flow.moved_from(op)
        narrowed = before is not None and before.op_type == "Cast" and before.out_dtype in HALVES
        raw = before is not None and before.op_type == "Placeholder"
        looked_up = [table for reader in flow.readers(op) if (table := _table(flow, reader)) is not None]
        if (narrowed or raw) and (not looked_up or max(looked_up) > _counts_to(op.in_dtypes[0])):
            return f"up to {max(looked_up)}" if looked_up else "of unknown size"
    return None


def _top(flow: Flow, op: OpRecord | None) -> float | None:
    """Return the largest integer that `op` can hold, where constants and ranges say it."""
    if op is None:
        return None
    if op.constant is not None:
        return max(abs(op.constant.low), abs(op.constant.high))
    if op.op_type in ("Range", "Cast", "Maximum", "AddV2", "Mul"):
        tops = [_top(flow, each) for each in flow.inputs(op)]
        return max((top for top in tops if top is not None), default=None)
    return _top(flow, flow.moved_from(op)) if op.op_type in MOVES else None


def _table(flow: Flow, op: OpRecord) -> int | None:
    """Return the number of rows that `op` looks indices up in, None when it looks up nothing of known size."""
    if op.op_type in MOVES and op.op_type not in ("GatherV2", "Gather"):
        rows = [found for reader in flow.readers(op) if (found := _table(flow, reader)) is not None]
        return max(rows, default=None)
    if op.op_type in ("GatherV2", "Gather", "ResourceGather") and op.in_shape:
        return op.in_shape[0]
    return None
