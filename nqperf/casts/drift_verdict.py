"""What a drift comes to in one sentence: usable or not, and what is to blame."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nqperf.casts.drift import Drift, LayerDrift
from nqperf.casts.edits.runs import TOLERANCE
from nqperf.casts.findings import Finding
from nqperf.casts.task_drift import TaskDrift
from nqperf.casts.twins import called

# An output this many times as far off as any layer's result has its error from outside of the layers.
_OUTSIDE = 2.0
_SHOWN = 4

# A layer this far off on inputs of float32 does more than round: values that cancel, or a kernel that is wrong.
_MORE_THAN_ROUNDING = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether 16 bits are close enough to float32 (`holds`), and the `reason` in words."""

    holds: bool
    reason: str

    @property
    def line(self) -> str:
        """The verdict as it is printed, at the end."""
        return f"verdict: {'HOLDS' if self.holds else 'DOES NOT HOLD'}: {self.reason}"


def verdict(drift: Drift, task: TaskDrift | None = None, *, tolerance: float | None = None) -> Verdict:
    """Return the verdict on `drift`: every output within `tolerance` (relative L2), and no finding that counts.

    Without a tolerance it is 0.05 in float16 and 0.25 in bfloat16, as for edits. Values that are not finite and are
    absorbed are no fault, nor are values that become zero where their layer's own result is within the limit, as in the
    tails of a softmax. The answers that change in `task` are told of and judged by their reader.
    """
    limit = TOLERANCE.get(drift.precision.removeprefix("mixed_"), 0.0) if tolerance is None else tolerance
    lost = next((each for each in drift.findings if each.rule == "NUM201"), None)
    if lost is not None:
        where = f" at {lost.path}:{lost.line}" if lost.path else ""
        place = lost.layer or "outside of the layers"
        return Verdict(holds=False, reason=f"{lost.message}; first in {place}{where}")
    name, error = max(((each, one.relative_l2) for each, one in drift.outputs.items()), key=lambda one: one[1])
    if math.isnan(error) or error > limit:
        told = (
            f"{called(name)} is {error:.3g} off (relative L2), and at most {limit:g} is allowed; {_blame(drift, error)}"
        )
        return Verdict(holds=False, reason=told)
    own_errors = {each.layer: each.local.relative_l2 for each in drift.layers}
    small = [each for each in drift.findings if each.rule == "NUM204" and own_errors.get(each.layer, math.inf) <= limit]
    counted = [each for each in drift.findings if each.rule != "NUM202" and each not in small]
    if counted:
        first = min(counted, key=lambda each: each.rule)
        rules = " and ".join(sorted({each.rule for each in counted}))
        told = f"{rules} found, first in {first.layer}: {first.message}"
        return Verdict(holds=False, reason=f'{told}; dtype="float32" keeps that layer in float32')
    changed = f"; {task.changed_predictions} of {task.examples} answers change" if task is not None else ""
    flushed = f"; {_harmless(small, own_errors)}" if small else ""
    return Verdict(
        holds=True, reason=f"{called(name)} is {error:.3g} off (relative L2), at most {limit:g}{changed}{flushed}"
    )


def _harmless(small: list[Finding], own_errors: dict[str, float]) -> str:
    """Return of the layers whose flushed values are too `small` to matter how far off their results are."""
    worst = max(small, key=lambda each: own_errors[str(each.layer)])
    where = str(worst.layer) if len(small) == 1 else f"{len(small)} layers"
    return (
        f"the values that become zero in {where} (NUM204) are too small to matter: "
        f"{own_errors[str(worst.layer)]:.3g} off at the most"
    )


def _blame(drift: Drift, error: float) -> str:
    """Return which layer makes the error, or that none does."""
    reached = max((each.propagated.relative_l2 for each in drift.layers), default=0.0)
    if drift.outside and error > _OUTSIDE * reached:
        shown = ", ".join(drift.outside[:_SHOWN])
        return f"no layer's result is more than {reached:.3g} off: the error is outside of the layers, at {shown}"
    worst = max(_innermost(drift.layers), key=lambda each: each.local.relative_l2, default=None)
    if worst is None:
        return "no layer is known"
    told = (
        f"{worst.layer} makes most of it ({worst.local.relative_l2:.3g} on float32 inputs): "
        "`nqperf casts bisect` finds the layers to keep in float32"
    )
    if worst.local.relative_l2 < _MORE_THAN_ROUNDING:
        return told
    return (
        f"{told}. That is more than rounding: values cancel, or a kernel of this machine is wrong; "
        "see whether TF_ENABLE_ONEDNN_OPTS=0 changes it"
    )


def _innermost(layers: tuple[LayerDrift, ...]) -> list[LayerDrift]:
    return [each for each in layers if not any(other.layer.startswith(f"{each.layer}/") for other in layers)]
