"""What this process may use and what it has used: memory, its pages and faults, and the malloc that serves it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from nqperf.engines.threads import control_groups
from nqperf.records import results as records

if sys.platform != "win32":
    import resource

_ROOT = Path("/")
# Larger than what any malloc serves from a pool of small blocks, as a layer's activations are.
_BLOCK_BYTES = 64 << 20
# glibc asks for huge pages from this version on, where it is told to.
_HUGE_GLIBC = [2, 35]
# Of a process with them, most large blocks lie on huge pages: at least this share of all that files do not back.
_HUGE_SHARE = 0.25
# Huge pages make few faults of many, so faults are compared with faults and not with the number of pages.
_FEWER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process has used since it started.

    `minor_faults` are page faults that need no disk, `major_faults` those that do; `user_seconds` and `system_seconds`
    are CPU time over all cores, in the program and in the system for it.
    """

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
    `root` is where the system's files are, as in all functions here.
    """
    kib = _field(root / "proc/self/status", "VmHWM")
    if kib is not None:
        return kib * 1024
    if sys.platform != "darwin":
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def memory_bytes(root: Path = _ROOT) -> int | None:
    """Return the memory that this process can have: the machine's, or a control group's limit; None when unknown.

    `root` is where the system's files are. Units: bytes.
    """
    kib = _field(root / "proc/meminfo", "MemTotal")
    limits = [] if kib is None else [kib * 1024]
    for folder in control_groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(_number(folder / name))
    return min(limits, default=None)


def available_memory(root: Path = _ROOT) -> int | None:
    """Return the bytes of memory that can still be taken: the machine's, or what a control group leaves; or None.

    `root` is where the system's files are.
    """
    kib = _field(root / "proc/meminfo", "MemAvailable")
    free = [] if kib is None else [kib * 1024]
    for folder in control_groups(root, "memory"):
        for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            with contextlib.suppress(OSError, ValueError):
                free.append(_number(folder / limit) - _number(folder / used) + _reclaimable(folder))
    return min(free, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The memory of a process, in bytes: that on `huge` pages, and all that is `resident`.

    None is what the system does not tell. `small` says that the process is one that asked for huge pages and may be too
    small for many.
    """

    huge: int | None
    resident: int | None
    small: bool = False

    @property
    def kind(self) -> str:
        """Whether most of what could lie on huge pages does: "huge", else "plain".

        A small process that asked for them shows by a single one that it was given them: of 18 MB two or three pages
        are about the share that counts, so the same work was called "huge" in one run and "plain" in the next.
        """
        if not self.huge or not self.resident:
            return "plain"
        return "huge" if self.small or self.huge >= _HUGE_SHARE * self.resident else "plain"


def pages(root: Path = _ROOT, *, small: bool = False) -> Pages:
    """Return how much of this process's memory lies on huge pages; `root` is where the system's files are.

    `small` says that it asked for them and may be a small one.
    """
    rollup = root / "proc/self/smaps_rollup"
    huge, resident = (_field(rollup, name) for name in ("AnonHugePages", "Anonymous"))
    return Pages(
        huge=None if huge is None else huge * 1024,
        resident=None if resident is None else resident * 1024,
        small=small,
    )


def allows_huge_pages(root: Path = _ROOT) -> bool:
    """Return whether glibc can ask the system for huge pages: version 2.35 or later, and the system gives them.

    `root` is where the system's files are.
    """
    library = _libc() or ""
    version = [int(part) for part in library.removeprefix("glibc ").split(".") if part.isdigit()]
    if not library.startswith("glibc") or version < _HUGE_GLIBC:
        return False
    with contextlib.suppress(OSError):
        said = (root / "sys/kernel/mm/transparent_hugepage/enabled").read_text()
        return "[madvise]" in said or "[always]" in said
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a process is doing: the letter of its `state`, and the CPU time that it has taken.

    "R" runs, "S" waits, "T" is stopped. `cpu_seconds` are over all cores.
    """

    state: str
    cpu_seconds: float


def activity(pid: int, root: Path = _ROOT) -> Activity | None:
    """Return what the process numbered `pid` is doing; None where the system does not tell, or it is gone.

    `root` is where the system's files are.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = (root / f"proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return Activity(state=fields[0], cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"))
    return None


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


def _reclaimable(group: Path) -> int:
    """Return the bytes of files that a control group would let go of when it needs memory."""
    with contextlib.suppress(OSError, ValueError):
        for line in (group / "memory.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name in {"inactive_file", "total_inactive_file"}:
                return int(value)
    return 0


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
