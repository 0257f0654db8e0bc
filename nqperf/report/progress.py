"""A run's progress in words: what is being done, for a terminal, and a line a finished row, for a log."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from statistics import median
from threading import Event as Flag
from threading import Lock, Thread

from nqperf.perf.workers.progress import Doing, Event, Progress, Row, RowFinished, SetFinished
from nqperf.plain_text import plain
from nqperf.records.results import PLANTED, SAME, VariantResult, Verdict
from nqperf.report.outcomes import outcome_word
from nqperf.report.summary import NO_INTERVAL, interval_text, outcome_of, ratio_text
from nqperf.statistics.verdicts import RowVerdict

# A log shows nobody what changed since; one line a second is enough of it.
SECONDS_A_LINE = 1.0
# Nobody waits longer than this without a word, where there is one: a first set takes a minute on a slow machine.
SECONDS_SILENT = 15.0
# What is being done for longer than this is told with its time.
_SECONDS_LONG = 2.0
_SECONDS_A_BEAT = 1.0


def doing_text(event: Doing) -> str:
    """Return what is being done, by `event`."""
    so_far = f", {event.so_far}" if event.so_far else ""
    left = f", running for {event.past:.0f} s" if event.past >= _SECONDS_LONG else ""
    if event.left is not None:
        left = f", about {max(event.left, 0):.0f} s left{'' if event.share else ' at most'}"
    # A control's name is words: "start baseline again" would read as a restart.
    name = f' "{event.name}"' if event.name in {SAME, PLANTED} else f" {event.name}" if event.name else ""
    return f"{event.stage}{name}{so_far}{left}"


def set_text(event: SetFinished) -> str:
    """Return what is known of each row after the set of `event`."""
    told = [row for row in event.rows if row.ratio is not None]
    bare = all(row.interval is None for row in told)
    rows = ", ".join(f"{row.name} {_so_far(row, bare=bare)}" for row in told)
    left = f"time for about {event.left} more" if event.left else "the last one"
    return plain(f"set {event.number} of processes{f' ({NO_INTERVAL})' if bare else ''}, {left}: {rows}")


def _so_far(row: RowVerdict, *, bare: bool) -> str:
    """Return what is known of a `row`; that it has no interval only where it is not said of all: `bare`."""
    interval = "" if row.interval is None and bare else f" ({interval_text(row.interval)})"
    outcome = outcome_word(row.name, row.outcome, row.interval) if row.decided else "so far"
    return f"{row.ratio:.3f}{interval} {outcome}"


def finished_text(event: RowFinished) -> str:
    """Return what the row of `event` came to, in the table's words."""
    took = f", {event.seconds:.0f} s" if event.seconds >= 1 else ""  # what was found with others took none of its own
    return plain(f"{event.name}: {_row_text(event.row)}{took}")


@contextmanager
def row_lines(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Yield what writes one line a finished row, at most one a second: rows that end sooner share the next line.

    What is being done is a line where there was none for a quarter of a minute. `write` takes a line without its
    newline; `clock` returns seconds.
    """
    waiting: list[RowFinished] = []
    last, said_at, over = -SECONDS_A_LINE, clock(), False

    def tell(event: Event) -> None:
        nonlocal last, said_at, over
        if isinstance(event, SetFinished):
            said_at, over = clock(), not event.left
            _write(write, waiting)
            write(f"nqperf: {set_text(event)}")
        elif isinstance(event, Doing):
            if clock() - said_at >= SECONDS_SILENT:
                said_at = clock()
                write(f"nqperf: {plain(doing_text(event))}")
        elif isinstance(event, RowFinished) and not over:  # the last set has told of all rows, and none is left
            waiting.append(event)
            if clock() - last >= SECONDS_A_LINE:
                last = said_at = clock()
                _write(write, waiting)

    try:
        yield tell
    finally:
        _write(write, waiting)


class UnderWay:
    """Passes events on to `tell`, and tells what is being done once more, with the time that it has taken by then.

    `clock` returns seconds. It may be called from several threads.
    """

    def __init__(self, tell: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._clock, self._lock = tell, clock, Lock()
        self._doing: Doing | None = None
        self._since = self._began = clock()

    def __call__(self, event: Event) -> None:
        """Pass the `event` on; where it tells the share of its stage that is done, with what the rest will take."""
        with self._lock:
            self._doing = None
            if isinstance(event, Doing):
                self._since = self._clock()
                if not event.share:
                    self._began = self._since
                elif event.left is None:
                    left = (self._since - self._began) * (1 - event.share) / event.share
                    event = dataclasses.replace(event, left=left)
                self._doing = event
            self._tell(event)

    def again(self) -> None:
        """Tell what is being done once more, if anything is known to be."""
        with self._lock:
            if self._doing is not None:
                past = self._clock() - self._since
                left = None if self._doing.left is None else self._doing.left - past
                self._tell(dataclasses.replace(self._doing, past=past, left=left))


@contextmanager
def repeated(tell: Progress) -> Iterator[Progress]:
    """Yield what passes events on to `tell`, which is told each second what is being done: nothing else may happen."""
    under_way, ended = UnderWay(tell), Flag()

    def beat() -> None:
        # A stream that has been closed is told of where an event is.
        with suppress(OSError, ValueError):
            while not ended.wait(_SECONDS_A_BEAT):
                under_way.again()

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield under_way
    finally:
        ended.set()
        thread.join()


def _write(write: Callable[[str], None], waiting: list[RowFinished]) -> None:
    """Write what waits in one line, and forget it."""
    if waiting:
        left = waiting[-1].left
        rows = "row" if left == 1 else "rows"
        write(f"nqperf: {'; '.join(map(finished_text, waiting))}; {left or 'no'} {rows} left")
        waiting.clear()


def _row_text(row: Row) -> str:
    if isinstance(row, VariantResult):
        said = outcome_of(row) if row.reason is None else f"{outcome_of(row)} ({row.reason})"
        return said if row.verdict is None else f"ratio {ratio_text(row.verdict)}, {said}"
    if isinstance(row, Verdict):
        return f"ratio {ratio_text(row)}, {row.outcome}"
    return f"ratio {median(_ratios(row.baseline_seconds, row.variant_seconds)):.3f}, measured"


def _ratios(baseline: tuple[float, ...], variant: tuple[float, ...]) -> list[float]:
    return [one / other for one, other in zip(baseline, variant, strict=True)]
