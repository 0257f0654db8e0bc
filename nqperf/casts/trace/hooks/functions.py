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
            args = _bound(function, args, guarded)
            return (autographed(python) if function._autograph else python)(*args, **kwargs)

        return call

    replace(stack, polymorphic_function.Function, "__call__", hook)


def _bound(function: Any, args: tuple[Any, ...], guarded: Guarded) -> tuple[Any, ...]:
    """Return the positional arguments as the function's signature takes them; a float of another type is told of."""
    signature = function.input_signature
    if signature is None:
        return args
    given = args[len(args) - len(signature) :]  # a method's self stands before them
    fitted = [_fitted(value, spec, guarded) for value, spec in zip(given, signature, strict=False)]
    return (*args[: len(args) - len(given)], *fitted)


def _fitted(value: Any, spec: Any, guarded: Guarded) -> Any:
    held, asked = getattr(value, "dtype", None), getattr(spec, "dtype", None)
    if not getattr(held, "is_floating", False) or not getattr(asked, "is_floating", False) or held == asked:
        return value
    repaired = guarded.tell("refused", value, asked)
    return value if repaired is None else repaired
