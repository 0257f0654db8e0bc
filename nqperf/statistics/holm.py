"""Holm's procedure: many rows are tested, and a whole run errs as rarely as one test alone.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979);
with looks, Maurer and Bretz, "Multiple testing in group sequential trials using graphical approaches" (2013).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nqperf.statistics.location import FloatArray

BoolArray = npt.NDArray[np.bool_]


def holm(
    p_values: FloatArray, level: Callable[[int], float | FloatArray], rejected: BoolArray | None = None
) -> BoolArray:
    """Return which of the hypotheses with these `p_values` are rejected.

    `level` returns how small a p-value must be when so many hypotheses are still in the running: for one look
    `alpha / count`; with looks, each hypothesis's nominal level at this one for that share of alpha. `rejected` are
    hypotheses that an earlier look rejected: they stay so, and leave their share to the others.
    Shapes: [hypotheses] all; a p-value that is NaN is never rejected.

    >>> holm(np.array([0.004, 0.012, 0.2]), lambda count: 0.03 / count).tolist()
    [True, True, False]
    """
    found = np.zeros(len(p_values), np.bool_) if rejected is None else rejected.copy()
    while not found.all():
        more = ~found & (p_values <= level(len(found) - int(found.sum())))
        if not more.any():
            break
        found |= more
    return found


def adjusted(p_values: FloatArray) -> FloatArray:
    """Return Holm's adjusted `p_values`: the alpha of the whole at which each hypothesis is just rejected.

    >>> adjusted(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    counts = np.arange(len(p_values), 0, -1)
    running = np.minimum(1.0, np.maximum.accumulate(counts * p_values[order]))
    out = np.empty_like(running)
    out[order] = running
    return out
