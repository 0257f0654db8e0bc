"""Where dtypes come from and go to in a trace: producers, consumers, origins, what a float32 leak drags along."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nqperf.casts.trace.lists import ALLOW, MOVES
from nqperf.casts.trace.records import HALVES, WIDE, OpRecord, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The `trace` as a graph: `consumers[i]` are the ops that read op i."""

    trace: Trace
    consumers: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, trace: Trace) -> Flow:
        """Return the graph of `trace`."""
        consumers: list[list[int]] = [[] for _ in trace.ops]
        for op in trace.ops:
            for producer in set(op.producers):
                if producer >= 0:
                    consumers[producer].append(op.index)
        return cls(trace=trace, consumers=tuple(tuple(each) for each in consumers))

    def inputs(self, op: OpRecord) -> list[OpRecord]:
        """Return the ops that `op` reads."""
        return [self.trace.ops[index] for index in op.producers if index >= 0]

    def readers(self, op: OpRecord) -> list[OpRecord]:
        """Return the ops that read `op`."""
        return [self.trace.ops[index] for index in self.consumers[op.index]]

    def is_result(self, index: int) -> bool:
        """Whether what op `index` makes leaves the trace: nobody in it reads it, and it is not thrown away either."""
        return not self.consumers[index] and index not in self.trace.unused

    def origin(self, index: int) -> OpRecord | None:
        """Return the op in which the wide float that op `index` carries first appeared."""
        if index < 0:
            return None
        op = self.trace.ops[index]
        seen: set[int] = set()
        while op.index not in seen:
            seen.add(op.index)
            wide = [each for each in self.inputs(op) if each.out_dtype in WIDE]
            if not wide or op.op_type in ("ReadVariableOp", "Cast"):
                if op.op_type == "Cast" and wide and op.out_dtype in WIDE:
                    op = wide[0]
                    continue
                return op
            op = min(wide, key=_unlikely)
        return op

    def downstream(self, starts: Iterable[int]) -> set[int]:
        """Return every op with a wide float output that a wide float from `starts` reaches, `starts` included."""
        return self._reach(starts, lambda op: op.out_dtype in WIDE, self.readers)

    def upstream(self, starts: Iterable[int], keep: Callable[[OpRecord], bool]) -> set[int]:
        """Return every op that leads to `starts` through ops that `keep` accepts, `starts` included."""
        return self._reach(starts, keep, self.inputs)

    def _reach(
        self,
        starts: Iterable[int],
        keep: Callable[[OpRecord], bool],
        neighbours: Callable[[OpRecord], list[OpRecord]],
    ) -> set[int]:
        reached = {index for index in starts if keep(self.trace.ops[index])}
        waiting = list(reached)
        while waiting:
            for op in neighbours(self.trace.ops[waiting.pop()]):
                if op.index not in reached and keep(op):
                    reached.add(op.index)
                    waiting.append(op.index)
        return reached

    def moved_from(self, op: OpRecord) -> OpRecord | None:
        """Return the op whose values reach `op`'s first input unchanged, through ops that only move them."""
        source = self._first(op)
        while source is not None and source.op_type in MOVES:
            source = self._first(source)
        return source

    def _first(self, op: OpRecord) -> OpRecord | None:
        return self.trace.ops[op.producers[0]] if op.producers and op.producers[0] >= 0 else None


def _unlikely(op: OpRecord) -> int:
    """Rank the wide inputs of an op: what was wide before a promotion is to blame rather than what it widened."""
    if op.op_type == "Const":
        return 2
    return int(op.op_type == "Cast" and op.kind == "promotion" and op.in_dtypes[0] in HALVES)


def allow_list_share(trace: Trace) -> tuple[int, int]:
    """Return how many ops of the allow list in `trace` run in a half type, and how many there are."""
    allowed = [op for op in trace.ops if op.op_type in ALLOW]
    return sum(op.out_dtype in HALVES for op in allowed), len(allowed)
