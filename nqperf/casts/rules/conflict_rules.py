"""The rules about float types that meet, CAST001 to CAST003: each a function from the recorded flow to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nqperf.casts.edits import proposals, widening
from nqperf.casts.edits.made_wide import IN_FLOAT32, made_in_float32
from nqperf.casts.edits.text import Edit
from nqperf.casts.findings import Finding
from nqperf.casts.rules.constants import extreme, large_constant
from nqperf.casts.rules.islands import by_hand, island, spares_products
from nqperf.casts.rules.ranges import RANGES
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.hooks import has_kernel
from nqperf.casts.trace.lists import ALLOW
from nqperf.casts.trace.records import HALVES, WIDE, Event, OpRecord, SourceLocation

_SILENT = ("Cast", "Const", "Identity", "Placeholder", "ReadVariableOp")
# Ops that declare a half type: an open length is traced, and a model that is called on arrays is refused.
_REFUSED_WHERE_KNOWN = frozenset({("Range", "float16")})
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
        origin, start = origin_of(flow, event), _next_wide(flow, event)
        yield Finding(
            rule="CAST001",
            location=event.location,
            layer=event.layer,
            message=f"{event.op_type} gets {types}: {why}, TensorFlow refuses to build it{_infinite(event)}",
            edit=_cast_down(event),
            origin=origin.location if origin is not None else None,
            proposals=(
                *proposals.for_mismatch(event, _origins(origin, event), _masks(flow, event)),
                *made_in_float32(event.location, event.layer),
            ),
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
        origin = origin_of(flow, event)
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
        if half is None or op.op_type in _SILENT:
            continue
        if (op.op_type, half) in _REFUSED_WHERE_KNOWN:
            yield _without_kernel(op, f"TensorFlow refuses {op.op_type} in {half} where its length is known")
            continue
        if has_kernel(op.op_type, op.in_dtypes, flow.trace.device):
            continue
        wide = tuple("float32" if dtype in HALVES else dtype for dtype in op.in_dtypes)
        if not has_kernel(op.op_type, wide, flow.trace.device):
            continue  # it is another device's, and stands beside what runs here
        why = f"{op.op_type} cannot run in {half}: TensorFlow has no kernel for it on the {flow.trace.device}"
        yield _without_kernel(op, why)


def _without_kernel(op: OpRecord, why: str) -> Finding:
    return Finding(
        rule="CAST001",
        location=op.location,
        layer=op.layer,
        message=why,
        edit=IN_FLOAT32,
        proposals=(
            *widening.told_float32(op.location, op.op_type),
            *widening.in_float32(op),
            *made_in_float32(op.location, op.layer),
        ),
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


RULES: tuple[Callable[[Flow], Iterator[Finding]], ...] = (type_mismatch, no_kernel, implicit_promotion, leak_origin)


def _leaks(flow: Flow) -> Iterator[tuple[OpRecord, list[int]]]:
    """Yield the origin of each leak with the first ops that it turns wide."""
    explained: set[int] = set()
    for event in flow.trace.events:
        wide = [operand for operand in event.operands if operand.dtype in WIDE]
        if event.kind in ("promotion", "mismatch") and event.target in WIDE and wide:
            origin = origin_of(flow, event)
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


def origin_of(flow: Flow, event: Event) -> OpRecord | None:
    """Return the op of `flow` in which the wide operand of `event` began; a variable is read after its conflict."""
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
