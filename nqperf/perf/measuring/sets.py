"""One set of fresh processes: all rows alive together, started in a drawn order, timed in rounds.

A round has the baseline's batch at both ends and each row's once between them, in drawn order. Whatever changes on the
machine meanwhile meets all rows alike. What is measured may be anything that can be started, timed and ended.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from nqperf.errors import Interrupted, NqPerfError
from nqperf.records.results import BASELINE
from nqperf.statistics.location import SetEstimate, set_estimate


class Process(Protocol):
    """One row's process, ready to be timed."""

    def batch(self, number: int) -> float:
        """Run the batch `number` and return its seconds; the same number is the same work in every row.

        Raises: NqPerfError when it fails, TooSlowError when it was ended at its limit.
        """

    def end(self) -> None:
        """End the process, whatever it is doing."""


# Starts a new process and returns it when it is warm; raises NqPerfError when it cannot.
Start = Callable[[], Process]
# So many processes load side by side: a load keeps one core busy, and it is what a set costs most.
_AT_ONCE = 2


@runtime_checkable
class Starter(Protocol):
    """A `Start` in two steps, so that another process can load meanwhile."""

    def launch(self) -> None:
        """Let the next process begin to load, and do not wait for it; `__call__` then takes it."""

    def drop(self) -> None:
        """End the process that was launched and never taken, if there is one."""

    def __call__(self) -> Process:
        """Return a process that is warm: the launched one, or else a new one.

        Raises: NqPerfError when it cannot.
        """


class Conduct:
    """What a set asks while it is taken; by default all are let in, and nothing is to be done beside the rounds."""

    def begins(self) -> None:
        """Be told that a set begins."""

    def refuses(self, name: str) -> str | None:  # noqa: ARG002
        """Return why the process of the row `name` is not to be started in this set, None where it is."""
        return None

    def loads_together(self, names: tuple[str, ...]) -> bool:  # noqa: ARG002
        """Return whether the processes of the rows `names` may load at the same time, before either is let in."""
        return True

    def started(self, name: str, process: Process) -> None:
        """Do what is to be done with the `process` of the row `name` before the first round.

        Raises: NqPerfError, which takes it out of the set.
        """

    def goes_on(self, rounds: int) -> bool:  # noqa: ARG002
        """Return whether a further round is to be taken after `rounds` of them."""
        return True

    def before_round(self, number: int) -> None:
        """Be told that the round `number`, from 0, begins."""

    def after_round(self, baseline: tuple[float, float], seconds: Mapping[str, float]) -> None:
        """Be told the times of a whole round: the two of the `baseline`, and the `seconds` of each row."""

    def over(self, name: str, process: Process) -> None:
        """Do what is to be done with the `process` of the row `name` after the last round.

        Raises: NqPerfError, which is kept as its loss.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSet:
    """The times of one set; units: seconds.

    Fields:
        seed: What the orders were drawn by.
        order: The order in which the processes were started.
        rounds: The rows in the order of each round.
        baseline: The baseline's two batches of each round.
        seconds: Each row's batch of each round, fewer for a row that was lost on the way.
        lost: What was lost, and why.
        refused: What was not started, and why.
        starts: The seconds that each process took to start, or what it took longer than the one it loaded beside.
        broken: The baseline's own failure, which ended the set.
        interrupted: The signal that ended the set.
    """

    seed: int
    order: tuple[str, ...] = ()
    rounds: tuple[tuple[str, ...], ...] = ()
    baseline: tuple[tuple[float, float], ...] = ()
    seconds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    lost: Mapping[str, NqPerfError] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, float] = field(default_factory=dict)
    broken: NqPerfError | None = None
    interrupted: BaseException | None = None

    def estimates(self) -> dict[str, SetEstimate]:
        """Return the estimate of each row that has a whole round."""
        ends = np.array(self.baseline)
        return {
            name: set_estimate(ends[: len(seconds)], np.array(seconds))
            for name, seconds in self.seconds.items()
            if seconds
        }


@dataclass(slots=True, kw_only=True)
class _Taking:
    """A set while it is taken."""

    names: tuple[str, ...]
    starts: Mapping[str, Start]
    conduct: Conduct
    drawn: random.Random
    clock: Callable[[], float]
    alive: dict[str, Process] = field(default_factory=dict)
    lost: dict[str, NqPerfError] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    rounds: list[tuple[str, ...]] = field(default_factory=list)
    baseline: list[tuple[float, float]] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def start_all(self) -> None:
        """Start the processes in a drawn order; which of them are let in hangs on the order too.

        Raises: NqPerfError when the baseline cannot be started.
        """
        order = [BASELINE, *self.names]
        self.drawn.shuffle(order)
        for first in range(0, len(order), _AT_ONCE):
            together = tuple(order[first : first + _AT_ONCE])
            if len(together) > 1 and self.conduct.loads_together(together):
                for start in self._starters(together):
                    start.launch()
            for name in together:
                self._start(name)

    def _start(self, name: str) -> None:
        if name != BASELINE and (reason := self.conduct.refuses(name)):
            self.refused[name] = reason
            for start in self._starters((name,)):
                start.drop()
            return
        began = self.clock()
        with self._losing(name):
            self.alive[name] = self.starts[name]()
            self.started[name] = self.clock() - began
            self.conduct.started(name, self.alive[name])

    def _starters(self, names: Iterable[str]) -> list[Starter]:
        return [start for start in map(self.starts.__getitem__, names) if isinstance(start, Starter)]

    def take_round(self) -> None:
        """Take the next round; a row that fails in it is lost.

        Raises: NqPerfError when the baseline fails: of that round nothing is kept.
        """
        number = len(self.baseline)
        self.conduct.before_round(number)
        order = [name for name in self.alive if name != BASELINE]
        self.drawn.shuffle(order)
        taken: dict[str, float] = {}
        first = self._timed(BASELINE, number)
        for name in order:
            with self._losing(name):
                taken[name] = self._timed(name, number)
        last = self._timed(BASELINE, number)
        self.rounds.append(tuple(order))
        self.baseline.append((first, last))
        for name, seconds in taken.items():
            self.seconds.setdefault(name, []).append(seconds)
        self.conduct.after_round((first, last), taken)

    def finish(self) -> None:
        """Do what comes after the last round."""
        for name in list(self.alive):
            with self._losing(name):
                self.conduct.over(name, self.alive[name])

    def end(self) -> None:
        """End all processes."""
        for start in self._starters(self.starts):
            start.drop()
        for process in self.alive.values():
            process.end()
        self.alive.clear()

    def _timed(self, name: str, number: int) -> float:
        seconds = self.alive[name].batch(number)
        if not (math.isfinite(seconds) and seconds > 0):
            raise NqPerfError(f"{name}: a batch took {seconds} s; expected a finite number above 0: does a clock jump?")
        return seconds

    @contextmanager
    def _losing(self, name: str) -> Iterator[None]:
        """End and note a row that fails; the baseline's failure is the set's."""
        try:
            yield
        except NqPerfError as error:
            process = self.alive.pop(name, None)
            if process is not None:
                process.end()
            if name == BASELINE:
                raise
            self.lost[name] = error


# Long: the whole life of a set is read in one piece.
def take_set(
    baseline: Start,
    rows: Mapping[str, Start],
    *,
    seed: int,
    rounds: int,
    conduct: Conduct | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TakenSet:
    """Start the `baseline` and the `rows` anew, take so many `rounds`, end them all, and return the times.

    `seed` draws the orders; `conduct` does what is to be done beside the rounds; starts are timed by `clock`.

    What breaks a set off (the baseline's failure, a signal) is told in it, beside the rounds that were whole by then.
    """
    taking = _Taking(
        names=tuple(rows),
        starts={**rows, BASELINE: baseline},
        conduct=conduct or Conduct(),
        drawn=random.Random(seed),  # noqa: S311  # an order, no secret
        clock=clock,
    )
    broken: NqPerfError | None = None
    interrupted: BaseException | None = None
    try:
        taking.conduct.begins()
        taking.start_all()
        while len(taking.rounds) < rounds and len(taking.alive) > 1 and taking.conduct.goes_on(len(taking.rounds)):
            taking.take_round()
        taking.finish()
    except NqPerfError as error:
        broken = error
    except (KeyboardInterrupt, Interrupted) as signal:
        interrupted = signal
    finally:
        taking.end()
    return TakenSet(
        seed=seed,
        order=tuple(taking.started),
        rounds=tuple(taking.rounds),
        baseline=tuple(taking.baseline),
        seconds={name: tuple(seconds) for name, seconds in taking.seconds.items()},
        lost=taking.lost,
        refused=taking.refused,
        starts=taking.started,
        broken=broken,
        interrupted=interrupted,
    )
