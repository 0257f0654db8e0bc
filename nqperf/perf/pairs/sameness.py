"""Whether two ways to do the work give the same results, settled before anything is timed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.errors import ConfigError, ParityError
from nqperf.records.results import Agreement

# Compares the baseline's output with the candidate's: False or an AssertionError says that they differ.
Compare = Callable[[Any, Any], "bool | Agreement | None"]
_WORDS = "same"


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
        compared = changed = 0
        largest = 0.0
        for ours, theirs in _leaves(baseline, candidate):
            apart, difference = self._apart(ours, theirs)
            compared, changed = compared + apart.size, changed + int(np.count_nonzero(apart))
            largest = max(largest, difference)
        same = 1.0 if not compared else 1 - changed / compared
        details = {"max_abs_difference": largest} if math.isfinite(largest) else {}
        return Agreement(
            metric="equal values", value=same, baseline_value=1.0, compared=compared, changed=changed, details=details
        )

    def _apart(self, ours: Any, theirs: Any) -> tuple[np.ndarray[Any, Any], float]:
        """Return for each value whether it differs, and the largest difference of numbers."""
        first, second = np.asarray(ours), np.asarray(theirs)
        if first.shape != second.shape:
            return np.ones(max(first.size, second.size, 1), dtype=bool), 0.0
        try:
            first, second = _numbers(first), _numbers(second)
        except (TypeError, ValueError):
            return np.asarray(first != second), 0.0
        with np.errstate(invalid="ignore"):
            apart = ~np.isclose(second, first, rtol=self.rtol, atol=self.atol, equal_nan=True)
            difference = np.abs(first - second)
        return np.asarray(apart), float(np.max(difference, initial=0.0, where=~np.isnan(difference)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Two outputs are the same when the candidate's score, higher is better, is at most `tolerance` below.

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
    """Return how far two outputs agree, and why they are not the same; None when they are.

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
        apart = found.details.get("max_abs_difference")
        by = "" if apart is None else f" by up to {apart:.3g}"
        return found, f"{found.changed} of {found.compared} values differ{by}" if found.changed else None
    if found is not None and not isinstance(found, bool | np.bool_):
        raise ConfigError(f"same returned {type(found).__name__} {found!r:.60}; expected a bool or an Agreement")
    right = found is None or bool(found)
    agreement = Agreement(
        metric=_WORDS, value=float(right), baseline_value=1.0, compared=1, changed=int(not right), details={}
    )
    return agreement, None if right else fault


def _scored(metric: Metric, baseline: Any, candidate: Any) -> tuple[Agreement, str | None]:
    ours, theirs = float(metric.score(baseline)), float(metric.score(candidate))
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        raise ParityError(f"{metric.name} is {ours} of the baseline and {theirs}; expected finite numbers")
    least = ours - metric.tolerance
    wrong = theirs < least
    agreement = Agreement(metric=metric.name, value=theirs, baseline_value=ours, compared=1, changed=int(wrong))
    fault = f"{metric.name} {theirs:.6g} against {ours:.6g}, expected {least:.6g} or more"
    return agreement, fault if wrong else None


def _leaves(ours: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the values that stand at the same place in both outputs; None for what only one has."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*ours, *theirs)):
            yield from _leaves(ours.get(key), theirs.get(key))
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            yield from _leaves(one, other)
    else:
        yield ours, theirs


def _numbers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return numbers in double precision, complex ones as they are.

    Raises: TypeError or ValueError for what is no number, text that reads like one too.
    """
    if values.dtype.kind in "OSUMm":
        raise TypeError("no numbers")
    return values if values.dtype.kind == "c" else values.astype(np.float64)
