"""Installing the hooks, and removing them whatever happens."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from nqperf.casts.trace.hooks import control_flow, functions, operations, variables
from nqperf.casts.trace.hooks.listener import Guarded, Listener, UnsupportedError, unsupported
from nqperf.errors import ConfigError

_one_audit = threading.Lock()


@contextlib.contextmanager
def listening(listener: Listener, *, abstract_variables: bool = False) -> Iterator[list[Exception]]:
    """Let `listener` hear this thread's ops inside the block; other threads pass straight through.

    With `abstract_variables`, variables that are made in the block have no values. Yields the list that failures of the
    listener itself are added to.
    Raises: UnsupportedError when a hook is gone, ConfigError when an audit is already running in this process.
    """
    if not _one_audit.acquire(blocking=False):
        raise ConfigError("a cast audit is already running in this process: run one at a time")
    try:
        with contextlib.ExitStack() as stack:
            guarded = Guarded(listener)
            try:
                _install(stack, guarded, abstract_variables=abstract_variables)
            except (ImportError, AttributeError) as error:
                raise UnsupportedError(unsupported(f"a hook is gone: {error}")) from error
            yield guarded.failures
    finally:
        _one_audit.release()


def _install(stack: contextlib.ExitStack, guarded: Guarded, *, abstract_variables: bool) -> None:
    operations.install(stack, guarded)
    control_flow.install(stack, guarded)
    functions.install(stack, guarded)
    if abstract_variables:
        variables.install(stack, guarded)
