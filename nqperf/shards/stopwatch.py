"""Where the time of a run goes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

_Item = TypeVar("_Item")


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in each stage, by its name; a stage that others feed is charged for its own waiting alone.

    `seconds` may hold what was spent before.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the block to the stage `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - start})

    def timed(self, name: str, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield `items`, and charge the making of each to the stage `name`; none may be None."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def add(self, seconds: dict[str, float]) -> None:
        """Charge `seconds`, by stage, that another watch took."""
        for name, more in seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + more
