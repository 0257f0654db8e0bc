"""The listener that writes a trace: one record per op, one event per conflict, repair and go on."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from nqperf.casts.trace import places, seams
from nqperf.casts.trace.lists import DENY
from nqperf.casts.trace.places import Standpoint
from nqperf.casts.trace.records import FLOATS, HALVES, WIDE, WIDTHS, Constant, Event, Operand, OpRecord, Place

_LARGE = 1_000_000  # constants above this many values are summed up without being read
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


class Recorder:
    """Writes down what the seams report; `default_dtype` is the compute dtype where no layer says one.

    While a model is only being built (`building`), conflicts are repaired and nothing is written but which line wired
    which Keras operation: the same ops come again in the trace.
    """

    def __init__(self, *, default_dtype: str, births: dict[int, Place] | None = None, building: bool = False) -> None:
        self.default_dtype = default_dtype
        self.building = building
        self.ops: list[OpRecord] = []
        self.events: list[Event] = []
        self.births = births if births is not None else {}  # id(Keras operation) -> the line that wired it
        self.graphs: dict[str, Any] = {}
        self.layers: dict[str, None] = {}
        self.model_arguments: dict[int, tuple[Any, Any]] = {}
        self._alive: list[Any] = []  # ids above stay those of living objects
        self._index: dict[tuple[int, str], int] = {}
        self._originals: dict[tuple[int, str], float] = {}
        self._repairing = 0
        self._scratch: dict[int, bool] = {}

    # What the seams call.

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> dict[str, Any] | None:
        """Record mixed floats among the arguments that must share a type, and cast them to one."""
        del error
        if places.has_reflected_operator(places.caller(1), arguments.values()):
            return None
        for names in seams.same_type_arguments(op_type).values():
            operands = [(name, value) for name in names for value in _flat(arguments.get(name))]
            dtypes = {dtype for _, value in operands if (dtype := _float_of(value))}
            if len(dtypes) == 1 or not dtypes:
                continue
            where = self._standpoint()
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
        held = _float_of(value)
        if held is None or asked not in FLOATS:
            return None
        where = self._standpoint()
        kind = "write" if _is_assignment() else "mismatch"
        self._event(kind, where, "Assign" if kind == "write" else "Convert", [("value", value)], asked)
        return self._cast_all(value, asked)

    def converted(self, value: Any, tensor: Any) -> None:
        """Record a number that a narrow type cannot hold: finite becoming infinite, or non-zero becoming zero."""
        dtype = _float_of(tensor)
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
            self._standpoint()
            return
        if result not in WIDE or sum(getattr(dtype, "name", dtype) in FLOATS for dtype in dtypes) == 1:
            return
        # dtypes may hold a "float32" that Keras wrote itself; only operands of the calling operation are a conflict.
        operands = _operands_of(places.caller(2))
        found = {_float_of(value) for _, value in operands}
        if not (found & set(HALVES) and len(found - {None}) > 1):
            return
        where = self._standpoint()
        self._event("promotion", where, places.caller(2).f_code.co_name, operands, result)

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        """Record an op of a graph."""
        if self.building:
            self._remember_model(self._standpoint())
            return
        if graph is None or self._is_scratch(graph):
            return
        where = self._standpoint()
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
            layer=self._layer(where),
            compute_dtype=self._compute_dtype(where),
            place=self._place(where),
            in_dtypes=tuple(_name(tensor.dtype) for tensor in inputs),
            out_dtypes=tuple(_name(tensor.dtype) for tensor in outputs),
            producers=producers,
            kind=kind,
            shape=_shape(outputs[0]) if outputs else None,
            in_shape=_shape(inputs[0]) if inputs else None,
            constant=constant,
            function=function,
        )

    def _constant(self, tensor: Any, graph: Any) -> Constant | None:
        import tensorflow as tf

        if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
            return None
        values = tf.get_static_value(tensor)
        if values is None or values.size == 0 or values.size > _LARGE:
            return None
        dtype = _name(tensor.dtype)
        if dtype in HALVES and (wanted := _wanted_constant()) is not None:
            self._lost(wanted, dtype, tensor)
        wide = np.asarray(values).astype(np.float64)
        return Constant(
            low=float(np.min(wide)),
            high=float(np.max(wide)),
            size=int(wide.size),
            infinite=bool(np.isinf(wide).any()),
            original=self._originals.get((id(graph), tensor.op.name)),
        )

    def _lost(self, value: Any, dtype: str, tensor: Any) -> None:
        import tensorflow as tf

        try:
            wanted = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return
        if wanted.size == 0 or wanted.size > _LARGE:
            return
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            kept = wanted.astype(tf.as_dtype(dtype).as_numpy_dtype).astype(np.float64)
        over = np.isfinite(wanted) & ~np.isfinite(kept)
        under = (wanted != 0) & (kept == 0)
        where = self._standpoint()
        for kind, lost in (("overflow", over), ("underflow", under)):
            if lost.any():
                extreme = float(wanted[lost].flat[np.argmax(np.abs(wanted[lost]))])
                self._event(kind, where, "Const", [("value", tensor)], dtype, value=extreme)
                if hasattr(tensor, "op"):
                    self._originals[id(tensor.graph), tensor.op.name] = extreme

    def _event(
        self,
        kind: str,
        where: Standpoint,
        op_type: str,
        operands: list[tuple[str, Any]],
        target: str,
        *,
        value: float | None = None,
    ) -> None:
        if self.building or self._is_scratch(seams.current_graph()):
            return
        event = Event(
            kind=kind,
            at=len(self.ops),
            op_type=op_type,
            layer=self._layer(where),
            compute_dtype=self._compute_dtype(where),
            place=self._place(where),
            operands=tuple(
                Operand(name=name, dtype=dtype, producer=self.producer(held))
                for name, held in operands
                if (dtype := _float_of(held))
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
            context = (Standpoint(None, None, [], ""), producers, graph)
            record = self._record(op.type, op.name, tuple(op.inputs), tuple(op.outputs), context)
            if op.type != "Placeholder":
                record = dataclasses.replace(record, place=places.place_of_op(op), layer=self._layer_of_scope(op.name))
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

    def _is_scratch(self, graph: Any) -> bool:
        """Whether Keras only infers shapes in `graph`: what is built there is thrown away and comes again."""
        if id(graph) not in self._scratch:
            outer = getattr(graph, "outer_graph", None)
            scratch = str(getattr(graph, "name", "")).startswith("scratch_graph")
            self._alive.append(graph)
            self._scratch[id(graph)] = scratch or (outer is not None and self._is_scratch(outer))
        return self._scratch[id(graph)]

    # Where things are made.

    def _standpoint(self) -> Standpoint:
        where = places.standpoint(places.caller(1))
        if where.frame is not None:
            for operation in where.operations:
                if id(operation) not in self.births:
                    self.births[id(operation)] = self._mapped(where)
                    self._alive.append(operation)
        return where

    def _place(self, where: Standpoint) -> Place | None:
        if where.frame is not None:
            return self._mapped(where)
        return next((self.births[id(each)] for each in where.operations if id(each) in self.births), None)

    def _mapped(self, where: Standpoint) -> Place:
        assert where.frame is not None  # noqa: S101  # both callers have checked; this tells the type checker
        place = places.place_of(where.frame)
        if places.is_generated(place.path):
            users = [(path, line) for path, line in seams.mapped_stack() if places.is_users(path)]
            if users:
                place = Place(path=users[-1][0], line=users[-1][1])
        return place

    def _layer(self, where: Standpoint) -> str:
        if where.layer is None:
            return ""
        path = getattr(where.layer, "path", None)
        if not path:  # Keras gives a path to layers that it has built; of the others the calls under way tell it
            path = "/".join(layer.name for layer in reversed(where.operations) if hasattr(layer, "compute_dtype"))
        self.layers.setdefault(path)
        return path

    def _layer_of_scope(self, name: str) -> str:
        """Return the innermost layer that a name scope belongs to."""
        # TensorFlow numbers a scope that is entered again: sealed_1/PartitionedCall belongs to the layer sealed.
        known = [
            layer
            for layer in self.layers
            if re.match("/".join(rf"{re.escape(part)}(_\d+)?" for part in layer.split("/")) + "/", name)
        ]
        return max(known, key=len, default="")

    def _compute_dtype(self, where: Standpoint) -> str:
        return str(where.layer.compute_dtype) if where.layer is not None else self.default_dtype

    def _remember_model(self, where: Standpoint) -> None:
        if where.outermost is not None and id(where.outermost[0]) not in self.model_arguments:
            layer, arguments, keywords = where.outermost
            self.model_arguments[id(layer)] = (arguments, keywords)
            self._alive.append(layer)

    # How a conflict is repaired.

    def _target(self, where: Standpoint, op_type: str, dtypes: set[str]) -> str:
        if op_type in DENY:
            return max(dtypes, key=lambda dtype: WIDTHS[dtype])
        compute = self._compute_dtype(where)
        return compute if compute in dtypes else min(dtypes, key=lambda dtype: WIDTHS[dtype])

    def _cast_all(self, value: Any, target: str) -> Any:
        import tensorflow as tf

        if isinstance(value, list | tuple):
            return [self._cast_all(each, target) for each in value]
        if _float_of(value) in (None, target):
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


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _name(dtype: Any) -> str:
    return str(getattr(dtype, "base_dtype", dtype).name)


def _float_of(value: Any) -> str | None:
    """Return the float dtype of a tensor or variable, None of everything else (Python and NumPy numbers too)."""
    dtype = getattr(value, "dtype", None)
    if dtype is None or isinstance(value, np.ndarray | np.generic):
        return None
    name = str(getattr(getattr(dtype, "base_dtype", dtype), "name", dtype))
    return name if name in FLOATS else None


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    return tuple(tensor.shape) if tensor.shape.rank is not None else None


def _operands_of(frame: Any) -> list[tuple[str, Any]]:
    """Return the named float tensors that an operation of Keras holds, in the order of its parameters."""
    held: list[tuple[str, Any]] = []
    for name, value in frame.f_locals.items():
        if name == "self":
            continue
        for each in _flat(value)[:64]:
            if _float_of(each) and all(each is not known for _, known in held):
                held.append((name, each))
    return held


def _is_assignment() -> bool:
    """Whether the conversion under way is a value's way into a variable."""
    frame: Any = places.caller(1)
    for _ in range(8):
        if frame is None:
            return False
        if frame.f_code.co_name in ("assign", "assign_add", "assign_sub") and "self" in frame.f_locals:
            return True
        frame = frame.f_back
    return False


def _wanted_constant() -> Any | None:
    """Return what the caller of tf.constant asked for, before it was rounded."""
    frame: Any = places.caller(1)
    for _ in range(12):
        if frame is None:
            return None
        code = frame.f_code
        if code.co_name == "constant" and code.co_filename.endswith("constant_op.py"):
            return frame.f_locals.get("value")
        frame = frame.f_back
    return None
