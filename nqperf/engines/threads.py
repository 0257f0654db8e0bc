"""How many threads share one operation: as many in every engine, or a ratio would be the pools', not the engines'."""

from __future__ import annotations

import os
from pathlib import Path

from nqperf.errors import ConfigError

_TASKS = Path("/proc/self/task")
# TensorFlow's own variable, which it reads by itself: so it is the one that all the others follow.
INTRA_OP = "TF_NUM_INTRAOP_THREADS"


def requested_threads() -> int:
    """Return the threads that are to share one operation: what the environment asks for, else one a core.

    Raises: ConfigError when the variable holds no number.
    """
    text = os.environ.get(INTRA_OP) or "0"
    try:
        asked = int(text)
    except ValueError:
        raise ConfigError(f"{INTRA_OP} is {text!r}; expected a number of threads, 0 for one a core") from None
    return asked if asked > 0 else available_cores()


def available_cores() -> int:
    """Return the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def threads_named(name: str) -> int | None:
    """Return how many threads of this process carry a name, or None where the system does not tell."""
    try:
        return sum((task / "comm").read_text().strip() == name for task in _TASKS.iterdir())
    except OSError:  # no /proc, or a thread that ended meanwhile
        return None
