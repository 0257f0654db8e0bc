"""The ledger of casts: one canonical record per kind of cast, and what changed between two ledgers.

Line numbers and op names are no part of a record, so that it stands still while lines move.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from nqperf.casts.findings import unnumbered
from nqperf.casts.trace import source
from nqperf.casts.trace.flow import Flow
from nqperf.casts.trace.records import FLOATS, OpRecord, Trace
from nqperf.errors import ConfigError
from nqperf.formats.casts.ledger_json import CastRecord, Ledger, read_ledger

# Ops without which a cast's neighbourhood reads the same; they come and go with shapes and Keras versions.
_TRANSPARENT = ("Identity", "Reshape", "Transpose", "ExpandDims", "Squeeze", "StridedSlice")


def changes(path: Path, held: Ledger, *, model: str) -> dict[str, list[str]]:
    """Return what changed from the ledger in `path` to the casts in `held`, by precision; each change is a line.

    `model` is the name of the model that both are of.

    Raises: FormatError or ConfigError as `read_ledger`; ConfigError for a precision that the ledger does not have.
    """
    recorded = read_ledger(path, model=model)
    for precision in held:
        if precision not in recorded:
            raise ConfigError(
                f"{path} has no {precision}; it has {', '.join(recorded)}: write it anew with --update, or in pytest "
                "with --nqperf-ledger-update"
            )
    return {precision: difference(recorded[precision], now) for precision, now in held.items()}


def records(trace: Trace) -> tuple[CastRecord, ...]:
    """Return the casts between float types, and from other types to them, that `trace` holds."""
    flow = Flow.of(trace)
    counted: Counter[tuple[str, ...]] = Counter()
    instances: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for op in trace.ops:
        source_op = trace.ops[op.producers[0]] if op.op_type == "Cast" and op.producers[0] >= 0 else None
        if source_op is None or op.kind == "repair" or source_op.op_type == "Const":
            continue
        if op.in_dtypes[0] not in FLOATS and op.out_dtype not in FLOATS:
            continue
        key = (
            unnumbered(op.layer),
            _function(op),
            _before(flow, op),
            op.in_dtypes[0],
            op.out_dtype,
            op.kind,
            _after(flow, op),
        )
        counted[key] += 1
        instances[key].add(op.layer)
    return tuple(
        sorted(
            CastRecord(
                layer=key[0],
                function=key[1],
                reads=key[2],
                from_dtype=key[3],
                to_dtype=key[4],
                kind=key[5],
                feeds=key[6],
                times=count // len(instances[key]),
                layers=len(instances[key]),
            )
            for key, count in counted.items()
        )
    )


def difference(old: Iterable[CastRecord], new: Iterable[CastRecord]) -> list[str]:
    """Return what changed from `old` to `new`, one sentence each.

    Casts were lost, added, redirected, moved, or changed in dtype, kind or number.
    """
    before, after = set(old), set(new)
    lost, added = sorted(before - after), sorted(after - before)
    changes: list[str] = []
    for record in list(lost):
        match = _counterpart(record, added)
        if match is None:
            continue
        lost.remove(record)
        added.remove(match)
        if (record.from_dtype, record.to_dtype) != (match.from_dtype, match.to_dtype):
            changes.append(f"dtype changed: {record}; now {match.from_dtype} -> {match.to_dtype}")
        elif (record.reads, record.feeds) != (match.reads, match.feeds):
            changes.append(f"redirected: {record}; now {match.reads} -> {match.feeds}")
        elif record.kind != match.kind:
            changes.append(f"kind changed: {record}; now {match.kind}")
        elif record.site != match.site:
            changes.append(f"moved: {record}; now in {match.layer}, {match.function}")
        else:
            changes.append(f"number changed: {record}; now x{match.times} in {match.layers} layers")
    changes += [f"lost: {record}" for record in lost]
    changes += [f"added: {record}" for record in added]
    return changes


def _counterpart(record: CastRecord, candidates: list[CastRecord]) -> CastRecord | None:
    """Return the added record that `record` has become: the one with most in common, at the same site or elsewhere."""

    def likeness(other: CastRecord) -> int:
        same_cast = (record.from_dtype, record.to_dtype) == (other.from_dtype, other.to_dtype)
        return (
            2 * (record.site == other.site) + same_cast + (record.reads == other.reads) + (record.feeds == other.feeds)
        )

    best = max(candidates, key=likeness, default=None)
    enough = 3  # the same site and one thing more, or the same cast between the same ops elsewhere
    return best if best is not None and likeness(best) >= enough else None


def _function(op: OpRecord) -> str:
    if op.location is None:
        return ""
    return ".".join(part for part in (source.module_of(op.location.path), source.function_at(op.location)) if part)


def _before(flow: Flow, op: OpRecord) -> str:
    found = flow.inputs(op)[0]
    while found.op_type in _TRANSPARENT and flow.inputs(found):
        found = flow.inputs(found)[0]
    return found.op_type


def _after(flow: Flow, op: OpRecord) -> str:
    names: set[str] = set()
    waiting, seen = list(flow.readers(op)), {op.index}
    while waiting:
        reader = waiting.pop()
        if reader.index in seen:
            continue
        seen.add(reader.index)
        if reader.op_type in _TRANSPARENT:
            waiting += flow.readers(reader)
        else:
            names.add(reader.op_type)
    return "+".join(sorted(names)) or "output"
