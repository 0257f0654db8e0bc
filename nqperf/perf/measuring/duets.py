"""One set of pairs: two processes of each row, started anew in a drawn order, timed at once or in turns.

In a duet both sides of a pair run at the same time, each on its own half of the cores, and the halves are swapped every
round: whatever disturbs the machine meets both. In turns each has all cores, the one after the other. Neither is always
the better: beside a busy neighbour a side that is held to one core loses, so a short trial chooses.

Source: Bulej et al. 2020, "Duet Benchmarking: Improving Measurement Accuracy in the Cloud".
"""

from __future__ import annotations

import contextlib
import math
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from nqperf.errors import NqPerfError
from nqperf.statistics.location import SetEstimate, set_estimate

How = Literal["duet", "turns"]
SIDES = ("base", "change")
# Sides whose log ratio is larger take turns, each led in: where others compute, short work gets more of a core than
# long work does, and 3 times the time was measured as 4 to 6 times in duets.
FAR = math.log(1.5)


class Process(Protocol):
    """One side of a pair, which starts when it is made; `pid` is its process."""

    @property
    def pid(self) -> int:
        """The number of the process whose threads are held to cores."""

    def ready(self) -> None:
        """Wait until it can be timed.

        Raises: NqPerfError when it fails before.
        """

    def batch(self, number: int) -> float:
        """Run the batch `number` and return its seconds.

        Raises: NqPerfError when it fails.
        """

    def end(self) -> None:
        """End the process."""


Start = Callable[[], Process]
Pair = tuple[Start, Start]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTimes:
    """The times of one row's pair in one set; units: seconds.

    `base` and `change` are the batches of each round. Where they fail,
    `lost` says which side and why.
    """

    base: tuple[float, ...] = ()
    change: tuple[float, ...] = ()
    lost: tuple[str, NqPerfError] | None = None

    def estimate(self) -> SetEstimate | None:
        """Return the estimate of the log ratio base / change; None without a round."""
        return set_estimate(np.array(self.base), np.array(self.change)) if self.base else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """One set.

    `seed` drew its orders, `how` it was timed, `order` names the processes as they started, `rows` the times.
    """

    seed: int
    how: How
    order: tuple[str, ...]
    rows: Mapping[str, PairTimes]

    def estimates(self) -> dict[str, SetEstimate]:
        """Return the estimate of each row that has a whole round."""
        found = {name: times.estimate() for name, times in self.rows.items()}
        return {name: estimate for name, estimate in found.items() if estimate is not None}


@dataclass(slots=True, kw_only=True)
class _Alive:
    """A row's two processes while a set is taken."""

    sides: dict[str, Process] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in SIDES})
    lost: tuple[str, NqPerfError] | None = None

    def lose(self, side: str, error: NqPerfError) -> None:
        """End both sides, as one alone is no pair."""
        self.lost = self.lost or (side, error)
        for process in self.sides.values():
            process.end()
        self.sides.clear()

    def wait(self, side: str) -> None:
        """Wait until a side is ready, where the row is not lost."""
        if self.lost is not None:
            return
        try:
            self.sides[side].ready()
        except NqPerfError as error:
            self.lose(side, error)

    def times(self) -> PairTimes:
        """Return the whole rounds; a row that was lost keeps those it had."""
        rounds = min(map(len, self.seconds.values()))
        return PairTimes(
            base=tuple(self.seconds["base"][:rounds]),
            change=tuple(self.seconds["change"][:rounds]),
            lost=self.lost,
        )


@contextmanager
def started_pairs(pairs: Mapping[str, Pair], *, seed: int, at_once: bool = False) -> Iterator[PairsAlive]:
    """Yield the processes of all `pairs`, started in an order that `seed` draws, and end them behind the block.

    Each is ready before the next one starts, or with `at_once` all start and then are waited for.
    """
    drawn = random.Random(seed)  # noqa: S311  # an order, no secret
    rows = {name: _Alive() for name in pairs}
    order = [(name, side) for name in pairs for side in SIDES]
    drawn.shuffle(order)
    with ExitStack() as stack:
        for name, side in order:
            if rows[name].lost:
                continue
            try:
                process = pairs[name][SIDES.index(side)]()
            except NqPerfError as error:
                rows[name].lose(side, error)
                continue
            stack.callback(process.end)
            rows[name].sides[side] = process
            if not at_once:
                rows[name].wait(side)
        for name, side in order if at_once else ():
            rows[name].wait(side)
        yield PairsAlive(seed=seed, order=tuple(f"{name}:{side}" for name, side in order), rows=rows, drawn=drawn)


def halves() -> tuple[frozenset[int], frozenset[int]]:
    """Return this process's cores in two halves of as many; both are all of them where there is one."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    half = len(usable) // 2
    if not half:
        return frozenset(usable), frozenset(usable)
    return frozenset(usable[:half]), frozenset(usable[half : 2 * half])


@dataclass(slots=True, kw_only=True)
class PairsAlive:
    """The processes of one set; each round times every row once.

    `seed` drew the `order` of the starts, and `drawn` draws what follows. `rows` are the pairs, `cores` the two halves.
    """

    seed: int
    order: tuple[str, ...]
    rows: dict[str, _Alive]
    drawn: random.Random
    cores: Sequence[frozenset[int]] = field(default_factory=halves)
    _rounds: int = 0

    def take(self, how: How, rounds: int, goes_on: Callable[[], bool] = lambda: True) -> PairSet:
        """Take so many `rounds` the way `how`, and return what was taken.

        They are fewer where `goes_on` says no, or no row is left.
        """
        before = {name: len(row.seconds["base"]) for name, row in self.rows.items()}
        for _ in range(rounds):
            names = [name for name, row in self.rows.items() if row.lost is None]
            if not names or not goes_on():
                break
            self.drawn.shuffle(names)
            for name in names:
                self._time(self.rows[name], how)
            self._rounds += 1
        return self._taken(how, before)

    def _taken(self, how: How, before: Mapping[str, int]) -> PairSet:
        rows = {}
        for name, row in self.rows.items():
            times, since = row.times(), before[name]
            rows[name] = PairTimes(base=times.base[since:], change=times.change[since:], lost=times.lost)
        return PairSet(seed=self.seed, how=how, order=self.order, rows=rows)

    def _time(self, row: _Alive, how: How) -> None:
        """Time both sides of a row once; a side that fails takes the row with it."""
        first, second = SIDES if self.drawn.random() < 0.5 else SIDES[::-1]  # noqa: PLR2004  # a fair coin
        try:
            if how == "duet":
                taken = self._at_once(row, (first, second))
            else:
                self._hold(row, [frozenset().union(*self.cores)] * 2)
                taken = {side: _batch(row, side, self._rounds) for side in (first, second)}
        except _SideError as failed:
            row.lose(failed.side, failed.error)
            return
        for side, seconds in taken.items():
            row.seconds[side].append(seconds)

    def _at_once(self, row: _Alive, order: tuple[str, str]) -> dict[str, float]:
        """Time both sides at once; `order` is drawn, for who wakes first drives other programs to the other's cores."""
        swapped = self._rounds % 2
        self._hold(row, [self.cores[swapped], self.cores[1 - swapped]])
        with ThreadPoolExecutor(max_workers=2) as threads:
            asked = {side: threads.submit(_batch, row, side, self._rounds) for side in order}
            return {side: answer.result() for side, answer in asked.items()}

    def _hold(self, row: _Alive, cores: Sequence[frozenset[int]]) -> None:
        for side, held in zip(SIDES, cores, strict=True):
            hold_to(row.sides[side].pid, held)


class _SideError(Exception):
    """A side of a pair that failed."""

    def __init__(self, side: str, error: NqPerfError) -> None:
        super().__init__(side)
        self.side, self.error = side, error


def _batch(row: _Alive, side: str, number: int) -> float:
    try:
        seconds = row.sides[side].batch(number)
    except NqPerfError as error:
        raise _SideError(side, error) from error
    if not (math.isfinite(seconds) and seconds > 0):
        odd = f"{side}: a batch took {seconds} s; expected a finite number above 0: does a clock jump?"
        raise _SideError(side, NqPerfError(odd))
    return seconds


def can_duet() -> bool:
    """Return whether two processes can have cores of their own here."""
    return hasattr(os, "sched_setaffinity") and len(set().union(*halves())) > 1


def hold_to(pid: int, cores: frozenset[int]) -> None:
    """Hold all threads of the process numbered `pid` to these `cores`; a thread that ends meanwhile needs none."""
    if not hasattr(os, "sched_setaffinity"):
        return
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(entry.name), cores)
