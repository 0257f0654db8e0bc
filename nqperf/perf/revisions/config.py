"""How two revisions are measured, and what counts as slower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nqperf.errors import ConfigError
from nqperf.perf.machine.environment import Pages, check_pages
from nqperf.perf.measuring.duets import can_duet
from nqperf.perf.workers.progress import Progress, silent

# What a margin says, in one sentence, and what is judged by where nobody named one.
MARGIN_RULE = "surely more than 0.4 of it fails, surely less than it passes"
USUAL_MARGIN, NOISY_MARGIN = 0.02, 0.05
MARGIN_DEFAULT = "Default: 0.02, and 0.05 to pass where 0.02 cannot be told in the time, which is said."


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionsConfig:
    """How two revisions are measured; units: seconds, margins as shares (0.02: 2 %).

    `margin` is the slowdown of a run by which it is judged: surely more than 0.4 of it fails, surely less than it
    passes. None is 2 %, and 5 % to pass where 2 % cannot be told in the time. `memory_margin` and
    `start_margin` are those of peak memory and of the seconds to start. `budget` is what measuring may take in all.
    `how` is "duet", "turns", or "auto": a short trial chooses. `rounds` are taken in a set, fewer where the budget has
    no room for so many in each. A worker may take `build_seconds` to build and warm up, `run_seconds` for a round.
    `pages` are the memory pages that processes ask for, `command` is what the record says of the call, `settings` what
    it says of where these come from, a line each. `progress` is told each set, `seed` draws the orders.
    Raises: ConfigError when a value is out of range.
    """

    margin: float | None = None
    memory_margin: float = 0.10
    start_margin: float = 0.25
    budget: float = 180.0
    how: Literal["auto", "duet", "turns"] = "auto"
    rounds: int = 12
    pages: Pages = "huge"
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    seed: int = 0
    command: str = ""
    settings: tuple[str, ...] = ()
    progress: Progress = silent

    def __post_init__(self) -> None:
        for name in ("margin", "memory_margin", "start_margin"):
            value = getattr(self, name)
            if value is None:
                continue
            # Below a thousandth no machine can tell; 1 and more is meant as per cent, and would pass anything.
            if not 0.001 <= value < 1:  # noqa: PLR2004
                per_cent = f": {value / 100:g} is {value:g} %" if 1 <= value < 100 else ", as 0.02 for 2 %"  # noqa: PLR2004
                raise ConfigError(f"{name} is {value:g}; expected a share from 0.001 to below 1{per_cent}")
        for name in ("budget", "build_seconds", "run_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected above 0")
        if self.how not in ("auto", "duet", "turns"):
            raise ConfigError(f"how is {self.how!r}; expected auto, duet or turns")
        if self.how == "duet" and not can_duet():
            raise ConfigError("a duet needs two cores, and one is here: take turns")
        if self.rounds < 1:
            raise ConfigError(f"rounds is {self.rounds}; expected 1 or more")
        check_pages(self.pages)

    @property
    def margins(self) -> tuple[float, float]:
        """The margin of the time of a run, and the one to pass by where the smaller cannot be told in the time."""
        return (USUAL_MARGIN, NOISY_MARGIN) if self.margin is None else (self.margin, self.margin)


DEFAULT = RevisionsConfig()
