"""Replacing an attribute, or the code of a function that others hold by reference, for as long as a stack is open."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable
from typing import Any

Replacement = Callable[..., Any]


def replace(stack: contextlib.ExitStack, owner: Any, name: str, make: Callable[[Replacement], Replacement]) -> None:
    """Put what `make` returns for the genuine attribute `name` of `owner` in its place until `stack` closes."""
    genuine = getattr(owner, name)
    setattr(owner, name, make(genuine))
    stack.callback(setattr, owner, name, genuine)


def replace_code(
    stack: contextlib.ExitStack, function: types.FunctionType, make: Callable[[Replacement], Replacement]
) -> None:
    """Let `function` itself, wherever it is held, do what `make` returns for a copy of it, until `stack` closes."""
    genuine = function.__code__
    copy = types.FunctionType(
        genuine, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    name = f"_nqperf_{function.__name__}"
    function.__globals__[name] = make(copy)
    stack.callback(function.__globals__.pop, name)
    scope: dict[str, Any] = {}
    exec(f"def forward(*args, **kwargs):\n    return {name}(*args, **kwargs)", scope)  # noqa: S102  # our own text
    function.__code__ = scope["forward"].__code__
    stack.callback(setattr, function, "__code__", genuine)
