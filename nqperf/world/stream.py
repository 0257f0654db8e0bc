"""Random numbers that are the same on every platform and Python version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1


class Stream:
    """A stream of integers with a `key`: equal keys give equal streams, different keys independent ones.

    Source: SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), seeded from
    SHA-256 of the key. The standard library's `random` promises stable results for few of its methods only.
    """

    __slots__ = ("_state",)

    def __init__(self, *key: int | str) -> None:
        self._state = keyed_integer(*key)

    def bits(self) -> int:
        """Return the next integer in [0, 2**64)."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        return state ^ (state >> 31)

    def below(self, limit: int) -> int:
        """Return an integer in [0, limit); the bias of limit / 2**64 is far below anything a world could show."""
        return (self.bits() * limit) >> 64

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return True in `percent` of a hundred cases."""
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        """Return one of `items`."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[T, int]]) -> T:
        """Return one item of `items`, which are (item, weight) pairs."""
        at = self.below(sum(weight for _, weight in items))
        for item, weight in items:
            if at < weight:
                return item
            at -= weight
        raise AssertionError("unreachable: the draw is below the sum of the weights")

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return `items` in a random order (Fisher-Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            at = self.below(last + 1)
            order[at], order[last] = order[last], order[at]
        return order

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` different `items`, or all of them where there are fewer, in a random order."""
        return self.shuffled(items)[:count]


def keyed_integer(*key: int | str) -> int:
    """Return the 64-bit integer that belongs to `key`."""
    text = "/".join(map(str, key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
