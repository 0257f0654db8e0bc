"""The rules about dtypes, CAST001 to CAST009: each a function from the recorded flow to findings."""

# Long: one function a rule, which are read beside each other.
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nqperf.casts.edits import proposals
from nqperf.casts.edits.text import Edit
from nqperf.casts.findings import Finding
from nqperf.casts.rules.islands import by_hand, crosses_layers, island, spares_products
from nqperf.casts.rules.numeric_rules import RANGES, extreme, large_constant
from nqperf.casts.trace.flow import Flow, allow_list_share
from nqperf.casts.trace.hooks import has_kernel
from nqperf.casts.trace.lists import ALLOW
from nqperf.casts.trace.records import HALVES, WIDE, Event, OpRecord, SourceLocation

# A 16-bit policy is in effect when at least this share of the allow list's ops runs in a half type.
POLICY_SHARE = 0.5

_SEALED = ("PartitionedCall", "StatefulPartitionedCall")
_CONTROL = {"If": "the branches return", "Case": "the branches return", "While": "the rounds of the loop have"}
_SILENT = ("Cast", "Const", "Identity", "Placeholder", "ReadVariableOp")
_NEAR = 64  # ops after a conflict among which is the one that it was about
_SHAPES = ("Shape", "ShapeN", "Size", "Rank")  # they read a tensor, but not its values


def type_mismatch(flow: Flow) -> Iterator[Finding]:
    """CAST001: an op of `flow` whose float inputs have different types, or that takes no half type."""
    for event in flow.trace.events:
        if event.kind not in ("mismatch", "unsupported"):
            continue
        types = ", ".join(f"{operand.name} {operand.dtype}" for operand in event.operands)
        types += f" where {event.target} is needed" if event.op_type == "Convert" else ""
        why = "float types do not match" if event.kind == "mismatch" else "it takes no half type"
        origin, start = _origin(flow, event), _next_wide(flow, event)
        yield Finding(
            rule="CAST001",
            location=event.location,
            layer=event.layer,
            message=f"{event.op_type} gets {types}: {why}, TensorFlow refuses to build it{_infinite(event)}",
            edit=_cast_down(event),
            origin=origin.location if origin is not None else None,
            proposals=proposals.for_mismatch(event, _origins(origin, event), _masks(flow, event)),
            cause=origin.index if origin is not None else -1,
            reached=frozenset(flow.downstream([start])) if start is not None and event.target in WIDE else frozenset(),
        )


def implicit_promotion(flow: Flow) -> Iterator[Finding]:
    """CAST002: keras.ops computes in float32 because one operand is float32, in `flow`."""
    for event in flow.trace.events:
        start = _next_wide(flow, event) if event.kind == "promotion" else None
        # A layer that was given float32 by name computes so on purpose.
        if event.kind != "promotion" or _wished(flow, event) or _by_design(flow, start):
            continue
        types = ", ".join(f"{operand.name} {operand.dtype}" for operand in event.operands)
        origin = _origin(flow, event)
        narrow = next((operand.dtype for operand in event.operands if operand.dtype in HALVES), event.target)
        down = replace(event, target=narrow)
        yield Finding(
            rule="CAST002",
            location=event.location,
            layer=event.layer,
            message=f"{event.op_type} of {types} is promoted to {event.target} without a message{_beware(flow, event)}",
            edit=_cast_down(down),
            origin=origin.location if origin is not None else None,
            proposals=proposals.for_mismatch(down, _origins(origin, event), _masks(flow, event)),
            cause=origin.index if origin is not None else -1,
            reached=frozenset(flow.downstream([start])) if start is not None else frozenset(),
        )


def no_kernel(flow: Flow) -> Iterator[Finding]:
    """CAST001: an op of `flow` that cannot run in a half type on the device."""
    for op in flow.trace.ops:
        half = next((dtype for dtype in op.in_dtypes if dtype in HALVES), None)
        if half is None or op.op_type in _SILENT or has_kernel(op.op_type, op.in_dtypes, flow.trace.device):
            continue
        wide = tuple("float32" if dtype in HALVES else dtype for dtype in op.in_dtypes)
        if not has_kernel(op.op_type, wide, flow.trace.device):
            continue  # it is another device's, and stands beside what runs here
        yield Finding(
            rule="CAST001",
            location=op.location,
            layer=op.layer,
            message=f"{op.op_type} cannot run in {half}: TensorFlow has no kernel for it on the {flow.trace.device}",
            edit='compute it in float32: cast its operand to "float32", and the result back',
            proposals=proposals.in_float32(op),
        )


def leak_origin(flow: Flow) -> Iterator[Finding]:
    """CAST003: the op of `flow` in which a float32 that drags 16-bit work along first appeared."""
    leaks: dict[int, set[int]] = {}
    for origin, starts in _leaks(flow):
        leaks.setdefault(origin.index, set()).update(starts)
    work = [op for op in flow.trace.ops if op.op_type in ALLOW]
    for index, victims in sorted(leaks.items()):
        reached = flow.downstream(victims)
        dragged = [flow.trace.ops[each] for each in reached if flow.trace.ops[each].op_type not in _SILENT]
        heavy = [op for op in dragged if op.op_type in ALLOW]
        if not dragged:
            continue
        origin = flow.trace.ops[index]
        share = len(heavy) / len(work) if work else 0.0
        victim = flow.trace.ops[min(victims)]
        yield Finding(
            rule="CAST003",
            location=origin.location or victim.location,
            layer=origin.layer if origin.location is not None else victim.layer,
            message=(
                f"a {origin.out_dtype} leak starts at this {_described(origin)}: {len(dragged)} ops downstream run in "
                f"{origin.out_dtype}, {len(heavy)} of {len(work)} matrix products among them ({share:.0%})"
            ),
            edit=_narrow_origin(origin),
            proposals=proposals.for_leak(origin.location),
            cause=index,
            reached=frozenset(reached),
        )


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
        # A float32 layer gives back float32: the cast that follows is what makes the model build.
        if widened and before.compute_dtype in HALVES:
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
    if flow.trace.model_dtype in HALVES and allowed and len(outside) / allowed > 1 - POLICY_SHARE:
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
                proposals=proposals.for_branch(event),
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
                message=f"the variable is read in {half}, computed in {half} and written back: small steps are lost",
                edit="make the variable with autocast=False, or add to it with assign_add",
            )
    for event in flow.trace.events:
        if event.kind == "write":
            origin = _origin(flow, event)
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
    type_mismatch,
    no_kernel,
    implicit_promotion,
    leak_origin,
    lossy_round_trip,
    redundant_cast,
    policy_not_in_effect,
    branch_mismatch,
    write_back,
    sealed_subgraph,
)


def _through_half(flow: Flow, op: OpRecord) -> str | None:
    """Return the half type in which a variable's own value is computed before it is assigned, None where it is not."""
    if op.op_type != "AssignVariableOp" or len(op.producers) < 2 or op.producers[1] < 0:  # noqa: PLR2004  # its value
        return None
    value = flow.trace.ops[op.producers[1]]
    if value.op_type != "Cast" or value.in_dtypes[0] not in HALVES:
        return None
    reached = flow.upstream([value.producers[0]], lambda each: each.out_dtype in (*HALVES, *WIDE))
    reads = (flow.trace.ops[each] for each in reached if flow.trace.ops[each].op_type == "ReadVariableOp")
    return value.in_dtypes[0] if any(read.producers[:1] == op.producers[:1] for read in reads) else None


def _cast_pairs(flow: Flow) -> Iterator[tuple[OpRecord, OpRecord]]:
    """Yield (cast, the cast before it) where only moves lie between."""
    for op in flow.trace.ops:
        if op.op_type == "Cast" and op.kind != "repair":
            before = flow.moved_from(op)
            if before is not None and before.op_type == "Cast" and before.kind not in ("repair", "variable"):
                yield op, before


def _leaks(flow: Flow) -> Iterator[tuple[OpRecord, list[int]]]:
    """Yield the origin of each leak with the first ops that it turns wide."""
    explained: set[int] = set()
    for event in flow.trace.events:
        wide = [operand for operand in event.operands if operand.dtype in WIDE]
        if event.kind in ("promotion", "mismatch") and event.target in WIDE and wide:
            origin = _origin(flow, event)
            start = _next_wide(flow, event)
            if origin is not None and start is not None:
                explained |= flow.downstream([start])
                if not _wished(flow, event) and not _by_design(flow, start):
                    yield origin, [start]
    for op in flow.trace.ops:
        leaking = op.op_type in ALLOW and op.out_dtype in WIDE and op.compute_dtype in HALVES
        if leaking and op.index not in explained and not by_hand(flow, op) and not _by_design(flow, op.index):
            origin = flow.origin(op.index)
            if origin is not None and origin.index != op.index:
                yield origin, [op.index]


def _next_wide(flow: Flow, event: Event) -> int | None:
    """Return the op that the conflict `event` was about: the first wide one after it that is no cast."""
    for op in flow.trace.ops[event.at : event.at + _NEAR]:
        if op.op_type not in (*_SILENT, *_SHAPES) and set(op.in_dtypes) & set(WIDE) and op.location == event.location:
            return op.index
    return None


def _by_design(flow: Flow, start: int | None) -> bool:
    """Whether what is wide from `start` on is an island of its layer's, with no matrix product dragged into it."""
    inside = island(flow, start) if start is not None else None
    return inside is not None and spares_products(flow, inside)


def _beware(flow: Flow, event: Event) -> str:
    """Return a warning when the wide operand carries a number that the proposed cast would make infinite."""
    half, large = _large(flow, event)
    return f"; beware: it carries {extreme(large):g}, which is infinite in {half}" if large is not None else ""


def _large(flow: Flow, event: Event) -> tuple[str, OpRecord | None]:
    """Return the half type of `event`, and the constant in its wide operand that this type cannot hold."""
    half = next((operand.dtype for operand in event.operands if operand.dtype in HALVES), None)
    wide = next((operand for operand in event.operands if operand.dtype in WIDE), None)
    if half is None or wide is None:
        return half or "", None
    return half, large_constant(flow, wide.producer, RANGES[half].maximum)


def _masks(flow: Flow, event: Event) -> tuple[Edit, ...]:
    """Return the edits that make a number in the wide operand one that the half type holds."""
    half, large = _large(flow, event)
    return proposals.finite_mask(large.location, extreme(large), half) if large is not None else ()


def _origin(flow: Flow, event: Event) -> OpRecord | None:
    """Return the op in which the wide operand of `event` began; a variable is read only after the conflict is seen."""
    wide = [operand for operand in event.operands if operand.dtype in WIDE]
    if not wide:
        return None
    if wide[0].producer >= 0:
        return flow.origin(wide[0].producer)
    start = _next_wide(flow, event)
    return flow.origin(start) if start is not None else None


def _wished(flow: Flow, event: Event) -> bool:
    """Whether the layer of `event` was given float32 by name in a model of 16 bits."""
    return event.compute_dtype in WIDE and flow.trace.model_dtype in HALVES


def _origins(origin: OpRecord | None, event: Event) -> tuple[SourceLocation | None, ...]:
    """Return where the wide operand began and where it was last made, the line of the conflict left out."""
    made = [operand.made_at for operand in event.operands if operand.dtype in WIDE]
    known = [*made, origin.location if origin is not None else None]
    return tuple(dict.fromkeys(each for each in known if each is not None and each != event.location))


def _cast_down(event: Event) -> str:
    wrong = "/".join(sorted({operand.dtype for operand in event.operands if operand.dtype != event.target}))
    dtype = event.dtype_names[0] if event.dtype_names else "the other operand's dtype"
    return f"cast the {wrong or 'wide'} operand to {dtype}"


def _infinite(event: Event) -> str:
    return f"; beware: {event.value:g} is no number that {event.target} holds" if event.value is not None else ""


def _described(origin: OpRecord) -> str:
    names = {"ReadVariableOp": "variable", "Placeholder": "input", "Const": "constant", "Cast": "cast"}
    return names.get(origin.op_type, origin.op_type)


def _narrow_origin(origin: OpRecord) -> str:
    if origin.op_type == "Cast":
        return "cast to self.compute_dtype here, or bring the result back to it before it meets 16-bit values"
    if origin.op_type == "ReadVariableOp":
        return "let the layer autocast its variable, or cast it to self.compute_dtype where it is read"
    return "bring the value to self.compute_dtype before it meets 16-bit values"
