"""The rules about numbers that a half type cannot hold, NUM101 to NUM104: functions from the flow to findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from nqperf.casts.edits import proposals, widening
from nqperf.casts.edits.made_wide import IN_FLOAT32, made_in_float32
from nqperf.casts.edits.text import Edit
from nqperf.casts.findings import Finding
from nqperf.casts.rules import guards, quotients, reductions
from nqperf.casts.rules.constants import ADDS, extreme, large_constant
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import MOVES
from nqperf.casts.trace.records import HALVES, WIDE, Event, OpRecord, SourceLocation

_ROOTS = MOVES | {"Sqrt"}
_NAMES = {"zero": "zero", "one": "one", "infinity": "infinity"}


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
            edit=IN_FLOAT32,
            origin=origin,
            proposals=(
                *_wide_before(flow, harm.start),
                *widening.in_float32(harm.start, harm.end.location),
                *_left_unrounded(flow, harm.start),
                *made_in_float32(harm.start.location, harm.start.layer),
            ),
        )


def large_quotient(flow: Flow) -> Iterator[Finding]:
    """NUM101: a quotient in `flow` is beyond a half type where its epsilon alone is left of the denominator."""
    for op in flow.trace.ops:
        if op.out_dtype not in HALVES:
            continue
        source = flow.moved_from(op) if op.op_type == "Cast" and op.in_dtypes[0] in WIDE else op
        reached = quotients.most(flow, source) if source is not None else None
        if source is None or reached is None or reached <= RANGES[op.out_dtype].maximum:
            continue
        yield Finding(
            rule="NUM101",
            location=op.location or source.location,
            layer=op.layer,
            message=(
                f"the {source.op_type} is {reached:.3g} where its epsilon alone is left of what it divides by, and "
                f"infinity in {op.out_dtype}: times zeros it is NaN"
            ),
            edit=f"bring back to {op.out_dtype} the product with the quotient, not the quotient; or a larger epsilon",
            origin=source.location if source is not op else None,
            proposals=(
                *(widening.cast_outside(op.location) if source is not op else _wide_product(flow, op)),
                *made_in_float32(op.location, op.layer),
            ),
        )


def _wide_product(flow: Flow, quotient: OpRecord) -> tuple[Edit, ...]:
    """Return the edits that compute a `quotient`, and the product that reads it, in float32."""
    return tuple(edit for each in flow.readers(quotient) for edit in widening.in_float32(quotient, each.location))


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
        if op.op_type not in ADDS or op.out_dtype not in RANGES:
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
                proposals=proposals.finite_masks([(mask.location, extreme(mask)) for mask in masks], op.out_dtype),
            )


RULES: tuple[Callable[[Flow], Iterator[Finding]], ...] = (
    overflow,
    rounded_guard,
    large_quotient,
    zero_times_infinity,
    summed_minima,
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
                proposals=(*proposals.finite_mask(event.location, event.value, event.target), *_left_wide(flow, event)),
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


def _wide_before(flow: Flow, guarded: OpRecord) -> tuple[Edit, ...]:
    """Return the edits that keep the reduction wide which, or whose root, a guard is added to: it is wide with it."""
    before = flow.upstream([guarded.index], lambda each: each is guarded or each.op_type in _ROOTS)
    read = [each for index in sorted(before) for each in flow.inputs(flow.trace.ops[index])]
    near = [each for each in read if reductions.denied(flow, each) and each.layer == guarded.layer]
    return tuple(edit for each in near for edit in reductions.kept_wide(flow, each))


def _left_unrounded(flow: Flow, guarded: OpRecord) -> tuple[Edit, ...]:
    """Return edits by which what a guard is added to stays wide, where it was made wide and rounded for nothing.

    tf.nn.moments computes in float32 and rounds: casting its result would round and widen, so what it gets is cast.
    """
    rounded = [each for each in flow.inputs(guarded) if each.op_type == "Cast" and each.in_dtypes[0] in WIDE]
    return tuple(edit for each in rounded for edit in widening.kept_wide(each))


def _left_wide(flow: Flow, event: Event) -> tuple[Edit, ...]:
    """Return edits that compute what takes the number in float32 and leave it so."""
    if not event.operands or event.operands[0].producer < 0:
        return ()
    readers = flow.readers(flow.trace.ops[event.operands[0].producer])
    return tuple(edit for reader in readers[:1] for edit in widening.kept_wide(reader))


def _only_clips(flow: Flow, event: Event) -> bool:
    """Whether the number is but the far bound of a clip: an infinity cuts no more than it does."""
    if event.kind != "overflow" or not event.operands or event.operands[0].producer < 0:
        return False
    keeps = "Maximum" if event.value is not None and event.value < 0 else "Minimum"
    readers = flow.readers(flow.trace.ops[event.operands[0].producer])
    return bool(readers) and all(reader.op_type == keeps for reader in readers)
