"""What is read out of other people's weights, whichever form they have."""

from __future__ import annotations

from dataclasses import dataclass

from nqperf.nq.example import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedWeights:
    """A network's tensors under our names, and what was done with the rest.

    Fields: `source` says what they come from; `weights` has every tensor, float32; `new` names those that were made
    anew; `unused` the heads of other tasks that were left out; `left_out` what training had left behind; `notes` are
    sentences for people.
    """

    source: str
    weights: dict[str, FloatArray]
    new: tuple[str, ...]
    unused: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
