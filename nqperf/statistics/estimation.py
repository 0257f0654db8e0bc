"""What the sets so far say of each row: its mean log ratio, the standard error of that, and its degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.statistics.location import FloatArray
from nqperf.statistics.moderation import moderate
from nqperf.statistics.sets import Sets

# The part of a row's variance that is the common baseline's, rows and baseline being processes of one kind: one half
# held to one process of it, one third held to the mean of two.
_SHARED_ONE, _SHARED_TWO = 0.5, 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Means over the sets; the first index is 0 for the location, 1 for total time.

    Shapes: sets int64[rows], how many each row was measured in; mean, error, freedom and sd float64[2, rows]; scatters
    bool[rows]. `error` is the standard error of `mean`, `sd` the moderated SD of one set; NaN where nothing is known.
    `held` are the estimates that the means are of, float64[2, sets, rows].
    """

    sets: npt.NDArray[np.int64]
    mean: FloatArray
    error: FloatArray
    freedom: FloatArray
    sd: FloatArray
    scatters: npt.NDArray[np.bool_]
    held: FloatArray


def estimates(sets: Sets) -> Estimates:
    """Return what the `sets` say of each row.

    Rows that share a baseline are held to the mean of its processes in a set, the baseline itself and the control
    "same": that is the row's estimate less half the control's. The control is held to the baseline alone.
    """
    held = np.stack([sets.location, sets.total])
    same = [column for column, row in enumerate(sets.rows) if row.role == "same"]
    common = _SHARED_ONE if sets.shared else 0.0
    if sets.shared and same:
        control = np.nan_to_num(held[:, :, same])
        others = [column for column, row in enumerate(sets.rows) if row.role != "same"]
        held[:, :, others] -= control / 2
        common = _SHARED_TWO
    counts = np.isfinite(sets.location).sum(axis=0)
    mean = np.divide(np.nan_to_num(held).sum(axis=1), counts, out=np.full(held.shape[::2], np.nan), where=counts > 0)
    scatter = [moderate(one, shared=common) for one in held]
    sd = np.sqrt(np.stack([one.variance for one in scatter]))
    return Estimates(
        sets=counts,
        mean=mean,
        error=np.divide(sd, np.sqrt(counts), out=np.full(sd.shape, np.nan), where=counts > 0),
        freedom=np.stack([one.freedom for one in scatter]),
        sd=sd,
        scatters=scatter[0].outlying,
        held=held,
    )
