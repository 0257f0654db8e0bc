"""The rules about numbers, NUM101 to NUM105: each a function from the recorded flow to findings."""

# Long: one function a rule, which are read beside each other.
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nqperf.casts.edits import proposals
from nqperf.casts.findings import Finding
from nqperf.casts.rules import guards
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import DENY, MOVES
from nqperf.casts.trace.records import HALVES, WIDE, Event, OpRecord, SourceLocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A float type's range: its largest finite number, `maximum`, and its smallest above zero, `smallest`.

    `counts_to` is how far it counts without gaps.
    """

    maximum: float
    smallest: float
    counts_to: int


RANGES = {
    "float16": Range(maximum=65504.0, smallest=2.0**-24, counts_to=2048),
    "bfloat16": Range(maximum=3.3895313892515355e38, smallest=2.0**-133, counts_to=256),
    "float32": Range(maximum=3.4028234663852886e38, smallest=2.0**-149, counts_to=2**24),
    "float64": Range(maximum=1.7976931348623157e308, smallest=5e-324, counts_to=2**53),
}

_NAMES = {"zero": "zero", "one": "one", "infinity": "infinity"}

# Reductions over at least this many terms stop adding up: beyond counts_to equal terms a sum no longer grows.
_DEEP = ("Softmax", "LogSoftmax", "Cumsum", "CumulativeLogsumexp", "Prod", "EuclideanNorm")

# A sum of fewer terms is a handful of additions, which Grappler lets run in 16 bits.
_FEW_TERMS = 8

# Ops through which a constant's magnitude comes out no smaller; a product with an unknown tensor of 0 and 1 too.
_CARRIES = MOVES | {"Mul", "Neg", "Pack", "ConcatV2", "Select", "SelectV2", "Fill", "Maximum", "Minimum"}
_LOSSES = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")
_ADDS = frozenset({"AddV2", "Add", "AddN", "Sub", "BiasAdd"})


def overflow(flow: Flow) -> Iterator[Finding]:
    """NUM101: a finite number becomes infinite in a half type, in `flow`."""
    yield from _overflowed_scalars(flow)
    for op in flow.trace.ops:
        # The audit's own repairs count: the edit that it proposes for a mismatch would overflow just so.
        if op.op_type != "Cast" or op.out_dtype not in HALVES or op.in_dtypes[0] not in WIDE:
            continue
        large = large_constant(flow, op.producers[0], RANGES[op.out_dtype].maximum)
        if large is not None and large.constant is not None:
            value = extreme(large)
            yield Finding(
                rule="NUM101",
                location=op.location,
                layer=op.layer,
                message=f"what carries the constant {value:g} is cast to {op.out_dtype} and becomes infinite",
                edit=f"use a constant that {op.out_dtype} holds, such as -10000.0 for a mask",
                origin=large.location,
                proposals=proposals.finite_mask(large.location, value, op.out_dtype),
            )


def rounded_guard(flow: Flow) -> Iterator[Finding]:
    """NUM102: a number above zero that becomes zero, or a bound that becomes 0, 1 or infinity, where it guards.

    Both are looked for in `flow`.
    """
    for op in flow.trace.ops:
        lost = _rounded(flow, op)
        harm = guards.harm(flow, op, lost[1]) if lost is not None else None
        if lost is None or harm is None:
            continue
        number, becomes, origin = lost
        dtype = op.out_dtype
        yield Finding(
            rule="NUM102",
            location=harm.start.location or op.location,
            layer=harm.start.layer,
            message=f"the number {number:.12g} becomes {_NAMES[becomes]} in {dtype}, {harm.why}",
            edit='compute it in float32: cast what goes in to "float32", and the result back',
            origin=origin,
            proposals=proposals.in_float32(harm.start, harm.end.location),
        )


def zero_times_infinity(flow: Flow) -> Iterator[Finding]:
    """NUM103: a product in `flow` of an infinite constant and a tensor that may hold zeros."""
    for op in flow.trace.ops:
        if op.op_type not in ("Mul", "MulNoNan") or op.out_dtype not in (*HALVES, *WIDE) or op.op_type == "MulNoNan":
            continue
        infinite = [each for each in flow.inputs(op) if _infinite(flow, each)]
        others = [each for each in flow.inputs(op) if each not in infinite and each.op_type != "Const"]
        if infinite and others:
            yield Finding(
                rule="NUM103",
                location=op.location,
                layer=op.layer,
                message=f"infinity times a {op.out_dtype} tensor: wherever it is zero the product is NaN",
                edit="choose with where(mask, 0.0, minimum) instead of multiplying, or use a finite minimum",
                origin=infinite[0].location,
            )


def summed_minima(flow: Flow) -> Iterator[Finding]:
    """NUM104: two mask terms of `flow`, each beyond half the range, are added."""
    for op in flow.trace.ops:
        if op.op_type not in _ADDS or op.out_dtype not in RANGES:
            continue
        half = RANGES[op.out_dtype].maximum / 2
        masks = [large for index in op.producers if (large := _summand(flow, index, half)) is not None]
        if len(masks) > 1 and len({math.copysign(1, extreme(mask)) for mask in masks}) == 1:
            total = sum(extreme(mask) for mask in masks)
            yield Finding(
                rule="NUM104",
                location=op.location,
                layer=op.layer,
                message=f"two mask minima are summed: {total:g} is beyond {op.out_dtype} and becomes infinite",
                edit="combine the masks before they become numbers, or take the minimum of the two terms",
                origin=masks[0].location,
            )


def dangerous_in_half(flow: Flow) -> Iterator[Finding]:
    """NUM105: an op of `flow` on the deny list in a half type, or a reduction deeper than the type can count."""
    for op in flow.trace.ops:
        if not op.in_dtypes or op.in_dtypes[0] not in HALVES:
            continue
        depth = op.in_shape[-1] if op.in_shape else None
        deep = op.op_type in _DEEP and depth is not None and depth > RANGES[op.in_dtypes[0]].counts_to
        if deep or (op.op_type in DENY and not _harmless(flow, op)):
            why = f"a reduction of {depth} terms" if deep else "on Grappler's deny list"
            # What squares sum up to, no cast may bring back: it would overflow there.
            squares = op.in_dtypes[0] == "float16" and _square_before(flow, op) is not None
            yield Finding(
                rule="NUM105",
                location=op.location,
                layer=op.layer,
                message=f"{op.op_type} ({why}) runs in {op.in_dtypes[0]}",
                edit='compute it in float32: cast what goes in to "float32", and the result back',
                proposals=proposals.kept_wide(op) if squares else proposals.in_float32(op),
            )


def squared_in_half(flow: Flow) -> Iterator[Finding]:
    """NUM105: a square that is computed in float16 and then cast to float32 to be summed: it has overflowed before.

    It is looked for in `flow`.
    """
    for op in flow.trace.ops:
        widened = op.op_type == "Cast" and op.in_dtypes[0] == "float16" and op.out_dtype in WIDE
        square = _square_before(flow, op) if widened else None
        if square is not None and any(reader.op_type in ("Sum", "Mean") for reader in flow.readers(op)):
            yield Finding(
                rule="NUM105",
                location=op.location,
                layer=op.layer,
                message="a square runs in float16 before it is cast to float32: beyond 255 it is infinite",
                edit="cast first and square then",
                origin=square.location,
                proposals=(*proposals.cast_inside(op.location), *proposals.kept_wide(op)),
            )


def rounded_loss(flow: Flow) -> Iterator[Finding]:
    """NUM105: a cross entropy of half logits in `flow`, which TensorFlow computes in float32 and then rounds."""
    for op in flow.trace.ops:
        if op.op_type not in _LOSSES or op.out_dtype not in WIDE or not op.producers:
            continue
        inside = [flow.trace.ops[index] for index in flow.upstream([op.index], functools.partial(_of_loss, loss=op))]
        halves = {each.in_dtypes[0] for each in inside if each.op_type == "Cast" and each.in_dtypes[0] in HALVES}
        ends = flow.downstream([op.index])
        narrowed = [r for index in ends for r in flow.readers(flow.trace.ops[index]) if r.out_dtype in halves]
        if any(each.op_type == "Cast" and each.location == op.location for each in narrowed):
            half = next(iter(halves))
            yield Finding(
                rule="NUM105",
                location=op.location,
                layer=op.layer,
                message=f"{op.op_type} (on Grappler's deny list) gets {half} logits, and its loss is rounded to {half}",
                edit='cast the logits to "float32"',
                proposals=proposals.kept_wide(op),
            )


RULES: tuple[Callable[[Flow], Iterator[Finding]], ...] = (
    overflow,
    rounded_guard,
    zero_times_infinity,
    summed_minima,
    dangerous_in_half,
    squared_in_half,
    rounded_loss,
)


def _overflowed_scalars(flow: Flow) -> Iterator[Finding]:
    for event in flow.trace.events:
        if event.kind == "overflow" and event.value is not None and not _only_clips(flow, event):
            yield Finding(
                rule="NUM101",
                location=event.location,
                layer=event.layer,
                message=f"the number {event.value:g} overflows to infinity in {event.target}",
                edit=f"a number that {event.target} holds: -10000.0 for a mask, or half the minimum of x.dtype",
                proposals=proposals.finite_mask(event.location, event.value, event.target),
            )


def _rounded(flow: Flow, op: OpRecord) -> tuple[float, str, SourceLocation | None] | None:
    """Return the number that `op` holds or is cast from, what it becomes in its half type, and where it is from."""
    if op.out_dtype not in HALVES:
        return None
    source = flow.moved_from(op) if op.op_type == "Cast" and op.in_dtypes[0] in WIDE else op
    if source is None or source.constant is None:
        return None
    for number in {extreme(source), source.constant.low, source.constant.high}:
        becomes = guards.rounded(number, op.out_dtype, RANGES[op.out_dtype])
        if becomes is not None:
            return number, becomes, source.location if source is not op else None
    return None


def _of_loss(each: OpRecord, loss: OpRecord) -> bool:
    return each.location == loss.location and each.layer == loss.layer


def _square_before(flow: Flow, op: OpRecord) -> OpRecord | None:
    """Return the square that `op` reads, through ops that only move it."""
    source = flow.moved_from(op)
    if source is None:
        return None
    twice = source.op_type == "Mul" and len(set(source.producers)) == 1
    return source if twice or source.op_type in ("Square", "SquaredDifference") else None


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
    if op.op_type in _CARRIES or op.op_type in _ADDS:
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


def _summand(flow: Flow, index: int, limit: float) -> OpRecord | None:
    """Return the constant that makes op `index` a mask term: large, finite or overflowed, and chosen by a mask."""
    large = large_constant(flow, index, limit)
    return large if large is not None and index >= 0 and flow.trace.ops[index].op_type != "Const" else None


def _infinite(flow: Flow, op: OpRecord) -> bool:
    """Whether `op` is an infinite constant, moved or cast at most."""
    source: OpRecord | None = op
    while source is not None and source.op_type == "Cast":
        before = flow.moved_from(source)
        if before is not None and before.constant is not None and source.out_dtype in RANGES:
            return abs(extreme(before)) > RANGES[source.out_dtype].maximum
        source = before
    source = flow.moved_from(op) if source is op and op.op_type in MOVES else source
    return source is not None and source.constant is not None and source.constant.infinite


def _terms(flow: Flow, op: OpRecord) -> int:
    """Return how many terms each value of a reduction over one or two axes has, 0 where the trace does not know."""
    axes = flow.inputs(op)[-1].constant if len(op.producers) > 1 else None
    if op.in_shape is None or axes is None or axes.size > 2:  # noqa: PLR2004  # its two extremes are all of it
        return 0
    sizes = [op.in_shape[int(axis)] for axis in {axes.low, axes.high}]
    return math.prod(size or 0 for size in sizes)


def _only_clips(flow: Flow, event: Event) -> bool:
    """Whether the number is but the far bound of a clip: an infinity cuts no more than it does."""
    if event.kind != "overflow" or not event.operands or event.operands[0].producer < 0:
        return False
    keeps = "Maximum" if event.value is not None and event.value < 0 else "Minimum"
    readers = flow.readers(flow.trace.ops[event.operands[0].producer])
    return bool(readers) and all(reader.op_type == keeps for reader in readers)


def _harmless(flow: Flow, op: OpRecord) -> bool:
    """Whether this is a short sum, a square that cannot overflow, or the cube in the tanh of a GELU."""
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
