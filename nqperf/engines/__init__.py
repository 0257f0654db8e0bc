"""Ways to run the same weights: each engine turns features into logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from nqperf.nq.features import Features
from nqperf.nq.logits import Logits


class Engine(Protocol):
    """Runs one set of weights in one way."""

    def predict(self, features: Iterable[Features]) -> Iterator[Logits]:
        """Yield the logits of all rows, in order, in blocks."""

    def observed(self) -> dict[str, object]:
        """Return the switches as they are, not as they were requested; plain JSON values."""
