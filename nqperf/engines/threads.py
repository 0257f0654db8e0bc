"""How many threads share one operation: as many in every engine, or a ratio would be the pools', not the engines'."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

from nqperf.errors import ConfigError

_ROOT = Path("/")
_TASKS = Path("/proc/self/task")
_CGROUPS = "sys/fs/cgroup"
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


def respect_quota() -> None:
    """Tell TensorFlow, which knows of no quota, how many threads share an operation where a quota allows fewer."""
    if not os.environ.get(INTRA_OP) and available_cores() < affine_cores():
        os.environ[INTRA_OP] = str(available_cores())


def available_cores(root: Path = _ROOT) -> int:
    """Return how many cores' time this process may use: those it may run on, or a control group's share rounded up.

    `root` is where the system's files are, as in all functions here.
    """
    allowed = affine_cores()
    quota = cpu_quota(root)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def affine_cores() -> int:
    """Return the number of cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return how many cores' time the control groups of this process allow, or None when they do not limit it.

    `root` is where the system's files are.
    """
    quotas = []
    for folder in control_groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            quotas.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            quota, period = ((folder / name).read_text() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
            quotas.append(int(quota) / int(period))
    return min((quota for quota in quotas if quota > 0), default=None)


def control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups that hold this process, the innermost first, of either version.

    `root` is where the system's files are, `controller` what the groups limit ("cpu").
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / _CGROUPS / (controller if controllers else "")
        inner = mount / path.strip("/")
        # A container sees its own group as the root, whatever path the host knows it by.
        yield from (folder for folder in (inner, *inner.parents) if folder == mount or mount in folder.parents)


def threads_named(name: str) -> int | None:
    """Return how many threads of this process carry the name `name`, or None where the system does not tell."""
    try:
        return sum((task / "comm").read_text().strip() == name for task in _TASKS.iterdir())
    except OSError:  # no /proc, or a thread that ended meanwhile
        return None
