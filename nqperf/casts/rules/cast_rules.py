"""The rules about casts and where they lead, CAST004 to CAST009: each a function from the recorded flow to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nqperf.casts.edits import branches, proposals
from nqperf.casts.findings import Finding
from nqperf.casts.rules.conflict_rules import origin_of
from nqperf.casts.rules.islands import crosses_layers
from nqperf.casts.trace.flow import Flow, allow_list_share
from nqperf.casts.trace.lists import ALLOW, MOVES
from nqperf.casts.trace.records import HALVES, WIDE, OpRecord

# A 16-bit policy is in effect when at least this share of the allow list's ops runs in a half type.
POLICY_SHARE = 0.5

_SEALED = ("PartitionedCall", "StatefulPartitionedCall")
# What a new value is made of the old one by: a step, a mean that moves, a bound.
_UPDATES = MOVES | {"AddV2", "Add", "Sub", "Mul", "RealDiv", "Neg", "Maximum", "Minimum", "Cast", "ReadVariableOp"}
_CONTROL = {"If": "the branches return", "Case": "the branches return", "While": "the rounds of the loop have"}


def lossy_round_trip(flow: Flow) -> Iterator[Finding]:
    """CAST004: float32 rounded to a half type and widened again in `flow`, with nothing computed between."""
    for op, before in _cast_pairs(flow):
        rounded = before.in_dtypes[0] in WIDE and before.out_dtype in HALVES and op.out_dtype in WIDE
        # What a layer casts on its way in, it is not handed otherwise; and what float32 layers do is their own.
        wished = before.kind == "autocast" or op.compute_dtype in WIDE or before.compute_dtype in WIDE
        if rounded and not wished and not crosses_layers(op, before):
            yield Finding(
                rule="CAST004",
                location=op.location,
                layer=op.layer,
                message=(
                    f"{before.in_dtypes[0]} is rounded to {before.out_dtype} and widened to {op.out_dtype} again: "
                    "the digits are lost and nothing is gained"
                ),
                edit="use the value from before it was rounded",
                origin=before.location,
            )


def redundant_cast(flow: Flow) -> Iterator[Finding]:
    """CAST005: a half type widened and narrowed again in `flow`, with nothing computed between."""
    for op, before in _cast_pairs(flow):
        widened = before.in_dtypes[0] in HALVES and before.out_dtype in WIDE and op.out_dtype == before.in_dtypes[0]
        # A float32 layer gives back float32: the cast that follows is what makes the model build. What a layer is
        # handed wide by the policy, or by a functional model whose inputs are float32, nobody has written.
        if widened and before.compute_dtype in HALVES and before.kind != "autocast":
            # What a layer casts on its way in is the policy's doing: to blame is who widened it before.
            blamed = before if op.kind == "autocast" else op
            yield Finding(
                rule="CAST005",
                location=blamed.location,
                layer=blamed.layer,
                message=f"{op.out_dtype} is widened to {before.out_dtype} and narrowed again with nothing between",
                edit="drop both casts" if blamed is op else "drop this cast: the next layer takes it back",
                origin=before.location if blamed is op else None,
                proposals=proposals.without_cast(blamed.location),
                reached=frozenset([op.index]) if op.kind == "autocast" else frozenset(),
            )


def policy_not_in_effect(flow: Flow) -> Iterator[Finding]:
    """CAST006: a 16-bit policy was asked for, but most matrix products of `flow` run in float32."""
    halves, allowed = allow_list_share(flow.trace)
    # What a leak widens inside a 16-bit layer is CAST003's; here it is the layers that have another policy.
    outside = [op for op in flow.trace.ops if op.op_type in ALLOW and op.compute_dtype not in HALVES]
    # Where the policy was in force, float32 was asked for by name: a head, a gate; but not the whole model.
    wished = flow.trace.by_name and (halves > 0 or len({op.layer for op in outside}) < 2)  # noqa: PLR2004  # one
    if flow.trace.model_dtype in HALVES and allowed and len(outside) / allowed > 1 - POLICY_SHARE and not wished:
        first = outside[0]
        yield Finding(
            rule="CAST006",
            location=first.location,
            layer=first.layer,
            message=(
                f"the policy asks for {flow.trace.model_dtype}, but {halves} of {allowed} matrix products run in it "
                f"({halves / allowed:.0%}; at least {POLICY_SHARE:.0%} expected); this is the first that does not"
            ),
            edit="give every layer the policy by name: dtype=self.dtype_policy",
        )


def branch_mismatch(flow: Flow) -> Iterator[Finding]:
    """CAST007: branches or loop rounds of `flow` that return different float types."""
    for event in flow.trace.events:
        if event.kind == "branch":
            types = ", ".join(f"{operand.name} {operand.dtype}" for operand in event.operands)
            yield Finding(
                rule="CAST007",
                location=event.location,
                layer=event.layer,
                message=f"{_CONTROL.get(event.op_type, event.op_type)} {types}: TensorFlow refuses to build it",
                edit="cast the results of every branch, or the loop's variable, to one dtype: x.dtype of its input",
                proposals=branches.for_branch(event),
            )


def write_back(flow: Flow) -> Iterator[Finding]:
    """CAST008: a value of another float type assigned to a variable in `flow`, or one that went through a half type."""
    for op in flow.trace.ops:
        half = _through_half(flow, op)
        if half is not None:
            yield Finding(
                rule="CAST008",
                location=op.location,
                layer=op.layer,
                message=f"the variable is read in {half} and written back: the digits that {half} lacks are lost",
                edit="make the variable with autocast=False, and compute its new value in float32",
            )
    for event in flow.trace.events:
        if event.kind == "write":
            origin = origin_of(flow, event)
            value = event.operands[0].dtype if event.operands else "another dtype"
            yield Finding(
                rule="CAST008",
                location=event.location,
                layer=event.layer,
                message=f"a {value} value is written to a {event.target} variable",
                edit="cast the value to the variable's dtype",
                origin=origin.location if origin is not None else None,
                proposals=proposals.for_write(event),
            )


def sealed_subgraph(flow: Flow) -> Iterator[Finding]:
    """CAST009: a function in `flow` whose ops were built elsewhere, so that no policy reaches them."""
    for op in flow.trace.ops:
        if op.op_type in _SEALED and op.function in flow.trace.functions:
            inside = flow.trace.functions[op.function]
            heavy = [name for name in inside if name.split(" ")[0] in ALLOW]
            wide = sum(not name.endswith(HALVES) for name in heavy)
            if heavy and not wide:
                continue  # sealed, and in the precision wanted
            yield Finding(
                rule="CAST009",
                location=op.location,
                layer=op.layer,
                message=(
                    f"sealed subgraph {op.function}: {len(inside)} ops, {wide} of {len(heavy)} matrix products in "
                    "float32; the policy does not reach inside"
                ),
                edit="export it in the precision wanted, or keep it in a layer of its own with dtype='float32'",
            )


RULES: tuple[Callable[[Flow], Iterator[Finding]], ...] = (
    lossy_round_trip,
    redundant_cast,
    policy_not_in_effect,
    branch_mismatch,
    write_back,
    sealed_subgraph,
)


def _through_half(flow: Flow, op: OpRecord) -> str | None:
    """Return the half type in which a variable's own value was read before it is assigned, None where it was not."""
    if op.op_type != "AssignVariableOp" or len(op.producers) < 2 or op.producers[1] < 0:  # noqa: PLR2004  # its value
        return None
    reached = flow.upstream([op.producers[1]], lambda each: each.op_type in _UPDATES)
    for cast in (flow.trace.ops[index] for index in sorted(reached)):
        read = flow.moved_from(cast) if cast.op_type == "Cast" and cast.out_dtype in HALVES else None
        if read is not None and read.op_type == "ReadVariableOp" and read.producers[:1] == op.producers[:1]:
            return cast.out_dtype
    return None


def _cast_pairs(flow: Flow) -> Iterator[tuple[OpRecord, OpRecord]]:
    """Yield (cast, the cast before it) where only moves lie between."""
    for op in flow.trace.ops:
        if op.op_type == "Cast" and op.kind != "repair":
            before = flow.moved_from(op)
            if before is not None and before.op_type == "Cast" and before.kind not in ("repair", "variable"):
                yield op, before
