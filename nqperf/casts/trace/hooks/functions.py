# ruff: noqa: SLF001  # private hooks are what this package is for; it is the only one that touches them
"""Hook on calls of tf.functions: in the trace their Python runs as if it stood there, so that its lines are seen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from nqperf.casts.trace.hooks.listener import Guarded
from nqperf.casts.trace.hooks.queries import autographed
from nqperf.casts.trace.hooks.replacing import replace


def install(stack: contextlib.ExitStack, guarded: Guarded) -> None:
    """Trace tf.functions inline until `stack` closes, in the thread of `guarded`."""
    import tensorflow as tf
    from tensorflow.python.eager.polymorphic_function import polymorphic_function

    def hook(genuine: Callable[..., Any]) -> Callable[..., Any]:
        def call(function: Any, *args: Any, **kwargs: Any) -> Any:
            # Called eagerly (a builder that runs its model), a function may need what only a graph has.
            if not guarded.here() or tf.executing_eagerly():
                return genuine(function, *args, **kwargs)
            python = function._python_function
            return (autographed(python) if function._autograph else python)(*args, **kwargs)

        return call

    replace(stack, polymorphic_function.Function, "__call__", hook)
