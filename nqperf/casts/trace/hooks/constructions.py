"""Hook on layers being made: the frame that calls a layer's constructor, for an edit of that call."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from nqperf.casts.trace.hooks.replacing import replace


@contextlib.contextmanager
def constructions(made: Callable[[Any, FrameType], None]) -> Iterator[None]:
    """Tell `made` of each layer that is made in the block, once, with the frame outside of its constructors."""
    from keras.src.layers.layer import Layer

    kinds = [Layer]
    if "tf_keras" in sys.modules:
        kinds.append(sys.modules["tf_keras"].layers.Layer)
    seen: set[int] = set()

    def hook(genuine: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, *args: Any, **kwargs: Any) -> None:
            frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # the one way to a frame
            while frame is not None and _constructs(frame, self):
                frame = frame.f_back
            if frame is not None and id(self) not in seen:
                seen.add(id(self))
                made(self, frame)
            genuine(self, *args, **kwargs)

        return init

    with contextlib.ExitStack() as stack:
        for kind in kinds:
            replace(stack, kind, "__init__", hook)
        yield


def _constructs(frame: FrameType, layer: Any) -> bool:
    """Whether a frame is a constructor of `layer`, or a wrapper around one."""
    held = frame.f_locals
    handed = held.get("args")
    return held.get("self") is layer or (isinstance(handed, tuple) and bool(handed) and handed[0] is layer)
