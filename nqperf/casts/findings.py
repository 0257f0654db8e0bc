"""What the audit says: findings, and the audit that holds them with its metrics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nqperf.casts.edits.in_float32 import changes_in_float32
from nqperf.casts.edits.text import Edit, edited
from nqperf.casts.trace import source
from nqperf.casts.trace.records import SourceLocation, relative

SCHEMA_VERSION = 1

RULES: Mapping[str, str] = {
    "CAST001": "an op gets float types that do not match; TensorFlow refuses to build it",
    "CAST002": "keras.ops promotes a half operand to float32 without a word",
    "CAST003": "here a float32 leak starts that drags 16-bit work along",
    "CAST004": "a value is rounded to a half type and widened again: digits lost for nothing",
    "CAST005": "a value is widened and narrowed again with no computation between: a redundant pair of casts",
    "CAST006": "the 16-bit policy is not in effect: most of the work runs in float32",
    "CAST007": "the branches of a condition, or the rounds of a loop, return different float types",
    "CAST008": "a value of another float type is written back to a variable",
    "CAST009": "a sealed subgraph: the policy does not reach inside and the audit cannot see its lines",
    "NUM101": "a constant overflows to infinity in the half type",
    "NUM102": "a constant underflows to zero in the half type, or a bound that guards something rounds away",
    "NUM103": "infinity can meet zero: 0 * inf is NaN",
    "NUM104": "two mask minima are summed: the sum overflows to -inf",
    "NUM105": "an op on Grappler's deny list, or a deep reduction, runs in a half type",
    "NUM106": "weights lie outside the half type's range, or mostly in its subnormal numbers",
    "NUM107": "integers travel through a half type that does not count that far",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to repair: the rule, where, in which layer, why, what to do and where its leak starts.

    `rule` is its name ("CAST001"), `location` the place, `message` what is wrong there, and `origin` where the wide
    float began; a place is None where no line is known. `layers` are all layers that share the line, `layer` the first.
    `edit` says in words what to do; `fix` is an edit that has been tried. `consequences` are findings that go when this
    one goes. `proposals` are edits that may work, `cause` the op in which the wide float began and `reached` the ops
    that it turned wide: both of one trace.
    """

    rule: str
    location: SourceLocation | None
    layer: str
    message: str
    edit: str | None = None
    origin: SourceLocation | None = None
    layers: tuple[str, ...] = ()
    fix: Edit | None = None
    consequences: tuple[Finding, ...] = ()
    proposals: tuple[Edit, ...] = field(default=(), repr=False, compare=False)
    cause: int = field(default=-1, repr=False, compare=False)
    reached: frozenset[int] = field(default=frozenset(), repr=False, compare=False)

    @property
    def path(self) -> str | None:
        """The file, relative to the working directory where it lies below it."""
        return relative(self.location.path) if self.location is not None else None

    @property
    def line(self) -> int | None:
        """The 1-based line."""
        return self.location.line if self.location is not None else None

    @property
    def fingerprint(self) -> str:
        """What stays the same when lines move: rule, file, function, layer template and the line's text."""
        parts = [self.rule, self.path or "", layer_template(self.layer)]
        if self.location is not None:
            parts += [source.function_at(self.location), source.text_of(self.location).strip()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, object]:
        """Return the finding as the JSON output holds it."""
        origin = None
        if self.origin is not None:
            origin = {"path": relative(self.origin.path), "line": self.origin.line}
        return {
            "rule": self.rule,
            "path": self.path,
            "line": self.line,
            "column": _one_based(self.location.column) if self.location is not None else None,
            "end_line": self.location.end_line if self.location is not None else None,
            "end_column": _one_based(self.location.end_column) if self.location is not None else None,
            "layer": self.layer,
            "layers": list(self.layers or (self.layer,)),
            "message": self.message,
            "edit": self.edit_text,
            "verified": self.fix is not None,
            "changes_in_float32": list(self.changes_in_float32),
            "origin": origin,
            "consequences": [finding.to_dict() for finding in self.consequences],
            "fingerprint": self.fingerprint,
        }

    @property
    def unverified(self) -> str:
        """Why `edit` is but a piece of advice, "" where an edit was tried and works."""
        if self.fix is not None:
            return ""
        return "none that was tried works" if self.proposals else "by hand: there is none to try"

    @property
    def changes_in_float32(self) -> tuple[str, ...]:
        """What the edit that was tried changes in the float32 model, too, in words: another number."""
        return changes_in_float32(self.fix) if self.fix is not None else ()

    @property
    def edit_text(self) -> str | None:
        """The edited lines where an edit was tried and works, else what to do in words."""
        if self.fix is None:
            return self.edit
        before = source.text_at(self.fix.path)
        pairs = zip(before.split("\n"), edited(before, [self.fix]).split("\n"), strict=True)
        return "\n".join(new.strip() for old, new in pairs if new != old)


@dataclass(frozen=True, slots=True, kw_only=True)
class Island:
    """Float32 inside one 16-bit layer that the layer brings back itself: wide by design, and no finding.

    `location` is where it is opened, None where no line is known, and `layer` the layer's path. Units: `ops` is how
    many ops run wide in it, `products` how many of them are matrix products.
    """

    location: SourceLocation | None
    layer: str
    ops: int
    products: int

    def to_dict(self) -> dict[str, object]:
        """Return the island as the JSON output holds it."""
        path, line = (relative(self.location.path), self.location.line) if self.location is not None else (None, None)
        return {"path": path, "line": line, "layer": self.layer, "ops": self.ops, "matrix_products": self.products}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The outcome of one audit; `complete` is False when the trace stopped early, and then `stopped` says where.

    `model` is its name, `precision` the policy that it was held to. `findings` are what is to repair, `wide_by_design`
    what is not. `ops_by_dtype` counts ops by their type and the dtype that they give, `metrics` are further counts and
    shares by name, `thresholds` what the rules judge by, and `versions` those of TensorFlow and Keras.
    """

    model: str
    precision: str
    complete: bool
    findings: tuple[Finding, ...]
    wide_by_design: tuple[Island, ...] = ()
    stopped: str | None = None
    ops_by_dtype: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether everything was seen and nothing found."""
        return self.complete and not self.findings

    def to_dict(self) -> dict[str, object]:
        """Return the audit as the JSON output holds it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "complete": self.complete,
            "stopped": self.stopped,
            "model": self.model,
            "precision": self.precision,
            "findings": [finding.to_dict() for finding in self.findings],
            "wide_by_design": [island.to_dict() for island in self.wide_by_design],
            "metrics": dict(self.metrics),
            "thresholds": dict(self.thresholds),
            "ops_by_dtype": {op: dict(counts) for op, counts in self.ops_by_dtype.items()},
            "versions": dict(self.versions),
        }

    def to_json(self) -> str:
        """Return the audit as indented JSON with a final newline."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"


def flattened(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield `findings` and, after each, its consequences."""
    for finding in findings:
        yield finding
        yield from flattened(finding.consequences)


def _one_based(column: int | None) -> int | None:
    return None if column is None else column + 1


def layer_template(layer: str) -> str:
    """Return the path `layer` with its numbers taken out: `block_3/attention` -> `block_{n}/attention`."""
    return "/".join(re.sub(r"(?<=_)\d+$|^\d+$", "{n}", part) for part in layer.split("/"))


def unnumbered(layer: str) -> str:
    """Return the path `layer` without the numbers that Keras or a loop has given: `dense_7/block_3` -> `dense/block`.

    Keras numbers names a process, so that what was built before changes them.
    """
    return "/".join(re.sub(r"_(\d+|\{n\})$", "", part) for part in layer.split("/"))
