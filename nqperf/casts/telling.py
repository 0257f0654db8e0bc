"""What an audit, a drift or a search tells while it goes on, to whoever listens in this context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# The stage of the work, what it is done to, and the share of the stage that is done, None where that is not known.
Listener = Callable[[str, str, float | None], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def tell(stage: str, name: str, share: float | None = None) -> None:
    """Tell who listens, if anybody does, that the `stage` is under way on what is called `name`.

    `share` is the part of the stage that is done by now, from 0 to 1; None where that is not known.
    """
    listener = _listener.get()
    if listener is not None:
        listener(stage, name, share)


@contextmanager
def told(listener: Listener) -> Iterator[None]:
    """Let the `listener` hear what is told in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
