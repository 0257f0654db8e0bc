"""Logits: the outputs of a model for features, row for row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.nq.example import FloatArray, LongArray

# What a model writes, in the order in which it is handed on.
MODEL_OUTPUTS = ("start_logits", "end_logits", "answer_type_logits")
LOGITS_FIELDS = ("unique_id", *MODEL_OUTPUTS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logits:
    """Rows of model output, in the order of the features.

    Shapes: unique_id int64[n]; start_logits, end_logits float32[n, s]; answer_type_logits float32[n, 5].
    """

    unique_id: LongArray
    start_logits: FloatArray
    end_logits: FloatArray
    answer_type_logits: FloatArray

    def __len__(self) -> int:
        return len(self.unique_id)

    def rows(self, start: int, end: int) -> Logits:
        """Return the rows [start, end), as views."""
        return Logits(**{name: getattr(self, name)[start:end] for name in LOGITS_FIELDS})

    def taken(self, rows: npt.NDArray[np.intp]) -> Logits:
        """Return these `rows`, by their places, in this order."""
        return Logits(**{name: getattr(self, name)[rows] for name in LOGITS_FIELDS})


def concatenate(parts: list[Logits]) -> Logits:
    """Return the rows of all `parts`, in order."""
    return Logits(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in LOGITS_FIELDS})
