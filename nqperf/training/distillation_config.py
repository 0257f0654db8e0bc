"""What a student is taught: the losses' weights and the softmax's temperature.

Source: Sanh et al. 2019 (DistilBERT), Jiao et al. 2020 (TinyBERT).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from nqperf.errors import ConfigError

LOSSES = ("soft", "hard", "cosine", "hidden", "attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationConfig:
    """What a student is taught: the losses' `weights` by name, those left out are 1, and the softmax's `temperature`.

    soft: the teacher's answers; hard: the annotators'; cosine: the direction of the last states; hidden: all mapped
    layers' states; attention: their attention scores. A loss of weight 0 is not computed.
    Raises: ConfigError for an unknown loss or a number out of range.
    """

    temperature: float = 2.0
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"temperature is {self.temperature}; expected a finite number above 0")
        for name, weight in self.weights.items():
            if name not in LOSSES:
                raise ConfigError(f"loss {name!r} is unknown; expected one of {', '.join(LOSSES)}")
            if not 0 <= weight < math.inf:
                raise ConfigError(f"the weight of loss {name} is {weight}; expected a finite number of at least 0")
        if not self.used():
            raise ConfigError("all losses have weight 0; expected one above 0, or nothing is learnt")

    def used(self) -> dict[str, float]:
        """Return the weights above 0."""
        weights = {name: self.weights.get(name, 1.0) for name in LOSSES}
        return {name: weight for name, weight in weights.items() if weight > 0}
