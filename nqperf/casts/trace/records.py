"""What one trace of a model leaves behind: its ops and the conflicts met on the way, without any TensorFlow object."""

from __future__ import annotations

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
    """A piece of source: 1-based lines, 0-based columns, end exclusive; None where Python 3.10 does not know them."""

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
    """The extremes of a constant's values; `original` is the number that was asked for, where the dtype lost it."""

    low: float
    high: float
    size: int
    infinite: bool
    original: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpRecord:
    """One op of the trace; `producers` are the indices of its inputs' ops, `kind` says what made a Cast.

    `kind` is explicit (written by the user), autocast (a layer casting its arguments), variable (a layer reading a
    weight), promotion (keras.ops bringing operands together), repair (put there by the audit) or "" for other ops.
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
    """One operand of a conflict: its dtype, the op that made it, and where it is written (None where not known).

    `producer` is -1 when no op of the trace made it, `made_at` the line of the op that did. `number` is true of a
    Python or NumPy number, whose dtype is the one that TensorFlow would give it.
    """

    name: str
    dtype: str
    producer: int
    span: Span | None = None
    number: bool = False
    made_at: SourceLocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A conflict met while tracing: mismatch, unsupported, promotion, write, overflow, underflow, rounding or branch.

    `unsupported` is an op that takes no half type, `write` a write to a variable. `at` is the number of ops recorded
    before it; `target` the dtype the trace went on with; `value` the scalar that was lost (overflow, underflow);
    `graph` the function graph that was being built; `dtype_names` expressions for `target` at the line.
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
    """All ops in the order of their creation and all conflicts; `stopped` says why the trace is not complete.

    `unused` are the ops that nobody reads and that are no result either: what code computes and throws away.
    """

    ops: tuple[OpRecord, ...]
    events: tuple[Event, ...]
    model_dtype: str
    layers: tuple[str, ...] = ()
    stopped: str | None = None
    unused: frozenset[int] = frozenset()
    device: str = "CPU"  # where the model is to run: CPU or GPU
    failures: tuple[str, ...] = ()  # what went wrong in the audit itself
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict)  # sealed functions: their ops as "type dtype"
