"""Several batches at once with a device: the next one is handed over before the last one's outputs are waited for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

BatchT = TypeVar("BatchT")
BegunT = TypeVar("BegunT")
OutputsT = TypeVar("OutputsT")

# So many times as many batches as are at once with the device show what that does: the first and last are alone there.
FILL = 2


def in_flight(
    begin: Callable[[BatchT], BegunT],
    finish: Callable[[BegunT], OutputsT],
    batches: Iterable[BatchT],
    most: int,
    told: Callable[[list[BegunT]], None] | None = None,
) -> Iterator[OutputsT]:
    """Yield the outputs of `batches` in order; so many of them, `most`, are with the device at once.

    `begin` hands a batch over, and `finish` waits for what `begin` returned and brings its outputs to the host. With 1
    each is waited for before the next one begins. `told` is called after each beginning with all that are not waited
    for yet, the oldest first.
    """
    begun: deque[BegunT] = deque()
    for batch in batches:
        begun.append(begin(batch))
        if told is not None:
            told(list(begun))
        if len(begun) == most:
            yield finish(begun.popleft())
    while begun:
        yield finish(begun.popleft())
