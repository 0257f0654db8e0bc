"""How large a quotient becomes where an epsilon alone keeps its denominator from zero.

The epsilon may stand, and what it makes be too large: 1 / (norm + 1e-6) is a million for a row of zeros, which float16
does not hold. Times the zeros it is NaN then.
"""

from __future__ import annotations

import math

from nqperf.casts.rules.constants import extreme
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import MOVES
from nqperf.casts.trace.records import HALVES, OpRecord

_DEPTH = 12
# Ops whose values are zero or more, and zero for zeros.
_NORMS = frozenset({"Square", "SquaredDifference", "Abs", "Relu"})
# Ops that leave such values so.
_KEEP = MOVES | {"Cast", "Sum", "Mean", "Max", "Sqrt"}


def most(flow: Flow, op: OpRecord) -> float | None:
    """Return how large the quotient `op` of `flow` becomes where what its epsilon guards is zero.

    None for any other op, where nothing says that it may be zero (a sum of squares or of magnitudes may), and where
    the epsilon itself becomes zero in a half type, which is another finding.
    """
    inputs = flow.inputs(op)
    if not inputs:
        return None
    if op.op_type in ("Rsqrt", "Reciprocal", "Inv"):
        least, power, numerator = _least(flow, inputs[0]), -0.5 if op.op_type == "Rsqrt" else -1.0, 1.0
    elif op.op_type in ("RealDiv", "Div") and len(inputs) > 1 and inputs[0].constant is not None:
        least, power, numerator = _least(flow, inputs[1]), -1.0, abs(extreme(inputs[0]))
    elif op.op_type == "Pow" and len(inputs) > 1 and inputs[1].constant is not None:
        least, power, numerator = _least(flow, inputs[0]), inputs[1].constant.low, 1.0
    else:
        return None
    if least is None or power >= 0:
        return None
    try:
        return float(numerator * least**power)
    except OverflowError:  # beyond float64, too
        return math.inf


def _least(flow: Flow, op: OpRecord, depth: int = _DEPTH) -> float | None:
    """Return the least that a guarded `op` may be, None where it is none: an epsilon added, or a lower bound."""
    inputs = flow.inputs(op)
    if not depth or not inputs:
        return None
    if op.op_type in MOVES or op.op_type in ("Cast", "Sqrt"):
        least = _least(flow, inputs[0], depth - 1)
        return least if least is None or op.op_type != "Sqrt" else least**0.5
    if op.op_type not in ("AddV2", "Add", "Maximum") or len(inputs) < 2:  # noqa: PLR2004  # two sides
        return None
    lost = RANGES[op.out_dtype].smallest / 2 if op.out_dtype in HALVES else 0.0
    guards = [abs(extreme(each)) for each in inputs if each.constant is not None]
    guarded = [each for each in inputs if each.constant is None]
    alone = len(guards) == 1 and guards[0] > lost and _may_be_zero(flow, guarded[0], depth)
    return guards[0] if alone else None


def _may_be_zero(flow: Flow, op: OpRecord, depth: int) -> bool:
    """Whether `op` is a square, a magnitude, or what such are summed up to."""
    inputs = flow.inputs(op)
    if not depth or not inputs:
        return False
    if op.op_type in _NORMS or (op.op_type == "Mul" and len(op.producers) > 1 and len(set(op.producers)) == 1):
        return True
    if op.op_type == "Pow":
        exponent = inputs[-1].constant
        return exponent is not None and exponent.low == exponent.high == 2.0  # noqa: PLR2004  # x ** 2
    # E[x^2] - E[x]^2, too.
    return (op.op_type in _KEEP or op.op_type == "Sub") and _may_be_zero(flow, inputs[0], depth - 1)
