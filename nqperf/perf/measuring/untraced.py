"""Nothing is timed under a tracer: coverage, a profiler or a debugger is taken off around the timed work and put back.

A tracer costs time for every line of Python and none for what a library does in C, so it changes which of two ways is
the faster. What is taken off is what pytest-benchmark takes off, and the tools of `sys.monitoring` beside.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

# As sys.monitoring numbers its tools (PEP 669).
_TOOLS = range(6)


def watchers() -> tuple[str, ...]:
    """Return what watches the code that this thread runs, by name; nothing is the rule.

    A tracer is named by its function's module, a tool of `sys.monitoring` by the name that it gave.
    """
    hooks = (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile())
    functions = [_name(hook) for hook in hooks if hook is not None]
    return tuple(dict.fromkeys([*functions, *(name for _, name in _tools())]))


@contextmanager
def untraced() -> Iterator[None]:
    """Let nothing watch the block: each watcher is taken off, and put back when the block ends, however it does."""
    with ExitStack() as stack:
        _take_off(stack, sys.gettrace(), sys.settrace)
        _take_off(stack, sys.getprofile(), sys.setprofile)
        _take_off(stack, threading.gettrace(), threading.settrace)
        _take_off(stack, threading.getprofile(), threading.setprofile)
        for tool, _ in _tools():
            # What a tool watches in single functions goes on; coverage.py sees a line there once, and switches it off.
            monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]  # from Python 3.12 on
            stack.callback(monitoring.set_events, tool, monitoring.get_events(tool))
            monitoring.set_events(tool, 0)
        yield


def _take_off(stack: ExitStack, hook: Any, setter: Callable[[Any], None]) -> None:
    if hook is None:
        return
    if callable(hook):
        stack.callback(setter, hook)
        setter(None)
    else:  # a profiler in C, as cProfile is before Python 3.12: it is no function, and puts itself on
        stack.callback(hook.enable)
        hook.disable()


def _tools() -> list[tuple[int, str]]:
    """Return the tools of `sys.monitoring` in use; none before Python 3.12."""
    monitoring: Any = getattr(sys, "monitoring", None)
    if monitoring is None:
        return []
    named = ((tool, monitoring.get_tool(tool)) for tool in _TOOLS)
    return [(tool, str(name)) for tool, name in named if name is not None]


def _name(hook: Any) -> str:
    """Return the module of a tracer's function or class."""
    return str(getattr(hook, "__module__", None) or type(hook).__module__)
