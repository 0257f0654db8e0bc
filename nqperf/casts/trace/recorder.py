"""The listener that writes a trace: one record per op, one event per conflict, repair and go on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from nqperf.casts.trace import frames, hooks
from nqperf.casts.trace.frames import CallSite
from nqperf.casts.trace.lists import DENY
from nqperf.casts.trace.locations import Locations
from nqperf.casts.trace.operands import (
    constant_of,
    dtype_name,
    flat,
    float_of,
    is_assignment,
    lost_numbers,
    operands_of,
    shape_of,
    wanted_constant,
)
from nqperf.casts.trace.records import FLOATS, HALVES, WIDE, WIDTHS, Constant, Event, Operand, OpRecord, SourceLocation

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class Recorder:
    """Writes down what the hooks report; `default_dtype` is the compute dtype where no layer says one.

    While a model is only being built (`building`), conflicts are repaired and nothing is written but which line wired
    which Keras operation: the same ops come again in the trace.
    """

    def __init__(
        self, *, default_dtype: str, births: dict[int, SourceLocation] | None = None, building: bool = False
    ) -> None:
        self.where = Locations(default_dtype, births)
        self.building = building
        self.ops: list[OpRecord] = []
        self.events: list[Event] = []
        self.graphs: dict[str, Any] = {}
        self._index: dict[tuple[int, str], int] = {}
        self._originals: dict[tuple[int, str], float] = {}
        self._repairing = 0

    # What the hooks call.

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> dict[str, Any] | None:
        """Record mixed floats among the arguments that must share a type, and cast them to one."""
        del error
        if frames.has_reflected_operator(frames.caller(1), arguments.values()):
            return None
        for names in hooks.same_type_arguments(op_type).values():
            operands = [(name, value) for name in names for value in flat(arguments.get(name))]
            dtypes = {dtype for _, value in operands if (dtype := float_of(value))}
            if len(dtypes) == 1 or not dtypes:
                continue
            where = self.where.here()
            target = self._target(where, op_type, dtypes)
            self._event("mismatch", where, op_type, operands, target)
            repaired = dict(arguments)
            for name in names:
                if name in repaired:
                    repaired[name] = self._cast_all(repaired[name], target)
            return repaired
        return None

    def refused(self, value: Any, dtype: Any) -> Any | None:
        """Record a tensor or variable whose float type is not the one asked for, and cast it."""
        asked = getattr(dtype, "name", str(dtype))
        held = float_of(value)
        if held is None or asked not in FLOATS:
            return None
        where = self.where.here()
        kind = "write" if is_assignment() else "mismatch"
        self._event(kind, where, "Assign" if kind == "write" else "Convert", [("value", value)], asked)
        return self._cast_all(value, asked)

    def converted(self, value: Any, tensor: Any) -> None:
        """Record a number that a narrow type cannot hold: finite becoming infinite, or non-zero becoming zero."""
        dtype = float_of(tensor)
        if (
            self.building
            or dtype not in HALVES
            or not isinstance(value, int | float | np.ndarray | np.generic | list | tuple)
        ):
            return
        self._lost(value, dtype, tensor)

    def promotion(self, dtypes: tuple[Any, ...], result: str) -> None:
        """Record that keras.ops brings tensors of a half type and a wider one together."""
        if self.building:
            self.where.here()
            return
        if result not in WIDE or sum(getattr(dtype, "name", dtype) in FLOATS for dtype in dtypes) == 1:
            return
        # dtypes may hold a "float32" that Keras wrote itself; only operands of the calling operation are a conflict.
        operands = operands_of(frames.caller(2))
        found = {float_of(value) for _, value in operands}
        if not (found & set(HALVES) and len(found - {None}) > 1):
            return
        where = self.where.here()
        self._event("promotion", where, frames.caller(2).f_code.co_name, operands, result)

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        """Record an op of a graph."""
        if self.building:
            self.where.remember_model(self.where.here())
            return
        if graph is None or self.where.is_scratch(graph):
            return
        where = self.where.here()
        op = outputs[0].op if outputs else None
        name = op.name if op is not None else ""
        key = (id(graph), name)
        if key not in self._index:
            producers = tuple(self.producer(tensor) for tensor in inputs)
            if op is not None:
                self._index[key] = len(self.ops)
            self.graphs.setdefault(f"{id(graph)}", graph)
            self.ops.append(self._record(op_type, name, inputs, outputs, (where, producers, graph)))

    # How records are made.

    def _record(
        self, op_type: str, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], context: tuple[Any, ...]
    ) -> OpRecord:
        where, producers, graph = context
        kind = ""
        if op_type == "Cast":
            kind = "repair" if self._repairing else where.kind
        constant = None
        if op_type == "Const":
            constant = self._constant(outputs[0], graph)
        function = ""
        if op_type in _CALLS and outputs:
            function = outputs[0].op.get_attr("f").name
        return OpRecord(
            index=len(self.ops),
            name=name,
            op_type=op_type,
            graph=f"{id(graph)}",
            layer=self.where.layer(where),
            compute_dtype=self.where.compute_dtype(where),
            location=self.where.location(where),
            in_dtypes=tuple(dtype_name(tensor.dtype) for tensor in inputs),
            out_dtypes=tuple(dtype_name(tensor.dtype) for tensor in outputs),
            producers=producers,
            kind=kind,
            shape=shape_of(outputs[0]) if outputs else None,
            in_shape=shape_of(inputs[0]) if inputs else None,
            constant=constant,
            function=function,
        )

    def _constant(self, tensor: Any, graph: Any) -> Constant | None:
        dtype = dtype_name(tensor.dtype)
        if dtype in HALVES and (wanted := wanted_constant()) is not None:
            self._lost(wanted, dtype, tensor)
        return constant_of(tensor, self._originals.get((id(graph), tensor.op.name)))

    def _lost(self, value: Any, dtype: str, tensor: Any) -> None:
        for kind, extreme in lost_numbers(value, dtype):
            self._event(kind, self.where.here(), "Const", [("value", tensor)], dtype, value=extreme)
            if hasattr(tensor, "op"):
                self._originals[id(tensor.graph), tensor.op.name] = extreme

    def _event(
        self,
        kind: str,
        where: CallSite,
        op_type: str,
        operands: list[tuple[str, Any]],
        target: str,
        *,
        value: float | None = None,
    ) -> None:
        if self.building or self.where.is_scratch(hooks.current_graph()):
            return
        event = Event(
            kind=kind,
            at=len(self.ops),
            op_type=op_type,
            layer=self.where.layer(where),
            compute_dtype=self.where.compute_dtype(where),
            location=self.where.location(where),
            operands=tuple(
                Operand(name=name, dtype=dtype, producer=self.producer(held))
                for name, held in operands
                if (dtype := float_of(held))
            ),
            target=target,
            value=value,
            in_layer=where.frame is not None and hasattr(where.frame.f_locals.get("self"), "compute_dtype"),
        )
        if not self.events or self.events[-1] != event:
            self.events.append(event)

    def producer(self, value: Any) -> int:
        """Return the op of the trace that made a tensor, -1 when there is none."""
        op = getattr(value, "op", None)
        graph = getattr(value, "graph", None)
        if op is None or graph is None or not hasattr(op, "inputs"):
            return -1
        key = (id(graph), op.name)
        if key not in self._index:  # made where no callback is called: placeholders and captured tensors
            producers = tuple(self.producer(tensor) for tensor in op.inputs)
            self._index[key] = len(self.ops)
            self.graphs.setdefault(f"{id(graph)}", graph)
            context = (CallSite(None, None, [], ""), producers, graph)
            record = self._record(op.type, op.name, tuple(op.inputs), tuple(op.outputs), context)
            if op.type != "Placeholder":
                record = dataclasses.replace(
                    record, location=frames.location_of_op(op), layer=self.where.layer_of_scope(op.name)
                )
            self.ops.append(record)
        return self._index[key]

    def captures(self) -> dict[int, int]:
        """Return placeholder -> outer op for what inner function graphs capture."""
        links = {}
        for name, graph in self.graphs.items():
            for outer, inner in getattr(graph, "captures", ()):
                inside = self._index.get((int(name), inner.op.name))
                outside = self.producer(outer)
                if inside is not None and outside >= 0:
                    links[inside] = outside
        return links

    # How a conflict is repaired.

    def _target(self, where: CallSite, op_type: str, dtypes: set[str]) -> str:
        if op_type in DENY:
            return max(dtypes, key=lambda dtype: WIDTHS[dtype])
        compute = self.where.compute_dtype(where)
        return compute if compute in dtypes else min(dtypes, key=lambda dtype: WIDTHS[dtype])

    def _cast_all(self, value: Any, target: str) -> Any:
        import tensorflow as tf

        if isinstance(value, list | tuple):
            return [self._cast_all(each, target) for each in value]
        if float_of(value) in (None, target):
            return value
        with self._repair():
            return tf.cast(value, target)

    @contextlib.contextmanager
    def _repair(self) -> Iterator[None]:
        self._repairing += 1
        try:
            yield
        finally:
            self._repairing -= 1
