"""Whether two ways to do the work give the same results, settled before anything is timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.errors import ConfigError, ParityError
from nqperf.perf.measuring.plain_values import plain_values
from nqperf.perf.measuring.spoiling import corrupted
from nqperf.records.results import Agreement

# Compares the baseline's output with the candidate's: False or an AssertionError says that they differ.
Compare = Callable[[Any, Any], "bool | Agreement | None"]
_WORDS = "same"
_PLAIN = frozenset({bool, int, float, str, bytes})
# The detail of an agreement that counts values which only the absolute tolerance makes equal.
_UNPROVEN = "values_within_atol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Two outputs are the same when they have one structure and every number is within `atol + rtol * |baseline's|`.

    Raises: ConfigError for a tolerance below 0.
    """

    rtol: float = 1e-4
    atol: float = 1e-6

    def __post_init__(self) -> None:
        if not (self.rtol >= 0 and self.atol >= 0):
            raise ConfigError(f"rtol is {self.rtol} and atol {self.atol}; expected 0 or more")

    def __call__(self, baseline: Any, candidate: Any) -> Agreement:
        """Return how many values agree; a part that the other output lacks, or of another shape, differs whole."""
        compared = changed = unproven = 0
        largest = 0.0
        for _, ours, theirs in _leaves(baseline, candidate):
            if ours is None and theirs is None:
                continue  # nothing is no result
            if _plainly_equal(ours, theirs):
                compared += 1
                continue
            apart, difference = self._apart(ours, theirs)
            compared, changed = compared + apart.size, changed + int(np.count_nonzero(apart))
            unproven += self._unproven(ours, theirs)
            largest = max(largest, difference)
        same = 1.0 if not compared else 1 - changed / compared
        details = {"max_abs_difference": largest} if math.isfinite(largest) else {}
        if unproven:
            details[_UNPROVEN] = float(unproven)
        return Agreement(
            metric="equal values", value=same, baseline_value=1.0, compared=compared, changed=changed, details=details
        )

    def first_apart(self, baseline: Any, candidate: Any) -> str:
        """Return where `candidate` first differs from `baseline`, with both values; nothing where it does not.

        Parts of other shapes have no such place.
        """
        for place, ours, theirs in _leaves(baseline, candidate):
            if (ours is None and theirs is None) or _plainly_equal(ours, theirs):
                continue
            first, second = _array(ours), _array(theirs)
            if first.shape == second.shape and (apart := self._apart(ours, theirs)[0]).any():
                at = tuple(int(one) for one in np.argwhere(apart)[0])
                there = "".join(f"[{one}]" for one in (*place, *at))
                values = " and ".join(f"{values[at]!s:.40}" for values in (first, second))
                return f" (the first{' at ' if there else ''}{there}: {values})"
        return ""

    def _unproven(self, ours: Any, theirs: Any) -> int:
        """Return how many values are taken as equal for nothing but `atol`: all of an array's lie within it of 0.

        Values that are the same bit for bit need no tolerance.
        """
        try:
            first, second = _numbers(np.asarray(ours)), _numbers(np.asarray(theirs))
        except (TypeError, ValueError):
            return 0
        if first.shape != second.shape or not first.size or np.array_equal(first, second):
            return 0
        return first.size if bool(np.all(np.abs(first) <= self.atol)) else 0

    def _apart(self, ours: Any, theirs: Any) -> tuple[np.ndarray[Any, Any], float]:
        """Return for each value whether it differs, and the largest difference of numbers."""
        first, second = _array(ours), _array(theirs)
        if first.shape != second.shape:
            return np.ones(max(first.size, second.size, 1), dtype=bool), 0.0
        try:
            first, second = _numbers(first), _numbers(second)
        except (TypeError, ValueError):
            none = (first != first) & (second != second)  # noqa: PLR0124  # NaN among objects
            return np.asarray((first != second) & ~none), 0.0
        with np.errstate(invalid="ignore"):
            apart = ~np.isclose(second, first, rtol=self.rtol, atol=self.atol, equal_nan=True)
            difference = np.abs(first - second)
        return np.asarray(apart), float(np.max(difference, initial=0.0, where=~np.isnan(difference)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Two outputs are the same when the candidate's `score`, higher is better, is at most `tolerance` below.

    `name` is what the score is called in reports.

    Raises: ConfigError for a tolerance below 0 or a score that cannot be called.
    """

    name: str
    score: Callable[[Any], float]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not callable(self.score) or not self.tolerance >= 0:
            raise ConfigError(
                f"metric {self.name}: score {self.score!r:.60}, tolerance {self.tolerance}; "
                "expected something to call, and 0 or more"
            )


def agree(same: Compare | Metric, baseline: Any, candidate: Any) -> tuple[Agreement, str | None]:
    """Return how far the outputs of `baseline` and `candidate` agree, and why they are not the same, else None.

    Raises: ParityError when a score is no finite number, ConfigError when `same` returns neither a truth value nor an
    Agreement; what `same` raises beside AssertionError.
    """
    if isinstance(same, Metric):
        return _scored(same, baseline, candidate)
    fault = f"{getattr(same, '__name__', type(same).__name__)} says that the outputs differ"
    try:
        found = same(baseline, candidate)
    except AssertionError as error:
        found, fault = False, " ".join(str(error).split())[:200] or fault
    if isinstance(found, Agreement):
        # Close is known to see; how little it sees is part of what it finds.
        if not isinstance(same, Close):
            return found, _fault(found) or _blind(same, baseline, candidate)
        apart = _fault(found)
        return found, apart and f"{apart}{_misshapen(baseline, candidate) or same.first_apart(baseline, candidate)}"
    if found is not None and not isinstance(found, bool | np.bool_):
        raise ConfigError(f"same returned {type(found).__name__} {found!r:.60}; expected a bool or an Agreement")
    right = found is None or bool(found)
    agreement = Agreement(
        metric=_WORDS, value=float(right), baseline_value=1.0, compared=1, changed=int(not right), details={}
    )
    return agreement, _blind(same, baseline, candidate) if right else fault


def _fault(found: Agreement) -> str | None:
    """Return why an agreement is none, None where it is one."""
    if found.changed:
        apart = found.details.get("max_abs_difference")
        by = f" by up to {apart:.3g}" if apart else ""  # texts, or values of other shapes, have no distance
        return f"{found.changed} of {found.compared} values differ{by}"
    if not found.compared:
        return "nothing was compared: the outputs hold no values; let both return what they compute"
    if unproven := found.details.get(_UNPROVEN):
        return (
            f"{unproven:.0f} of {found.compared} values prove nothing: they differ, all of them within atol of 0: "
            "compare with a smaller atol"
        )
    return None


def _blind(same: Compare, baseline: Any, candidate: Any) -> str | None:
    """Return why `same` sees nothing, None where it notices that every value of the candidate's output is another."""
    wrong = corrupted(candidate)
    if wrong is None:
        return _nothing_to_see(candidate)
    try:
        with np.errstate(all="ignore"):
            found = same(baseline, wrong)
    except Exception:  # noqa: BLE001  # whatever it raises, it has noticed
        return None
    noticed = found.changed > 0 if isinstance(found, Agreement) else found is not None and not bool(found)
    if noticed:
        return None
    name = getattr(same, "__name__", type(same).__name__)
    return f"{name} compares nothing: it takes an output with every value changed for the same"


def _nothing_to_see(output: Any) -> str | None:
    return "nothing was compared: the candidate returns nothing" if output is None else None


def _scored(metric: Metric, baseline: Any, candidate: Any) -> tuple[Agreement, str | None]:
    ours, theirs = float(metric.score(baseline)), float(metric.score(candidate))
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        raise ParityError(f"{metric.name} is {ours} of the baseline and {theirs}; expected finite numbers")
    least = ours - metric.tolerance
    wrong = theirs < least
    blind = None if wrong else _blind_score(metric, candidate, theirs)
    agreement = Agreement(metric=metric.name, value=theirs, baseline_value=ours, compared=1, changed=int(wrong))
    fault = f"{metric.name} {theirs:.6g} against {ours:.6g}, expected {least:.6g} or more"
    return agreement, fault if wrong else blind


def _blind_score(metric: Metric, candidate: Any, value: float) -> str | None:
    """Return why a score sees nothing, None where it is another one of an output with every value changed."""
    wrong = corrupted(candidate)
    if wrong is None:
        return _nothing_to_see(candidate)
    try:
        with np.errstate(all="ignore"):
            same = float(metric.score(wrong)) == value
    except Exception:  # noqa: BLE001  # whatever it raises, it has noticed
        return None
    return (
        f"{metric.name} measures nothing: it is {value:.6g} of an output with every value changed too" if same else None
    )


def _leaves(ours: Any, theirs: Any) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """Yield each place of both outputs, as keys and numbers, and the values there; None for what only one has.

    Objects are opened: their fields are places.
    """
    return _places(plain_values(ours), plain_values(theirs), ())


def _places(ours: Any, theirs: Any, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*ours, *theirs)):
            yield from _places(ours.get(key), theirs.get(key), (*place, key))
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _places(one, other, (*place, number))
    else:
        yield place, ours, theirs


def _misshapen(baseline: Any, candidate: Any) -> str:
    """Return which shapes of two outputs are not the same at one place, the first one; nothing where all are."""
    for _, ours, theirs in _leaves(baseline, candidate):
        if ours is None and theirs is None:
            continue
        if ours is None or theirs is None:
            return f" (a part is missing in the {'first' if ours is None else 'second'})"
        first, second = _array(ours).shape, _array(theirs).shape
        if first != second:
            return f" (shapes {list(first)} and {list(second)})"
    return ""


def _plainly_equal(ours: Any, theirs: Any) -> bool:
    """Return whether two values are plain ones and equal, which needs no array: lists of them may be long."""
    return type(ours) in _PLAIN and type(theirs) in _PLAIN and bool(ours == theirs)


def _array(value: Any) -> np.ndarray[Any, Any]:
    """Return `value` as an array; lists of unequal length within it stay lists, its elements."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.fromiter(value, dtype=object, count=len(value))


def _numbers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return numbers in double precision, complex ones as they are.

    Raises: TypeError or ValueError for what is no number, text that reads like one too.
    """
    if values.dtype.kind in "OSUMm":
        raise TypeError("no numbers")
    return values if values.dtype.kind == "c" else values.astype(np.float64)
