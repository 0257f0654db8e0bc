"""Bisection: a 1-minimal set of layers to keep in float32, found by delta debugging.

Source: Zeller and Hildebrandt 2002, Simplifying and isolating failure-inducing input (ddmin), with "the twin is good
enough" in the place of "the test fails".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from nqperf.casts.drift import measure
from nqperf.casts.statistics import DriftStatistics
from nqperf.casts.telling import tell
from nqperf.casts.twins import Batch, Observed, Twins, outputs_of
from nqperf.errors import ConfigError
from nqperf.plain_text import counted

_SHOWN = 8  # places outside of the layers that are named

_Unit = TypeVar("_Unit", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """The layers to keep in float32, the error with them and without, and what the search cost.

    `layers` are paths of layers, with all that is inside them. The errors are relative (L2), the largest of any output:
    `error` with these layers in float32, `error_without` with none, `error_with_all` with all; `tolerance` is what was
    asked for. `candidates` is the number of layers that there are. Every set that was tried was run once over all
    batches; `runs` counts these.
    """

    layers: tuple[str, ...]
    tolerance: float
    error: float
    error_without: float
    error_with_all: float
    candidates: int
    runs: int


def ddmin(units: Sequence[_Unit], enough: Callable[[tuple[_Unit, ...]], bool]) -> tuple[_Unit, ...]:
    """Return a 1-minimal part of `units` that is `enough`: without any one unit it is not. `units` must be enough."""
    kept, parts = tuple(units), 2
    if enough(()):
        return ()
    while len(kept) > 1:
        chunks = _split(kept, parts)
        complements = [tuple(unit for unit in kept if unit not in chunk) for chunk in chunks]
        smaller = next((chunk for chunk in chunks if enough(chunk)), None)
        if smaller is not None:
            kept, parts = smaller, 2
            continue
        rest = next((each for each in complements if parts > 2 and enough(each)), None)  # noqa: PLR2004  # halves
        if rest is not None:
            kept, parts = rest, max(parts - 1, 2)
        elif parts < len(kept):
            parts = min(2 * parts, len(kept))
        else:
            break
    return kept


def bisect(twins: Twins, batches: Sequence[Batch], *, tolerance: float) -> Bisection:
    """Find which layers of `twins` must stay in float32 for every output to be within `tolerance` (relative L2).

    `batches` are what the twins are called with.

    Raises: ConfigError when even all layers in float32 are not enough.
    """
    references = _references(twins, batches)
    names = [name for name, _, _ in twins.layers]
    errors: dict[frozenset[str], float] = {}

    def error_of(chosen: tuple[str, ...]) -> float:
        key = frozenset(chosen)
        if key not in errors:
            tell("trying", f"set {len(errors) + 1}: {len(key)} of {counted(len(names), 'layer')} in float32")
            errors[key] = _error(twins, batches, references, key)
        return errors[key]

    everything = error_of(tuple(names))
    if not everything <= tolerance:
        raise ConfigError(
            f"with every layer in float32 the relative error is still {everything:.3g}, above the tolerance "
            f"{tolerance:g}: {_remaining(twins, batches)}"
        )
    found = ddmin(names, lambda chosen: error_of(chosen) <= tolerance)
    return Bisection(
        layers=found,
        tolerance=tolerance,
        error=error_of(found),
        error_without=error_of(()),
        error_with_all=everything,
        candidates=len(names),
        runs=len(errors),
    )


def error_with(twins: Twins, batches: Sequence[Batch]) -> float:
    """Return the largest relative L2 error of any output of the twin of `twins` as it is, over all `batches`."""
    return _error(twins, batches, _references(twins, batches), frozenset())


def _references(twins: Twins, batches: Sequence[Batch]) -> list[Any]:
    return [outputs_of(twins.run_reference(batch)) for batch in batches]


def _remaining(twins: Twins, batches: Sequence[Batch]) -> str:
    """Return what is left to blame when all layers are in float32: the model's own call, and what lies between."""
    half = str(twins.twin.compute_dtype)
    outside = measure(twins, batches[:1], name="", precision=twins.precision).outside
    digits = 2.0**-11 if half == "float16" else 2.0**-8
    rounding = f"what travels between layers is rounded to {half} (about {digits:.1g} each time)"
    if not outside:
        return f"no layer is to blame, for {rounding}; ask for a larger tolerance"
    shown = ", ".join(outside[:_SHOWN]) + (f" and {len(outside) - _SHOWN} more" if len(outside) > _SHOWN else "")
    return (
        f"the error is outside of the layers, in the model's own call, which computes in {half}: {shown}; move that "
        f'into a layer with dtype="float32", or cast there; besides, {rounding}'
    )


def _error(twins: Twins, batches: Sequence[Batch], references: Sequence[Any], kept: frozenset[str]) -> float:
    """Return the largest relative L2 error of any output with the layers `kept` (and all inside them) in float32."""
    import tensorflow as tf

    outermost = [name for name in kept if not any(name.startswith(f"{other}/") for other in kept)]
    reference_of = {name: reference for name, reference, _ in twins.layers if name in outermost}

    def instead(path: str, _layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        # The reference's layer in its place, float32 inside and in weights; outside nothing changes its type.
        wide = reference_of[path](*args, **kwargs)
        return tf.nest.map_structure(_like, wide, output)

    statistics: dict[str, DriftStatistics] = {}
    with Observed([(name, layer) for name, _, layer in twins.layers if name in reference_of], instead):
        for batch, reference in zip(batches, references, strict=True):
            value = outputs_of(twins.run_twin(batch))
            for name, expected in reference.items():
                statistics.setdefault(name, DriftStatistics()).add(expected, value[name])
    return float(np.max([each.relative_l2 for each in statistics.values()]))


def _like(value: Any, model: Any) -> Any:
    import tensorflow as tf

    return tf.cast(value, model.dtype) if hasattr(model, "dtype") else value


def _split(units: tuple[_Unit, ...], parts: int) -> list[tuple[_Unit, ...]]:
    edges = [round(len(units) * part / parts) for part in range(parts + 1)]
    return [units[start:end] for start, end in itertools.pairwise(edges) if end > start]
