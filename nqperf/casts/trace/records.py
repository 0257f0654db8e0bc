"""What one trace of a model leaves behind: its ops and the conflicts met on the way, without any TensorFlow object."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

HALVES = ("float16", "bfloat16")
FLOATS = (*HALVES, "float32", "float64")
WIDE = ("float32", "float64")

# The widths at which float types are ranked; the two halves are promoted to float32 where they meet.
WIDTHS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}


# A piece of source: first line and column, last line and column (exclusive), columns in bytes as `ast` counts them.
Span = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLocation:
    """A piece of the source file `path`; what Python 3.10 does not know of it is None.

    `line` and `end_line` count from 1, `column` and `end_column` from 0, in bytes; the end is exclusive.
    """

    path: str
    line: int
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None

    @property
    def span(self) -> Span | None:
        """The lines and columns as one value, None where the columns are not known."""
        if self.column is None or self.end_line is None or self.end_column is None:
            return None
        return (self.line, self.column, self.end_line, self.end_column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """The extremes of a constant's values, `low` and `high`, of `size` values; `infinite` tells that some are.

    `original` is the number that was asked for, where the dtype lost it.
    """

    low: float
    high: float
    size: int
    infinite: bool
    original: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpRecord:
    """One op of the trace.

    Fields:
        index: Its place in the trace.
        name: Its name in its graph.
        op_type: What TensorFlow calls such an op ("MatMul").
        graph: Which function graph it is in.
        layer: The path of the layer that it is made in, "" outside of layers.
        compute_dtype: What that layer's policy computes in.
        location: The user's line that makes it, None where none is known.
        in_dtypes: The types of its inputs.
        out_dtypes: The types of its outputs.
        producers: The indices of its inputs' ops, -1 for what no op of the trace made.
        kind: What made a Cast: explicit (written by the user), autocast (a layer casting its arguments), variable (a
            layer reading a weight), promotion (keras.ops bringing operands together), repair (put there by the audit);
            "" for other ops.
        shape: The shape of its first output, None where it is not known.
        in_shape: That of its first input.
        constant: The extremes of a constant, None for other ops, and for one that is large.
        function: Of a call op: the name of the function graph that it calls.
    """

    index: int
    name: str
    op_type: str
    graph: str
    layer: str
    compute_dtype: str
    location: SourceLocation | None
    in_dtypes: tuple[str, ...]
    out_dtypes: tuple[str, ...]
    producers: tuple[int, ...]
    kind: str = ""
    shape: tuple[int | None, ...] | None = None
    in_shape: tuple[int | None, ...] | None = None
    constant: Constant | None = None
    function: str = ""  # of a call op: the name of the function graph it calls

    @property
    def out_dtype(self) -> str:
        """The dtype of the first output, "" when there is none."""
        return self.out_dtypes[0] if self.out_dtypes else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One operand of a conflict, called `name`: its `dtype`, the op that made it, and where it is written.

    `producer` is -1 when no op of the trace made it, `made_at` the line of the op that did. `span` is where it is
    written; both are None where that is not known. `number` is true of a Python or NumPy number, whose dtype is the one
    that TensorFlow would give it.
    """

    name: str
    dtype: str
    producer: int
    span: Span | None = None
    number: bool = False
    made_at: SourceLocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A conflict met while tracing.

    Fields:
        kind: mismatch, unsupported (an op that takes no half type), promotion, write (to a variable), overflow,
            underflow, rounding or branch.
        at: The number of ops recorded before it.
        op_type: What was being built ("MatMul"), or the function of Keras.
        layer: The path of the layer, "" outside of layers.
        compute_dtype: What that layer's policy computes in.
        location: The user's line, None where none is known.
        operands: What does not fit together.
        target: The dtype that the trace went on with.
        value: The scalar that was lost (overflow, underflow).
        graph: The function graph that was being built.
        dtype_names: Expressions for `target` at the line.
    """

    kind: str
    at: int
    op_type: str
    layer: str
    compute_dtype: str
    location: SourceLocation | None
    operands: tuple[Operand, ...] = ()
    target: str = ""
    value: float | None = None
    graph: str = ""
    dtype_names: tuple[str, ...] = ()

    def made_at(self, location: SourceLocation) -> Event:
        """Return the event with its wide operands made at `location`."""
        made = tuple(
            replace(operand, made_at=location) if operand.dtype in WIDE else operand for operand in self.operands
        )
        return replace(self, operands=made)

    def before(self, length: int) -> Event:
        """Return the event as it is known when the ops from `length` on are forgotten."""
        kept = tuple(
            replace(operand, producer=operand.producer if operand.producer < length else -1)
            for operand in self.operands
        )
        return replace(self, at=min(self.at, length), operands=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All `ops` in the order of their creation and all conflicts, `events`.

    `model_dtype` is what the model's policy computes in, `layers` are the paths of the layers that were seen. `stopped`
    says why the trace is not complete. `unused` are the ops that nobody reads and that are no result either: what code
    computes and throws away. `device` is where the model is to run, "CPU" or "GPU"; `failures` are what went wrong in
    the audit itself. `functions` are sealed functions by name, with their ops as "type dtype". `by_name` says that the
    policy was in force for all layers, so that one of float32 was asked for by name.
    """

    ops: tuple[OpRecord, ...]
    events: tuple[Event, ...]
    model_dtype: str
    layers: tuple[str, ...] = ()
    stopped: str | None = None
    unused: frozenset[int] = frozenset()
    device: str = "CPU"  # where the model is to run: CPU or GPU
    failures: tuple[str, ...] = ()  # what went wrong in the audit itself
    by_name: bool = False
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict)  # sealed functions: their ops as "type dtype"


def relative(path: str) -> str:
    """Return `path` relative to the working directory when it lies below it, with forward slashes."""
    try:
        shorter = os.path.relpath(path)
    except ValueError:  # another drive
        shorter = path
    return (path if shorter.startswith("..") else shorter).replace(os.sep, "/")
