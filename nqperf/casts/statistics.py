"""Streaming statistics of tensors: what range they use, and how far two of them are apart. No tensor is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.casts.rules.ranges import RANGES

_Array = npt.NDArray[np.float64]
_SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}


@dataclass(slots=True)
class RangeStatistics:
    """How one tensor uses the range of its `dtype`, over all batches.

    Of `count` values, `amax` is the largest finite magnitude; `subnormal` are below the normal numbers and not 0,
    `infinite` are infinite, `nan` are no number.
    """

    dtype: str
    count: int = 0
    amax: float = 0.0
    subnormal: int = 0
    infinite: int = 0
    nan: int = 0

    def add(self, values: _Array) -> None:
        """Take one batch of `values` in."""
        finite = np.isfinite(values)
        magnitudes = np.abs(values[finite])
        self.count += values.size
        self.amax = max(self.amax, float(magnitudes.max(initial=0.0)))
        self.subnormal += int(np.count_nonzero((magnitudes > 0) & (magnitudes < _SMALLEST_NORMAL[self.dtype])))
        self.nan += int(np.count_nonzero(np.isnan(values)))
        self.infinite += int(np.count_nonzero(~finite)) - int(np.count_nonzero(np.isnan(values)))

    @property
    def headroom(self) -> float:
        """Bits between the largest magnitude and the dtype's maximum: log2(maximum / amax)."""
        return math.log2(RANGES[self.dtype].maximum / self.amax) if self.amax > 0 else math.inf

    @property
    def subnormal_share(self) -> float:
        """Share of values below the dtype's normal numbers."""
        return self.subnormal / self.count if self.count else 0.0

    @property
    def nonfinite(self) -> int:
        """How many values are infinite or no number."""
        return self.infinite + self.nan


@dataclass(slots=True)
class DriftStatistics:
    """How far a tensor is from its float32 reference, over all batches, summed in float64.

    `max_abs` is the largest distance, `squared_error`, `squared_reference` and `squared_value` are sums of squares,
    `product` is that of the two tensors' products; `nonzero` values of the reference are not 0, and `flushed` of them
    are 0 in the tensor. Where the reference itself is not finite nothing can be said, and where only the tensor is not,
    the distance is infinite.
    """

    max_abs: float = 0.0
    squared_error: float = 0.0
    squared_reference: float = 0.0
    squared_value: float = 0.0
    product: float = 0.0
    flushed: int = 0
    nonzero: int = 0

    def add(self, reference: _Array, value: _Array) -> None:
        """Take one batch of both in: the `reference` and the `value`, float64 arrays of one shape."""
        known = np.isfinite(reference)
        reference, value = reference[known], value[known]
        with np.errstate(over="ignore", invalid="ignore"):
            error = value - reference
            self.max_abs = max(self.max_abs, float(np.nan_to_num(np.abs(error), nan=np.inf).max(initial=0.0)))
            self.squared_error += float(np.nan_to_num(error**2, nan=np.inf).sum())
            self.squared_reference += float((reference**2).sum())
            self.squared_value += float(np.nan_to_num(value**2, nan=np.inf).sum())
            self.product += float(np.nan_to_num(value * reference, nan=0.0, posinf=0.0, neginf=0.0).sum())
        self.nonzero += int(np.count_nonzero(reference))
        self.flushed += int(np.count_nonzero((reference != 0) & (value == 0)))

    @property
    def relative_l2(self) -> float:
        """Length of the error over length of the reference."""
        if self.squared_error == 0:
            return 0.0
        if self.squared_reference == 0:
            return math.inf
        # The quotient of the squares could overflow.
        return math.sqrt(self.squared_error) / math.sqrt(self.squared_reference)

    @property
    def cosine(self) -> float:
        """Cosine of the angle to the reference; 1 where nothing differs."""
        if self.squared_error == 0:
            return 1.0
        length = math.sqrt(self.squared_reference) * math.sqrt(self.squared_value)
        return self.product / length if 0 < length < math.inf else 0.0

    @property
    def sqnr(self) -> float:
        """Signal to quantisation noise ratio in decibels."""
        if self.squared_error == 0:
            return math.inf
        if self.squared_reference == 0 or math.isinf(self.squared_error):
            return -math.inf
        return 10.0 * (math.log10(self.squared_reference) - math.log10(self.squared_error))

    @property
    def flushed_share(self) -> float:
        """Share of the reference's non-zero values that are zero here."""
        return self.flushed / self.nonzero if self.nonzero else 0.0
