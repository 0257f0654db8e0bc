"""Whether a row's outputs are the baseline's, for models of which nothing else is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ParityError
from nqperf.formats.arrays_npz import Array
from nqperf.perf.variants.variant import Tolerance
from nqperf.records.doubts import PROVES_NOTHING
from nqperf.records.results import UNDECIDED, Agreement, Difference
from nqperf.statistics.answers import fewest_within, share_interval

Outputs = Mapping[str, Array]
# A row is right about a decision, the largest of the values along the last axis, or about values.
DECISIONS, VALUES = "same decisions", "same values"
RELATIVE, LARGEST, LIMIT = "relative_error", "max_abs_difference", "relative_error_limit"
# Sums in another order move a float32 output by far less than this share of its spread.
_EXACT = 1e-3
# Outputs that differ among rows by less than this share of their size, a few steps of bfloat16, cannot show whether 16
# bits keep them: rounding alone is a large part of the spread. Such a row must be near to their size all the same.
_FAINT, _ROUNDED = 1 / 32, 1 / 64
# Floats that differ by less than this share of their size, eight roundings of float32, differ by rounding alone.
_ROUNDING = 2.0**-20
_CONFIDENCE = 0.95
_DIFFERENCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLimits:
    """What may differ in a row of narrower types.

    Fields:
        relative: The root mean square of the differences, as a share of the output's spread.
        decisions: The share of decisions that are other ones.
    """

    relative: float
    decisions: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """How many rows of inputs there are to compare.

    Fields:
        given: The rows of a file, None where inputs are drawn.
        batch_size: The rows of a batch: whole ones are run.
    """

    given: int | None = None
    batch_size: int = 1

    def needed(self, agreed: Agreement, share: float, rows: int) -> str:
        """Return how many rows, with no more decisions changed, tell that at most `share` change, and whence.

        `agreed` is how far `rows` of them agreed.
        """
        fewest = math.ceil(fewest_within(agreed.changed, share, _CONFIDENCE) * rows / agreed.compared)
        count = self.batch_size * math.ceil(fewest / self.batch_size)
        takes = f"it takes {fewest} rows with {agreed.changed or 'none'} changed"
        if self.given is None:
            return f"{takes}: --limit {count} draws them"
        if self.given >= count:
            return f"{takes}: --limit {count} takes them"
        return f"{takes}: the inputs have {self.given}, give {count - self.given} more"


LIMITS: Mapping[Tolerance, OutputLimits] = {
    "sixteen_bit": OutputLimits(relative=0.1, decisions=0.05),
    "eight_bit": OutputLimits(relative=0.3, decisions=0.1),
}


_DRAWN = Supply()


def compare_outputs(baseline: Outputs, row: Outputs) -> Agreement:
    """Return how far the outputs of `row` agree with those of `baseline`.

    Floats along a last axis of two or more are decisions, that of the largest value; of models without such an output
    values are compared, the same within a thousandth of the output's spread. `relative_error` is the root mean square
    of the differences over the standard deviation of the baseline's output, the largest over all outputs.

    Raises: ParityError for outputs of other names or shapes, and for values that are not finite.
    """
    shapes = [{name: one.shape for name, one in outputs.items()} for outputs in (baseline, row)]
    if shapes[0] != shapes[1]:
        raise ParityError(f"parity: the outputs are {shapes[1]}; expected {shapes[0]}")
    relative, largest = 0.0, 0.0
    changed: list[tuple[str, int, str, str]] = []
    compared = 0
    deciding = any(_decides(one) for one in baseline.values())
    for name, ours in baseline.items():
        theirs = row[name]
        if ours.dtype.kind in "fiub":
            relative, largest = _further(name, ours, theirs, (relative, largest))
        first, second = (_said(one, deciding=deciding) for one in (ours, theirs))
        if first is None or second is None:
            continue
        apart = _apart(first, second, decides=_decides(ours))
        compared += len(first)
        changed += [(name, int(place), f"{first[place]}", f"{second[place]}") for place in np.flatnonzero(apart)]
    return Agreement(
        metric=DECISIONS if deciding else VALUES,
        value=1 - len(changed) / compared if compared else 1.0,
        baseline_value=1.0,
        compared=compared,
        changed=len(changed),
        details={RELATIVE: relative, LARGEST: largest},
        differences=tuple(
            Difference(subject=f"{name} {place}", baseline=ours, variant=theirs)
            for name, place, ours, theirs in changed[:_DIFFERENCES]
        ),
    )


def _further(name: str, ours: Array, theirs: Array, before: tuple[float, float]) -> tuple[float, float]:
    """Return the relative error and the largest difference of all outputs so far.

    Raises: ParityError for values that are not finite.
    """
    first, second = ours.astype(np.float64), theirs.astype(np.float64)
    if wrong := int(np.count_nonzero(~np.isfinite(second) & np.isfinite(first))):
        raise ParityError(f"parity: {wrong} of {second.size} values of {name} are NaN or infinite; expected numbers")
    apart = np.abs(np.where(np.isfinite(first), second - first, 0.0))
    error = float(np.sqrt(np.mean(apart**2))) / spread(first) if apart.size else 0.0
    return max(before[0], error), max(before[1], float(np.max(apart, initial=0.0)))


def spread(values: Array) -> float:
    """Return the standard deviation of the finite `values` of an output, or their size where rounding alone varies."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return 1.0
    deviation, size = float(np.std(finite)), float(np.max(np.abs(finite)))
    return (deviation if deviation > _ROUNDING * size else size) or 1.0


def _decides(values: Array) -> bool:
    return bool(values.dtype.kind == "f" and values.ndim > 1 and values.shape[-1] > 1)


def _said(values: Array, *, deciding: bool) -> Array | None:
    """Return what an output says, flat: its decisions, or its values; None where only others decide."""
    if _decides(values):
        return np.asarray(np.argmax(values, axis=-1)).reshape(-1)
    return None if deciding else values.reshape(-1)


def _apart(first: Array, second: Array, *, decides: bool) -> Array:
    if decides or first.dtype.kind != "f":
        return np.asarray(first != second)
    return np.asarray(np.abs(first - second) > _EXACT * spread(first))


def relative_limit(baseline: Outputs, tolerance: Tolerance) -> float | None:
    """Return what the relative error of a row with such a `tolerance` is held to.

    None for rows in float32, which are held to other limits, and where outputs like those of `baseline` prove nothing.
    """
    limits = LIMITS.get(tolerance)
    return None if limits is None or evidence_fault(baseline) else limits.relative


def check_outputs(
    baseline: Outputs, row: Outputs, agreed: Agreement, tolerance: Tolerance, supply: Supply = _DRAWN
) -> str:
    """Raise where the outputs of `row` surely differ by more than `tolerance`; return in words how far they are apart.

    `agreed` is how far they agree with those of `baseline`, and `supply` says whence more rows come.

    Raises: ParityError.
    """
    error = agreed.details[RELATIVE]
    said = f"outputs are apart by {error:.2g} of their spread, {agreed.details[LARGEST]:.3g} at the most"
    limits, fault = LIMITS.get(tolerance), evidence_fault(baseline)
    if limits is None:
        worst = max((_worst(baseline[name], row[name]) for name in baseline), default=0.0)
        if not worst <= _EXACT:
            raise ParityError(f"parity: {said}; expected at most {_EXACT:g} anywhere in float32")
        return f"{UNDECIDED}: {fault}; {said}" if fault else said
    if (faint := _faint(baseline, row, limits.relative)) is not None:
        return f"{UNDECIDED}: {faint}; {said}"
    if not error <= limits.relative:
        raise ParityError(f"parity: {said}; expected {limits.relative:g} of it or less")
    if fault:
        return f"{UNDECIDED}: {fault}; {said}"
    if agreed.metric == DECISIONS:
        low, high = share_interval(agreed.changed, agreed.compared, _CONFIDENCE)
        share = f"{agreed.changed} of {agreed.compared} decisions changed ({low:.2%} to {high:.2%} of all)"
        if low > limits.decisions:
            raise ParityError(f"parity: {share}; expected {limits.decisions:.0%} or fewer; {said}")
        if high > limits.decisions:
            more = supply.needed(agreed, limits.decisions, len(next(iter(baseline.values()))))
            return f"{UNDECIDED}: {share}, at most {limits.decisions:.0%} may; {more}; {said}"
        return f"{share}, at most {limits.decisions:.0%} may; {said}"
    return said


def _faint(baseline: Outputs, row: Outputs, relative: float) -> str | None:
    """Return why what is off by more than `relative` tells nothing: it hardly depends on the input; None where it does.

    One output that does and is off by more decides.
    """
    said = None
    for name, values in baseline.items():
        if values.dtype.kind != "f" or not values.size:
            continue
        ours, theirs = values.astype(np.float64), row[name].astype(np.float64)
        apart, size = (float(np.sqrt(np.mean(one**2))) for one in (theirs - ours, ours))
        if apart <= relative * spread(ours):
            continue
        if not (spread(ours) < _FAINT * size and apart <= _ROUNDED * size):
            return None
        said = (
            f"{name} varies by {spread(ours) / size:.1%} of its size alone, which 16 bits hardly hold: let the builder "
            "load trained weights, or name real --inputs"
        )
    return said


def _worst(ours: Array, theirs: Array) -> float:
    """Return the largest difference of an output as a share of its spread; of what is no number 0 or 1."""
    if ours.dtype.kind not in "fiub":
        return float(not np.array_equal(ours, theirs))
    first, second = ours.astype(np.float64), theirs.astype(np.float64)
    apart = np.abs(np.where(np.isfinite(first), second - first, 0.0))
    return float(np.max(apart, initial=0.0)) / spread(first)


def evidence_fault(baseline: Outputs) -> str | None:
    """Return why outputs equal to `baseline` prove nothing: they depend on no input; None where they do.

    Floats that vary by rounding alone, as those of a deep network before any training, depend on no input.
    """
    for values in baseline.values():
        rows = values.reshape(len(values), -1)
        if len(rows) == 1 or _varies(rows):
            return None
    return (
        f"the outputs are the same for every row of the inputs: that they agree {PROVES_NOTHING}; let the builder load "
        "trained weights, or name --inputs"
    )


def _varies(rows: Array) -> bool:
    if rows.dtype.kind != "f":
        return bool(np.any(rows != rows[:1]))
    apart = np.abs(rows.astype(np.float64) - rows[:1])
    return bool(np.any(apart > _ROUNDING * np.max(np.abs(rows), initial=0.0)))
