"""Several batches at once with a device: the next one is handed over before the last one's outputs are waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

# So many times as many batches as are at once with the device show what that does: the first and last are alone there.
FILL = 2


class Runner(Protocol):
    """What runs batches in two steps, as `nqperf.engines.engine.Engine` says of each."""

    def run(self, inputs: Any) -> Any:
        """Begin the batch `inputs`."""

    def finish(self, outputs: Any) -> Any:
        """Wait for `outputs` of `run` and return them on the host."""


def in_flight(
    runner: Runner, batches: Iterable[Any], most: int, told: Callable[[list[Any]], None] | None = None
) -> Iterator[Any]:
    """Yield the outputs of `batches` in order, on the host; `runner` has so many of them, `most`, at once.

    With 1 each is waited for before the next one begins. `told` is called after each beginning with all that are not
    waited for yet, the oldest first.
    """
    begun: deque[Any] = deque()
    for batch in batches:
        begun.append(runner.run(batch))
        if told is not None:
            told(list(begun))
        if len(begun) == most:
            yield runner.finish(begun.popleft())
    while begun:
        yield runner.finish(begun.popleft())
