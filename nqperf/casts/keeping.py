"""The layers that bisection names, kept in float32 by a patch that has been tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from nqperf.casts.audit import audit_target
from nqperf.casts.bisect import error_with
from nqperf.casts.edits.kept_layers import Kept, constructor_edits, kept_in_float32, recorded
from nqperf.casts.findings import Finding
from nqperf.casts.targets import Target
from nqperf.casts.twins import Batch, build_twins


def patch_to_keep(
    target: Target, precision: str, names: Sequence[str], batches: Sequence[Batch], *, tolerance: float
) -> Kept | str:
    """Return the patch that makes the layers `names` of `target`, and those inside, in float32; or why there is none.

    Under `precision` the model is built, audited and run with the patch in force: its error over all `batches` has to
    be within `tolerance` (relative L2).
    """
    twins, made = recorded(lambda: build_twins(target, precision, batches[0]))
    chosen = {name for name, _, _ in twins.layers if any(name == each or name.startswith(f"{each}/") for each in names)}
    wanted = [layer for name, _, layer in twins.layers if name in chosen]
    edits = constructor_edits(wanted, made)
    if isinstance(edits, str):
        return edits

    def find() -> tuple[Finding, ...]:
        return audit_target(target, precision)[0].findings

    def error_of() -> float:
        return error_with(build_twins(target, precision, batches[0]), batches)

    kept = kept_in_float32(edits, find, error_of)
    if isinstance(kept, str):
        return kept
    if not kept.error <= tolerance:
        return f"with these lines in float32 the relative error is {kept.error:.3g}, above the tolerance {tolerance:g}"
    lines = {made.places[id(layer)] for layer in wanted}
    others = [name for name, _, layer in twins.layers if name not in chosen and made.places.get(id(layer)) in lines]
    return dataclasses.replace(kept, also=tuple(others))
