"""Overlapping windows over a sequence of pieces."""

from __future__ import annotations

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import IntArray


def window_starts(length: int, *, room: int, stride: int) -> IntArray:
    """Return the first piece of each window: every `stride` pieces up to the first window that reaches the end.

    A window holds the pieces from its start to min(start + `room`, `length`).

    Shapes: int32[n]; n is 0 only when length is 0.
    Raises: ConfigError when room or stride is not positive.
    """
    if room < 1 or stride < 1:
        raise ConfigError(f"windows of {room} pieces every {stride} pieces; expected both to be at least 1")
    step = min(room, stride)
    count = 0 if length == 0 else 1 + -(-max(0, length - room) // step)
    return np.arange(0, count * step, step, dtype=np.int32)
