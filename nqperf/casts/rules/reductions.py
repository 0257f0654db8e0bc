"""What must not run in a half type, and what mends it: computed in float32, and wide until it may be brought back."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from nqperf.casts.edits import widening
from nqperf.casts.edits.made_wide import IN_FLOAT32, made_in_float32
from nqperf.casts.edits.text import Edit
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import ALLOW, DENY, MOVES
from nqperf.casts.trace.records import HALVES, OpRecord, SourceLocation

# A sum of fewer terms is a handful of additions, which Grappler lets run in 16 bits.
_FEW_TERMS = 8


def in_words(flow: Flow, op: OpRecord) -> str:
    """Return what to do with `op` of `flow`, which must not run in a half type."""
    if square_before(flow, op) is not None:
        return 'cast what is squared to "float32", and bring back what is made of it at last: a root, a quotient'
    if _goes_on(flow, op) or _made_of(flow, op) is not None:
        return 'cast what goes in to "float32", and bring back what is made of it at last: the sum needs it wide, too'
    return IN_FLOAT32


def proposals(flow: Flow, op: OpRecord) -> tuple[Edit, ...]:
    """Return the edits that compute `op` of `flow` in float32: left wide where what follows is better so, or back.

    The last is for a layer of Keras's own, which is made in float32.
    """
    wide = kept_wide(flow, op)
    # What squares sum up to, no cast may bring back to float16: it would overflow there.
    overflows = square_before(flow, op) is not None and op.in_dtypes[0] == "float16"
    back = () if overflows else widening.in_float32(op)
    return tuple(dict.fromkeys([*wide, *back, *made_in_float32(op.location, op.layer)]))


def kept_wide(flow: Flow, op: OpRecord) -> tuple[Edit, ...]:
    """Return the edits that leave `op` of `flow` wide; none where it is brought back at once.

    Brought back before what follows needs it wide, it would be rounded and widened again.
    """
    source, other = _made_of(flow, op), _other_mean(flow, op)
    wide: list[Edit] = []
    if source is not None:
        wide += kept_wide(flow, source)  # the same edit mends both
    if other is not None:
        wide += widening.kept_together(op, other)
    if _goes_on(flow, op):
        wide += widening.kept_until(op, _ends(flow, op))
    if square_before(flow, op) is not None:
        wide += widening.kept_alone(op)
    if wide or _goes_on(flow, op) or square_before(flow, op) is not None:
        wide += widening.kept_wide(op)
    return tuple(dict.fromkeys(wide))


def denied(flow: Flow, op: OpRecord) -> bool:
    """Whether `op` of `flow` is on the deny list, runs in a half type, and is not harmless there."""
    return _halved(op) and not harmless(flow, op)


def square_before(flow: Flow, op: OpRecord) -> OpRecord | None:
    """Return the square that `op` of `flow` reads, through ops that only move it."""
    source = flow.moved_from(op)
    return source if source is not None and _is_square(flow, source) else None


def harmless(flow: Flow, op: OpRecord) -> bool:
    """Whether `op` of `flow` is a short sum, a square that cannot overflow, or the cube in the tanh of a GELU."""
    if op.op_type in ("Sum", "Mean"):
        # bfloat16 sums do not overflow, and adding goes wrong only where there are more terms than it counts.
        few = RANGES["bfloat16"].counts_to if op.in_dtypes[0] == "bfloat16" else _FEW_TERMS
        return 0 < _terms(flow, op) < few
    if op.op_type != "Pow":
        return False
    exponent = flow.inputs(op)[-1].constant
    if exponent is not None and exponent.low == 2.0 and op.in_dtypes[0] == "bfloat16":  # noqa: PLR2004  # x * x
        return True
    if exponent is None or exponent.low != 3.0:  # noqa: PLR2004  # the cube
        return False
    reached, step = op, 0
    while step < 4 and flow.readers(reached):  # noqa: PLR2004  # Pow, Mul, AddV2, Mul, Tanh
        reached = flow.readers(reached)[0]
        step += 1
        if reached.op_type == "Tanh":
            return True
    return False


def _terms(flow: Flow, op: OpRecord) -> int:
    """Return how many terms each value of a reduction over one or two axes has, 0 where the trace does not know."""
    axes = flow.inputs(op)[-1].constant if len(op.producers) > 1 else None
    if op.in_shape is None or axes is None or axes.size > 2:  # noqa: PLR2004  # its two extremes are all of it
        return 0
    sizes = [op.in_shape[int(axis)] for axis in {axes.low, axes.high}]
    return math.prod(size or 0 for size in sizes)


def _halved(op: OpRecord) -> bool:
    return op.op_type in DENY and bool(op.in_dtypes) and op.in_dtypes[0] in HALVES


def _is_square(flow: Flow, op: OpRecord) -> bool:
    if op.op_type == "Pow":
        exponent = flow.inputs(op)[-1].constant
        return exponent is not None and exponent.low == exponent.high == 2.0  # noqa: PLR2004  # x ** 2
    twice = op.op_type == "Mul" and len(op.producers) > 1 and len(set(op.producers)) == 1
    return twice or op.op_type in ("Square", "SquaredDifference")


def _readers(flow: Flow, op: OpRecord) -> Iterator[OpRecord]:
    """Yield the ops that read the values of `op`, through ops that only move them."""
    for reader in flow.readers(op):
        if reader.op_type in MOVES:
            yield from _readers(flow, reader)
        else:
            yield reader


def _goes_on(flow: Flow, op: OpRecord) -> bool:
    """Whether what `op` makes is reduced next in its layer, as a softmax's exponentials are."""
    return any(_halved(reader) and reader.layer == op.layer for reader in _readers(flow, op))


def _made_of(flow: Flow, op: OpRecord) -> OpRecord | None:
    """Return the op on the deny list whose values `op` reduces in the same layer, None where there is none."""
    source = flow.moved_from(op)
    return source if source is not None and _halved(source) and source.layer == op.layer else None


def _other_mean(flow: Flow, op: OpRecord) -> OpRecord | None:
    """Return the reduction of a variance that `op` is a part of, too; None where there is none.

    They are the two means of E[x^2] - E[x]^2, or the mean and what sums the squared differences from it: rounded, the
    mean would be off by more than the variance.
    """
    pairs = [pair for step in [op, *_after(flow, op)] for pair in [_parts(flow, step)] if op in pair]
    others = [each for pair in pairs for each in pair if each is not op and _halved(each)]
    return others[0] if others else None


def _after(flow: Flow, op: OpRecord) -> list[OpRecord]:
    """Return the ops that read `op`, and those that read a square of it."""
    near = list(_readers(flow, op))
    return [*near, *(step for each in near if _is_square(flow, each) for step in _readers(flow, each))]


def _parts(flow: Flow, op: OpRecord) -> list[OpRecord]:
    """Return the two reductions of the variance that `op` ends, none where it ends none."""
    inputs = [_behind(flow, each) for each in flow.inputs(op)]
    square = square_before(flow, op)
    if op.op_type == "Sub" and len(inputs) == 2 and square_before(flow, inputs[0]) is not None:  # noqa: PLR2004  # sides
        mean = flow.moved_from(inputs[1]) if _is_square(flow, inputs[1]) else None
        return [inputs[0], mean] if mean is not None else []
    if square is not None and square.op_type == "SquaredDifference":
        return [op, *(each for each in map(functools.partial(_behind, flow), flow.inputs(square)) if _halved(each))]
    return []


def _behind(flow: Flow, op: OpRecord) -> OpRecord:
    """Return the op that makes the values of `op`, which may only move them."""
    return (flow.moved_from(op) or op) if op.op_type in MOVES else op


def _ends(flow: Flow, op: OpRecord) -> list[SourceLocation]:
    """Return where what is made of `op` leaves its layer; none where a matrix product would be wide."""
    inside, waiting = {op.index}, [op]
    ends: list[SourceLocation | None] = []
    while waiting:
        each = waiting.pop()
        if each.op_type in ALLOW:
            return []
        readers = [reader for reader in flow.readers(each) if reader.layer == op.layer]
        if not readers or len(readers) < len(flow.readers(each)):
            ends.append(each.location)
        waiting += [reader for reader in readers if reader.index not in inside]
        inside |= {reader.index for reader in readers}
    return [end for end in dict.fromkeys(ends) if end is not None] if None not in ends else []
