"""The rule about ops that must not run in a half type, NUM105: functions from the recorded flow to findings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from nqperf.casts.edits import widening
from nqperf.casts.findings import Finding
from nqperf.casts.rules import reductions
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.records import HALVES, WIDE, OpRecord

# Reductions over at least this many terms stop adding up: beyond counts_to equal terms a sum no longer grows.
_DEEP = ("Softmax", "LogSoftmax", "Cumsum", "CumulativeLogsumexp", "Prod", "EuclideanNorm")

_LOSSES = ("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")


def dangerous_in_half(flow: Flow) -> Iterator[Finding]:
    """NUM105: an op of `flow` on the deny list in a half type, or a reduction deeper than the type can count."""
    for op in flow.trace.ops:
        if not op.in_dtypes or op.in_dtypes[0] not in HALVES:
            continue
        depth = op.in_shape[-1] if op.in_shape else None
        deep = op.op_type in _DEEP and depth is not None and depth > RANGES[op.in_dtypes[0]].counts_to
        if deep or reductions.denied(flow, op):
            why = f"a reduction of {depth} terms" if deep else "on Grappler's deny list"
            yield Finding(
                rule="NUM105",
                location=op.location,
                layer=op.layer,
                message=f"{op.op_type} ({why}) runs in {op.in_dtypes[0]}",
                edit=reductions.in_words(flow, op),
                proposals=reductions.proposals(flow, op),
            )


def squared_in_half(flow: Flow) -> Iterator[Finding]:
    """NUM105: a square that is computed in float16 and then cast to float32 to be summed: it has overflowed before.

    It is looked for in `flow`.
    """
    for op in flow.trace.ops:
        widened = op.op_type == "Cast" and op.in_dtypes[0] == "float16" and op.out_dtype in WIDE
        square = reductions.square_before(flow, op) if widened else None
        if square is not None and any(reader.op_type in ("Sum", "Mean") for reader in flow.readers(op)):
            yield Finding(
                rule="NUM105",
                location=op.location,
                layer=op.layer,
                message="a square runs in float16 before it is cast to float32: beyond 255 it is infinite",
                edit="cast first and square then",
                origin=square.location,
                proposals=(*widening.cast_inside(op.location), *widening.kept_wide(op)),
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
                proposals=widening.kept_wide(op),
            )


RULES: tuple[Callable[[Flow], Iterator[Finding]], ...] = (dangerous_in_half, squared_in_half, rounded_loss)


def _of_loss(each: OpRecord, loss: OpRecord) -> bool:
    return each.location == loss.location and each.layer == loss.layer
