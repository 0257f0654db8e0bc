"""What other programs compute while something is measured: times beside them scatter, whatever is measured."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from nqperf.records.results import OTHERS

if sys.platform != "win32":
    import resource

_STAT = Path("/proc/stat")
# Of a line of /proc/stat: those that count once, and of them the ones in which a core had nothing to do.
_COUNTED, _IDLE = 8, (3, 4)
# Others that use less of the cores than this are on every machine.
_BUSY = 0.15
# Too short a time says nothing of what is usual on it.
_SHORTEST = 1.0


def _usable_cores() -> frozenset[int]:
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return frozenset(usable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Counts what others use of this process's cores from when it is made on.

    `cores` are they, `began` is what was counted then: seconds in all, those in which the cores were busy, and those
    that this process used, with its children that have ended; None where the system does not tell.
    """

    cores: frozenset[int] = field(default_factory=_usable_cores)
    began: tuple[float, float, float] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", _counted(self.cores))

    def others(self) -> str | None:
        """Return how many of the cores others have kept busy, as "1.4 of 2 cores"; None where few, or not known.

        Children that are still alive would count as others: ask when none is.
        """
        now = _counted(self.cores)
        if self.began is None or now is None:
            return None
        total, busy, own = (later - earlier for later, earlier in zip(now, self.began, strict=True))
        if total < _SHORTEST * len(self.cores) or busy - own < _BUSY * total:
            return None
        return f"{len(self.cores) * (busy - own) / total:.1f} of {len(self.cores)} cores"

    def text(self) -> str:
        """Return the same as the end of a line on what is being done; empty where there is nothing to say."""
        said = self.others()
        return "" if said is None else f", others use {said}"

    def observed(self) -> dict[str, str]:
        """Return the same for the record of a machine, by its name there; empty where there is nothing to say."""
        said = self.others()
        return {} if said is None else {OTHERS: said}


def _counted(cores: frozenset[int]) -> tuple[float, float, float] | None:
    """Return the seconds that `cores` counted by now, those in which they were busy, and those used by this process."""
    try:
        lines = [line.split() for line in _STAT.read_text().splitlines()]
        tick = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):  # no Linux
        return None
    of_a_core = [[int(word) for word in words[1 : _COUNTED + 1]] for words in lines if _core(words) in cores]
    total = sum(map(sum, of_a_core))
    idle = sum(counts[place] for counts in of_a_core for place in _IDLE)
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return total / tick, (total - idle) / tick, sum(one.ru_utime + one.ru_stime for one in used)


def _core(words: list[str]) -> int | None:
    number = words[0].removeprefix("cpu") if words and words[0].startswith("cpu") else ""
    return int(number) if number.isdigit() else None
