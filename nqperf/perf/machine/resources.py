"""What this process may use and what it has used: cores, memory, page faults, and the malloc that serves it."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nqperf.records import results as records

if sys.platform != "win32":
    import resource

_ROOT = Path("/")
_CGROUPS = "sys/fs/cgroup"
# Larger than what any malloc serves from a pool of small blocks, as a layer's activations are.
_BLOCK_BYTES = 64 << 20
# Huge pages make few faults of many, so faults are compared with faults and not with the number of pages.
_FEWER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used since it started; minor page faults need no disk, major ones do."""

    minor_faults: int
    major_faults: int
    user_seconds: float
    system_seconds: float

    def since(self, earlier: Usage) -> Usage:
        """Return what was used after `earlier`."""
        return Usage(
            minor_faults=self.minor_faults - earlier.minor_faults,
            major_faults=self.major_faults - earlier.major_faults,
            user_seconds=self.user_seconds - earlier.user_seconds,
            system_seconds=self.system_seconds - earlier.system_seconds,
        )

    def of_each(self, count: int) -> records.Usage:
        """Return the record of it for each of `count` batches, with the most memory that this process ever held."""
        return records.Usage(
            minor_faults=self.minor_faults / count,
            major_faults=self.major_faults / count,
            user_seconds=self.user_seconds / count,
            system_seconds=self.system_seconds / count,
            peak_memory=peak_memory(),
        )


def usage() -> Usage | None:
    """Return what this process has used so far, or None where the system does not tell."""
    if sys.platform == "win32":
        return None
    found = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(
        minor_faults=found.ru_minflt,
        major_faults=found.ru_majflt,
        user_seconds=found.ru_utime,
        system_seconds=found.ru_stime,
    )


def peak_memory(root: Path = _ROOT) -> int | None:
    """Return the most bytes of memory that this process ever held, or None where the system does not tell.

    Linux's own `ru_maxrss` would not do: a new process starts with its parent's.
    """
    kib = _field(root / "proc/self/status", "VmHWM")
    if kib is not None:
        return kib * 1024
    if sys.platform != "darwin":
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def usable_cores(root: Path = _ROOT) -> int:
    """Return how many cores' time this process may use: those it may run on, or a control group's share rounded up."""
    allowed = affine_cores()
    quota = cpu_quota(root)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def affine_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Return how many cores' time the control groups of this process allow, or None when they do not limit it."""
    quotas = []
    for folder in _groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            quotas.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            quotas.append(_number(folder / "cpu.cfs_quota_us") / _number(folder / "cpu.cfs_period_us"))
    return min((quota for quota in quotas if quota > 0), default=None)


def memory_bytes(root: Path = _ROOT) -> int | None:
    """Return the memory that this process can have: the machine's, or a control group's limit; None when unknown."""
    kib = _field(root / "proc/meminfo", "MemTotal")
    limits = [] if kib is None else [kib * 1024]
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(_number(folder / name))
    return min(limits, default=None)


def malloc_library() -> str | None:
    """Return whose malloc this process calls: "glibc" and its version, else the file it is in; None when unknown."""
    try:
        found = _Symbol()
        process = ctypes.CDLL(None)
        known = process.dladdr(ctypes.cast(process.malloc, ctypes.c_void_p), ctypes.byref(found))
    except (AttributeError, OSError, TypeError):  # no dladdr, or no CDLL of the process itself
        return None
    if not known or not found.file:
        return None
    name = Path(os.fsdecode(found.file)).name
    return _libc() or name if name.startswith("libc") else name


def keeps_memory() -> bool | None:
    """Return whether malloc keeps a large block that was freed, so that its pages need not be faulted in again.

    It is seen by the page faults of a second block after a first of the same size; None where none are told.
    """
    try:
        process = ctypes.CDLL(None)
        process.malloc.restype = ctypes.c_void_p
        first, second = (_faults_of_block(process) for _ in range(2))
    except (AttributeError, OSError, TypeError):
        return None
    return None if first is None or second is None else second * _FEWER < max(first, 1)


class _Symbol(ctypes.Structure):
    """What dladdr says: the file and the base of a symbol, its name and address."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def _faults_of_block(process: ctypes.CDLL) -> int | None:
    """Return the page faults of taking a block, writing to all of it and giving it back."""
    before = usage()
    block = ctypes.c_void_p(process.malloc(ctypes.c_size_t(_BLOCK_BYTES)))
    if not block:
        return None
    ctypes.memset(block, 1, _BLOCK_BYTES)
    after = usage()
    process.free(block)
    return after.since(before).minor_faults if before and after else None


def _libc() -> str | None:
    """Return glibc's name and version; None in a process of another C library."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, OSError, ValueError):
        return None


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups that hold this process, the innermost first, of either version."""
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


def _number(path: Path) -> int:
    """Return the number in a file; a limit that is "max" is none, and raises ValueError."""
    return int(path.read_text())


def _field(path: Path, name: str) -> int | None:
    """Return a number of kB from one of Linux's status files, or None."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return None
