"""The listener that writes a trace: one record per op, one event per conflict, repair and go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nqperf.casts.trace import frames, hooks
from nqperf.casts.trace.frames import CallSite
from nqperf.casts.trace.lists import DENY
from nqperf.casts.trace.locations import Locations
from nqperf.casts.trace.op_log import OpLog
from nqperf.casts.trace.operands import (
    dtype_name,
    flat,
    float_of,
    is_assignment,
    is_number,
    lost_numbers,
    number_dtype,
    operands_of,
    wanted_constant,
)
from nqperf.casts.trace.records import FLOATS, HALVES, WIDE, WIDTHS, Event, Operand, SourceLocation, Span
from nqperf.casts.trace.written import as_written, dtype_sources


# Long: one object takes part in every op of a trace, and its parts share its state.
class Recorder(hooks.Listener):
    """Writes down what the hooks report; `default_dtype` is the compute dtype where no layer says one.

    `births` is id(Keras operation) -> the line that wired it, as a recorder of the building has found it. While a model
    is only being built (`building`), conflicts are repaired and nothing is written but which line wired which Keras
    operation: the same ops come again in the trace.
    """

    def __init__(
        self, *, default_dtype: str, births: dict[int, SourceLocation] | None = None, building: bool = False
    ) -> None:
        self.where = Locations(default_dtype, births)
        self.building = building
        self.log = OpLog(self.where)
        self.events: list[Event] = []
        self.failures: list[Exception] = []
        self._repairing = 0
        self._turned: set[SourceLocation | None] = set()  # loops whose variables a repair has narrowed

    # What the hooks call.

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> hooks.Repair | None:
        """Record mixed floats among the `arguments` of an `op_type` that must share a type, and cast them to one.

        Of what TensorFlow says, `error`, only a type that an op declares and then refuses is asked for.
        """
        if frames.has_reflected_operator(frames.caller(1), arguments.values()):
            return None
        for attribute, names in hooks.same_type_arguments(op_type).items():
            operands = [(name, value) for name in names for value in flat(arguments.get(name))]
            dtypes = {dtype for _, value in operands if (dtype := float_of(value))}
            allowed = hooks.allowed_types(op_type).get(attribute)
            where = self.where.here()
            refused = (dtypes & set(HALVES)) - allowed if allowed is not None else set()
            if "Unsupported dtype" in str(error):  # as Range says of a float16 whose length is known
                refused = dtypes & set(HALVES)
            if refused:
                self._event("unsupported", where, op_type, operands, "float32")
                return hooks.Repair(self._repaired(arguments, names, "float32"), next(iter(refused)))
            # A number in front of the tensors becomes float32 before TensorFlow has seen what it stands beside.
            leading = dtypes | {dtype for _, value in operands if (dtype := number_dtype(value))}
            if not dtypes or (len(dtypes) < 2 and not (dtypes & set(HALVES) and leading & set(WIDE))):  # noqa: PLR2004
                continue
            target = self._target(where, op_type, leading if op_type in DENY else dtypes)
            self._event("mismatch", where, op_type, operands, target)
            return hooks.Repair(self._repaired(arguments, names, target))
        return None

    def refused(self, value: Any, dtype: Any) -> Any | None:
        """Record `value`, a tensor or variable whose float type is not the `dtype` that was asked for, and cast it."""
        asked = getattr(dtype, "name", str(dtype))
        held = float_of(value)
        if held is None or asked not in FLOATS:
            return None
        where = self.where.here()
        if self.where.location(where) in self._turned:  # the repair of a loop's operand has narrowed what it collects
            return self._cast_all(value, asked)
        kind = "write" if is_assignment() else "mismatch"
        self._event(kind, where, "Assign" if kind == "write" else "Convert", [("value", value)], asked)
        return self._cast_all(value, asked)

    def converted(self, value: Any, tensor: Any) -> None:
        """Record a number `value` that the narrow type of `tensor` cannot hold: it becomes infinite, zero or one."""
        if not self.building and float_of(tensor) in HALVES and is_number(value):
            self._lost(value, tensor)

    def promotion(self, dtypes: tuple[Any, ...], result: str) -> None:
        """Record that keras.ops brings tensors of `dtypes`, a half type and a wider one, together to `result`."""
        if self.building:
            self.where.here()
            return
        if result not in WIDE or sum(getattr(dtype, "name", dtype) in FLOATS for dtype in dtypes) == 1:
            return
        # dtypes may hold a "float32" that Keras wrote itself; only operands of the calling operation are a conflict.
        frame = frames.caller(3)
        operands = operands_of(frame)
        found = {float_of(value) for _, value in operands}
        if not (found & set(HALVES) and len(found - {None}) > 1):
            return
        self._event("promotion", self.where.here(), frame.f_code.co_name, operands, result)

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        """Record an op of the kind `op_type` in `graph`, which reads the tensors `inputs` and gives `outputs`."""
        if self.building:
            self.where.remember_model(self.where.here())
            return
        if graph is None or self.where.is_scratch(graph):
            return
        where = self.where.here()
        kind = "" if op_type != "Cast" else "repair" if self._repairing else where.kind
        if op_type == "Const" and float_of(outputs[0]) in HALVES and (wanted := wanted_constant()) is not None:
            self._lost(wanted, outputs[0])
        self.log.add(op_type, inputs, outputs, graph, (where, kind))

    def wired(self) -> None:
        """Remember the line that wires the Keras operation under way."""
        if self.building:
            self.where.here()

    def diverged(
        self, op_type: str, results: Sequence[Sequence[Any]], mark: tuple[int, int]
    ) -> list[str | None] | None:
        """Record branches or rounds of an `op_type` whose `results` differ in float type; return what to cast them to.

        A loop that a repair since `mark` has turned is no new fault.
        """
        if not all(len(each) == len(results[0]) for each in results) or not results[0]:
            return None
        where = self.where.here()
        wanted: list[str | None] = []
        for held in zip(*results, strict=True):
            dtypes = {dtype for each in held if (dtype := float_of(each) or (number_dtype(each) and "float32"))}
            mixed = len(dtypes) > 1 and bool(dtypes & set(HALVES))
            wanted.append(self._target(where, op_type, dtypes & set(FLOATS)) if mixed else None)
        if not any(wanted):
            return None
        differing = [held for held, dtype in zip(zip(*results, strict=True), wanted, strict=True) if dtype is not None]
        loop = self.where.location(where)
        inside = [event for event in self.events[mark[1] :] if event.op_type != "Convert" or event.location != loop]
        if op_type == "While" and any(self._turns(event) for event in inside):
            self._turn(mark[1], loop, [held[0] for held in differing])
        else:
            operands = [(f"result {number + 1}", each) for number, each in enumerate(differing[0])]
            self._event("branch", where, op_type, operands, next(dtype for dtype in wanted if dtype))
        return wanted

    def fitted(self, value: Any, dtype: str) -> Any:
        """Return a float `value` cast to `dtype`, as a repair of what did not fit."""
        return self._cast_all(value, dtype)

    def mark(self) -> tuple[int, int]:
        """Return how many ops and events there are."""
        return len(self.log.ops), len(self.events)

    def undo(self, mark: tuple[int, int]) -> None:
        """Forget the ops since `mark`; events stay, for the same conflicts are not met again once they are repaired."""
        length, first = mark
        self.log.forget(length)
        for number in range(first, len(self.events)):
            self.events[number] = self.events[number].before(length)

    def restart(self) -> None:
        """Forget everything: TensorFlow traces a function again that has made variables."""
        self.log.forget(0)
        self.events.clear()

    # How conflicts are written down and repaired.

    def _turns(self, event: Event) -> bool:
        """Whether the repair of a mismatch changed the type of a loop's variable: the loop is no fault of its own."""
        wide = [operand.producer for operand in event.operands if operand.dtype in WIDE and operand.producer >= 0]
        return event.kind == "mismatch" and any(
            self.log.ops[index].op_type == "Placeholder" for start in wide for index in self.log.upstream(start)
        )

    def _turn(self, first: int, loop: SourceLocation | None, starts: Sequence[Any]) -> None:
        """Lay what was met in a loop at the door of what the loop starts with."""
        self._turned.add(loop)
        made = [self.log.ops[index].location for each in starts if (index := self.log.producer(each)) >= 0]
        met = [event for event in self.events[first:] if event.op_type != "Convert" or event.location != loop]
        self.events[first:] = [
            event.made_at(made[0]) if made and made[0] is not None and self._turns(event) else event for event in met
        ]

    def _lost(self, value: Any, tensor: Any) -> None:
        for kind, extreme in lost_numbers(value, dtype_name(tensor.dtype)):
            self._event(kind, self.where.here(), "Const", [("value", tensor)], dtype_name(tensor.dtype), value=extreme)
            if hasattr(tensor, "op"):
                self.log.originals[id(tensor.graph), tensor.op.name] = extreme

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
        graph = hooks.current_graph()
        if self.building or self.where.is_scratch(graph):
            return
        location = self.where.location(where)
        kept = [(name, each) for name, each in operands if float_of(each) or number_dtype(each)]
        spans = as_written(location, op_type, where.frame, [each for _, each in kept], self.log)
        event = Event(
            kind=kind,
            at=len(self.log.ops),
            op_type=op_type,
            graph=str(getattr(graph, "name", "")),
            layer=self.where.layer(where),
            compute_dtype=self.where.compute_dtype(where),
            location=location,
            operands=tuple(self._operand(*named, span) for named, span in zip(kept, spans, strict=True)),
            target=target,
            value=self._overflowing(kept, target) if value is None else value,
            dtype_names=dtype_sources(where.frame, self._narrow(kept, target)),
        )
        if not self.events or self.events[-1] != event:
            self.events.append(event)

    def _operand(self, name: str, value: Any, span: Span | None) -> Operand:
        producer = self.log.producer(value)
        return Operand(
            name=name,
            dtype=float_of(value) or number_dtype(value) or "",
            producer=producer,
            span=span,
            number=is_number(value),
            made_at=self.log.ops[producer].location if producer >= 0 else None,
        )

    @staticmethod
    def _narrow(operands: list[tuple[str, Any]], target: str) -> str:
        """Return the half type among the operands, where a cast can go to."""
        return next((dtype for _, each in operands if (dtype := float_of(each)) in HALVES), None) or target

    @staticmethod
    def _overflowing(operands: list[tuple[str, Any]], target: str) -> float | None:
        """Return the number among the operands that `target` cannot hold."""
        numbers = [each for _, each in operands if is_number(each)] if target in HALVES else []
        return next(
            (extreme for each in numbers for kind, extreme in lost_numbers(each, target) if kind != "rounding"), None
        )

    def _target(self, where: CallSite, op_type: str, dtypes: set[str]) -> str:
        if op_type in DENY and len(dtypes) > 1:
            return max(dtypes, key=lambda dtype: WIDTHS[dtype])
        compute = self.where.compute_dtype(where)
        return compute if compute in dtypes else min(dtypes, key=lambda dtype: WIDTHS[dtype])

    def _repaired(self, arguments: dict[str, Any], names: Sequence[str], target: str) -> dict[str, Any]:
        return {name: self._cast_all(value, target) if name in names else value for name, value in arguments.items()}

    def _cast_all(self, value: Any, target: str) -> Any:
        import tensorflow as tf

        if is_number(value):
            if number_dtype(value) is None:
                return value
            with np.errstate(all="ignore"), self._repair():
                return tf.constant(np.asarray(value).astype(tf.as_dtype(target).as_numpy_dtype), target)
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
