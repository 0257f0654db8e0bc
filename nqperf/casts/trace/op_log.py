"""The ops of one trace in the order of their creation, and which op made which tensor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from nqperf.casts.trace import frames
from nqperf.casts.trace.frames import CallSite
from nqperf.casts.trace.locations import Locations
from nqperf.casts.trace.operands import constant_of, dtype_name, shape_of
from nqperf.casts.trace.records import OpRecord

_NEAR = 256  # ops looked at upstream of one
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class OpLog:
    """Records of ops, found again by graph and name; `where` knows of their places and layers.

    `originals` are the numbers that constants lost by rounding.
    """

    def __init__(self, where: Locations) -> None:
        self.where = where
        self.ops: list[OpRecord] = []
        self.graphs: dict[str, Any] = {}
        self.originals: dict[tuple[int, str], float] = {}
        self._index: dict[tuple[int, str], int] = {}

    def add(
        self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any, site: tuple[CallSite, str]
    ) -> None:
        """Record an op of `graph` once; `site` is where it is made, and the kind of a Cast.

        `op_type` is TensorFlow's name of it, `inputs` and `outputs` are its tensors.
        """
        op = outputs[0].op if outputs else None
        name = op.name if op is not None else ""
        key = (id(graph), name)
        if op is not None and key in self._index:
            return
        producers = tuple(self.producer(tensor) for tensor in inputs)
        if op is not None:
            self._index[key] = len(self.ops)
        self.graphs.setdefault(f"{id(graph)}", graph)
        self.ops.append(self._record((op_type, name, f"{id(graph)}"), inputs, outputs, producers, site))

    def producer(self, value: Any) -> int:
        """Return the index of the op of the trace that made the tensor `value`, -1 when there is none."""
        op = getattr(value, "op", None)
        graph = getattr(value, "graph", None)
        if op is None or graph is None or not hasattr(op, "inputs"):
            return -1
        key = (id(graph), op.name)
        if key not in self._index:  # made where no callback is called: placeholders and captured tensors
            producers = tuple(self.producer(tensor) for tensor in op.inputs)
            self._index[key] = len(self.ops)
            self.graphs.setdefault(f"{id(graph)}", graph)
            nowhere = (CallSite(None, None, [], ""), "")
            identity = (op.type, op.name, f"{id(graph)}")
            record = self._record(identity, tuple(op.inputs), tuple(op.outputs), producers, nowhere)
            if op.type != "Placeholder":
                record = dataclasses.replace(
                    record, location=frames.location_of_op(op), layer=self.where.layer_of_scope(op.name)
                )
            self.ops.append(record)
        return self._index[key]

    def upstream(self, start: int) -> Iterator[int]:
        """Yield op `start` and the nearest of those that it depends on, breadth first."""
        waiting = [start]
        seen: set[int] = set()
        while waiting and len(seen) < _NEAR:
            index = waiting.pop(0)
            if index >= 0 and index not in seen:
                seen.add(index)
                yield index
                waiting += self.ops[index].producers

    def captures(self) -> dict[int, int]:
        """Return placeholder -> outer op for what inner function graphs capture."""
        links = {}
        for name, graph in list(self.graphs.items()):
            # Asking for an outer tensor's op may note a graph that was not known yet, and a capture with it.
            for outer, inner in list(getattr(graph, "captures", ())):
                inside = self._index.get((int(name), inner.op.name))
                outside = self.producer(outer)
                if inside is not None and outside >= 0:
                    links[inside] = outside
        return links

    def finished(self) -> list[OpRecord]:
        """Return all ops, with what is known of them only afterwards: outer producers, and numbers that were lost."""
        captures = self.captures()
        ops = [
            dataclasses.replace(op, producers=(captures[op.index],)) if op.index in captures else op for op in self.ops
        ]
        for key, number in self.originals.items():
            index = self._index.get(key, -1)
            constant = ops[index].constant if index >= 0 else None
            if constant is not None:
                ops[index] = dataclasses.replace(ops[index], constant=dataclasses.replace(constant, original=number))
        return ops

    def forget(self, length: int) -> None:
        """Forget the ops after the first `length`."""
        del self.ops[length:]
        self._index = {key: index for key, index in self._index.items() if index < length}

    def _record(
        self,
        identity: tuple[str, str, str],
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...],
        producers: tuple[int, ...],
        site: tuple[CallSite, str],
    ) -> OpRecord:
        (op_type, name, graph), (where, kind) = identity, site
        return OpRecord(
            index=len(self.ops),
            name=name,
            op_type=op_type,
            graph=graph,
            layer=self.where.layer(where),
            compute_dtype=self.where.compute_dtype(where),
            location=self.where.location(where),
            in_dtypes=tuple(dtype_name(tensor.dtype) for tensor in inputs),
            out_dtypes=tuple(dtype_name(tensor.dtype) for tensor in outputs),
            producers=producers,
            kind=kind,
            shape=shape_of(outputs[0]) if outputs else None,
            in_shape=shape_of(inputs[0]) if inputs else None,
            constant=constant_of(outputs[0]) if op_type == "Const" and outputs else None,
            function=outputs[0].op.get_attr("f").name if op_type in _CALLS and outputs else "",
        )
