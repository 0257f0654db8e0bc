"""Float32 islands: what a layer widens and brings back to its compute dtype itself, as normalisation and softmax do.

Decided by the trace alone: everything that is wide downstream of a start lies in one layer of a 16-bit policy, and each
way out is a cast to that policy's compute dtype which the layer makes, not one that the next layer has to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nqperf.casts.findings import Island
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.lists import ALLOW
from nqperf.casts.trace.records import HALVES, WIDE, OpRecord, SourceLocation

# Casts that a layer makes itself: written down, or inside an operation of Keras that narrows its own result.
_OWN = ("explicit", "promotion")


def island(flow: Flow, start: int) -> frozenset[int] | None:
    """Return the wide ops of `flow` from `start` on when its layer closes them, None when float32 escapes."""
    first = flow.trace.ops[start]
    if first.compute_dtype not in HALVES:
        return None
    inside = flow.downstream([start])
    if any(flow.trace.ops[index].layer != first.layer for index in inside):
        return None
    for index in inside:
        if flow.is_result(index):
            return None
        for reader in flow.readers(flow.trace.ops[index]):
            if reader.index in inside or reader.out_dtype not in HALVES or reader.op_type != "Cast":
                continue  # a comparison, a shape, a statistic kept in float32
            if reader.kind not in _OWN or reader.layer != first.layer or reader.out_dtype != reader.compute_dtype:
                return None
    return frozenset(inside)


def spares_products(flow: Flow, inside: Iterable[int]) -> bool:
    """Whether no matrix product of the ops `inside` was widened without a word: that would be speed lost by accident.

    `inside` are the indices of an island's ops in `flow`.
    """
    members = set(inside)
    silent = [each for each in flow.trace.ops if each.index in members and each.op_type in ALLOW]
    return not any(_promoted(each) for op in silent for each in flow.inputs(op))


def by_hand(flow: Flow, op: OpRecord) -> bool:
    """Whether somebody widened on purpose and narrows by hand again, in whatever layers: all ways out are explicit.

    `op` is the op of `flow` with which the wide float begins.
    """
    opened = any(
        each.op_type == "Cast" and each.kind == "explicit" and each.in_dtypes[0] in HALVES
        for index in flow.upstream([op.index], lambda each: each.out_dtype in WIDE)
        for each in [flow.trace.ops[index]]
    )
    inside = flow.downstream([op.index])
    exits = [reader for index in inside for reader in flow.readers(flow.trace.ops[index]) if reader.index not in inside]
    narrowed = [reader for reader in exits if reader.op_type == "Cast"]
    ends = [index for index in inside if flow.is_result(index)]
    return opened and bool(narrowed) and not ends and all(cast.kind == "explicit" for cast in narrowed)


def crosses_layers(op: OpRecord, before: OpRecord) -> bool:
    """Whether one layer rounds its result to its policy's dtype and another widens it for its own work.

    `before` is the cast that rounds, `op` the one that widens what it gives.
    """
    return op.layer != before.layer and before.out_dtype == before.compute_dtype


def islands(flow: Flow) -> tuple[Island, ...]:
    """Return every island of `flow` that is opened by widening a half value, each once, in the order of the trace."""
    found: dict[tuple[str, SourceLocation | None], set[int]] = {}
    for start, inside in _opened(flow):
        found.setdefault((start.layer, start.location), set()).update(inside)
    return tuple(
        Island(
            location=location,
            layer=layer,
            ops=len(inside),
            products=sum(flow.trace.ops[index].op_type in ALLOW for index in inside),
        )
        for (layer, location), inside in found.items()
    )


def _opened(flow: Flow) -> Iterator[tuple[OpRecord, frozenset[int]]]:
    seen: set[int] = set()
    for op in flow.trace.ops:
        widens = op.op_type == "Cast" and op.kind in _OWN and op.out_dtype in WIDE and op.in_dtypes[0] in HALVES
        if widens and op.index not in seen:
            inside = island(flow, op.index)
            if inside is not None:
                if not inside & seen:  # else this is one more way into an island that is known
                    yield op, inside
                seen |= inside


def _promoted(op: OpRecord) -> bool:
    return op.op_type == "Cast" and op.kind == "promotion" and op.in_dtypes[0] in HALVES
