"""Features cut into batches of one size, which suits the device, so that a graph is traced once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nqperf.nq.example import IntArray
from nqperf.nq.features import FEATURE_FIELDS, MODEL_INPUTS, Features, concatenate

# A CPU is busy with a few windows, and computes the empty rows of a last batch as it does the others; a GPU must be
# filled.
CPU_BATCH, GPU_BATCH = 4, 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """`batch_size` rows of model input, of which the first len(unique_id) are real and the rest are empty.

    Shapes: each input int32[batch_size, s].
    """

    features: Features
    real_rows: int

    def inputs(self) -> dict[str, IntArray]:
        """Return what the model reads."""
        return {name: getattr(self.features, name) for name in MODEL_INPUTS}


def batched(blocks: Iterable[Features], batch_size: int) -> Iterator[Batch]:
    """Cut blocks of any length into batches; only the last one is filled up, with rows of zeros."""
    held: list[Features] = []
    rows = 0
    for block in blocks:
        held.append(block)
        rows += len(block)
        if rows < batch_size:
            continue
        joined = concatenate(held)
        whole = rows - rows % batch_size
        for start in range(0, whole, batch_size):
            yield Batch(features=joined.rows(start, start + batch_size), real_rows=batch_size)
        held = [joined.rows(whole, rows)]
        rows -= whole
    if rows:
        yield Batch(features=_filled_up(concatenate(held), batch_size), real_rows=rows)


def _filled_up(features: Features, rows: int) -> Features:
    missing = rows - len(features)
    filled = {}
    for name in FEATURE_FIELDS:
        array = getattr(features, name)
        filled[name] = np.concatenate([array, np.zeros((missing, *array.shape[1:]), dtype=array.dtype)])
    return Features(**filled)
