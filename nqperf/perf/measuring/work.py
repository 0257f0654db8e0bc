"""One way to do some work: what is run, what comes before it, and how to know that it is done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nqperf.errors import ConfigError, ParityError
from nqperf.perf.measuring.outputs import Waiter, to_host
from nqperf.perf.measuring.planting import multiply_matrices, plant
from nqperf.perf.measuring.spoiling import same_object, spoiled
from nqperf.perf.measuring.untraced import untraced, watchers
from nqperf.records.work import CountedWork

# Seconds. When another process had the cores, threads that wait for each other by spinning, as OpenBLAS's do, were seen
# to share one core for up to 0.1 s of their turn: of two equal pieces of NumPy work one came out 11 % slower.
LEAD_IN = 0.2
_NOT_ANEW = (
    "it cannot be checked: it returns a result that was handed out before, or reads memory that was; let both return "
    "arrays of their own, computed in each run"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One way to do the work.

    `run` does it and returns its output. With `set_up`, that is called before each run, untimed, and `run` gets what it
    returns. `synchronise` gets the output and waits for it, within the time. The first `warm_up` runs are not timed.
    Raises: ConfigError for something that cannot be called, or a negative number of runs.
    """

    run: Callable[..., Any]
    set_up: Callable[[], Any] | None = None
    synchronise: Callable[[Any], object] = field(default_factory=Waiter)
    warm_up: int = 2

    def __post_init__(self) -> None:
        for name in ("run", "set_up", "synchronise"):
            value = getattr(self, name)
            if not callable(value) and not (name == "set_up" and value is None):
                raise ConfigError(f"the work's {name} is {value!r}; expected something to call")
        if not isinstance(self.warm_up, int) or self.warm_up < 0:
            raise ConfigError(f"the work's warm_up is {self.warm_up!r}; expected a number of runs, 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedWork(Work):
    """Work that is compared by more than one run's output, and whose operations can be counted.

    `answers` returns what is compared with the same work elsewhere (None: a run's output), `again` the part of it that
    is compared once more after the last round (None: all of it), `count` what a run does (None: nothing tells).
    """

    answers: Callable[[], Any] | None = None
    again: Callable[[], Any] | None = None
    count: Callable[[], CountedWork | None] | None = None


def as_work(value: Any, *, origin: str) -> Work:
    """Return `value`, which `origin` names, as Work: one itself, or what is called without arguments.

    Raises: ConfigError for anything else.
    """
    if isinstance(value, Work):
        return value
    if not callable(value):
        raise ConfigError(f"{origin} is {type(value).__name__} {value!r:.60}; expected a callable or nqperf.gate.Work")
    return Work(run=value)


class TimedRuns:
    """The `work` with a clock: a round is `repeats` runs and the planted work, if any; called with the round's number.

    No tracer, profiler or debugger watches a round. Where it is called, `lead_in` seconds of untimed runs come before,
    as many as fit, and this thread computes for what is left: so it does not matter which process had the cores.
    """

    def __init__(self, work: Work, *, lead_in: float = 0.0) -> None:
        self.repeats = 1
        self.watched: tuple[str, ...] = ()
        self._work = work
        self._products = 0
        self._lead_in = lead_in
        self._shortest = math.inf  # the least seconds of a whole run

    def warm_up(self) -> float:
        """Do the runs that come before any time is taken, then one more; return the seconds of that one."""
        for _ in range(self._work.warm_up):
            self.output()
        return self.round()

    def output(self) -> Any:
        """Run once; the devices are done with the output when it is returned."""
        began = time.perf_counter()
        output = self._work.run() if self._work.set_up is None else self._work.run(self._work.set_up())
        self._work.synchronise(output)
        self._shortest = min(self._shortest, time.perf_counter() - began)
        return output

    def compared(self, *, again: bool = False) -> Any:
        """Return what is compared with the same work elsewhere: the work's answers, or the output of a run.

        With `again` they were compared before, and a part of them is enough.
        """
        work = self._work
        if not isinstance(work, WatchedWork) or work.answers is None:
            return self.output()
        return work.again() if again and work.again is not None else work.answers()

    @property
    def counts(self) -> bool:
        """Whether the work itself tells what a run does."""
        return isinstance(self._work, WatchedWork) and self._work.count is not None

    def counted(self) -> CountedWork | None:
        """Return what a run does, counted; None where nothing tells."""
        work = self._work
        return work.count() if isinstance(work, WatchedWork) and work.count is not None else None

    def output_anew(self, handed_out: Any) -> Any:
        """Run once more while all that was `handed_out` before holds other values; return a copy of the output.

        Raises: ParityError when the work returns what was handed out, or fails without it: it cannot be checked.
        """
        with spoiled(handed_out):
            try:
                output = self.output()
            except Exception as error:
                raise ParityError(f"{_NOT_ANEW}; then it raised {type(error).__name__}") from error
            if same_object(output, handed_out):
                raise ParityError(_NOT_ANEW)
            return to_host(output)

    def __call__(self, _number: int) -> float:
        """Return the seconds of one run, the mean of a round's, behind the lead-in."""
        with untraced():
            self._lead()
        return self.round()

    def round(self) -> float:
        """Return the seconds of one run, the mean of a round's; `watched` then says what was taken off meanwhile."""
        self.watched = watchers()
        with untraced():
            seconds = self._seconds()
            if self._products:
                start = time.perf_counter()
                multiply_matrices(self._products)
                seconds += time.perf_counter() - start
        return seconds / self.repeats

    def plant(self, fraction: float) -> float:
        """Plant work that adds `fraction` to a round's time; return what it adds, as measured."""
        with untraced():
            self._lead()
            self._products, added = plant(fraction, self._seconds, multiply_matrices)
        return added

    def _lead(self) -> None:
        """Compute until the lead-in is over: whole runs while they fit, so that it is no longer where a run is."""
        end = time.perf_counter() + self._lead_in
        while (now := time.perf_counter()) < end:
            if now + self._shortest <= end:
                self.output()

    def _seconds(self) -> float:
        """Return the seconds of a round's runs."""
        run, set_up, wait = self._work.run, self._work.set_up, self._work.synchronise
        if set_up is None:
            start = time.perf_counter()
            for _ in range(self.repeats):
                wait(run())
            return time.perf_counter() - start
        total = 0.0
        for _ in range(self.repeats):
            given = set_up()
            start = time.perf_counter()
            wait(run(given))
            total += time.perf_counter() - start
        return total
