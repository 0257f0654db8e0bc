"""Constants in a trace: the largest that an op holds, and the one whose magnitude an op carries on."""

from __future__ import annotations

import math

from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import MOVES
from nqperf.casts.trace.records import HALVES, WIDE, OpRecord

# Ops through which a constant's magnitude comes out no smaller; a product with an unknown tensor of 0 and 1 too.
_CARRIES = MOVES | {"Mul", "Neg", "Pack", "ConcatV2", "Select", "SelectV2", "Fill", "Maximum", "Minimum"}
ADDS = frozenset({"AddV2", "Add", "AddN", "Sub", "BiasAdd"})


def extreme(op: OpRecord) -> float:
    """Return the constant of largest magnitude that `op` holds."""
    if op.constant is None:
        return 0.0
    if op.constant.original is not None:
        return op.constant.original
    return op.constant.low if abs(op.constant.low) >= abs(op.constant.high) else op.constant.high


def large_constant(  # noqa: PLR0911  # one return a kind of op
    flow: Flow, index: int, limit: float, depth: int = 24
) -> OpRecord | None:
    """Return the finite constant above `limit` that op `index` of `flow` carries, None when there is none.

    It is looked for through at most `depth` ops.
    """
    if index < 0 or depth == 0:
        return None
    op = flow.trace.ops[index]
    if op.constant is not None:
        return op if math.isfinite(extreme(op)) and abs(extreme(op)) > limit else None
    if op.op_type == "Cast" and op.in_dtypes[0] in (*WIDE, *HALVES):
        return large_constant(flow, op.producers[0], limit, depth - 1)
    if op.op_type in ("Maximum", "Minimum"):
        return None  # a clip: what is large is cut, or cuts
    if op.op_type in _CARRIES or op.op_type in ADDS:
        if op.op_type == "Mul" and _shrinks(flow, op):
            return None
        first = op.producers[1:] if op.op_type in ("Select", "SelectV2", "Fill") else op.producers
        moved = op.producers[:1] if op.op_type in MOVES else first
        found = (large_constant(flow, each, limit, depth - 1) for each in moved)
        return next((each for each in found if each is not None), None)
    return None


def _shrinks(flow: Flow, op: OpRecord) -> bool:
    """Whether a product has a constant factor below one, which may take a large value back into range."""
    return any(each.constant is not None and 0 < abs(extreme(each)) < 1 for each in flow.inputs(op))
