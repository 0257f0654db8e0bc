"""One row while two revisions are compared: its answers first, then its work, then sets of fresh processes."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from nqperf.errors import NqPerfError
from nqperf.perf.measuring.duets import How, Pair, PairsAlive, started_pairs
from nqperf.perf.measuring.work import LEAD_IN
from nqperf.perf.revisions.builders import RevisionProcess
from nqperf.perf.revisions.judging import MEASURES, round_scatter
from nqperf.perf.revisions.ways import TRIED, better, is_far, other, to_compare
from nqperf.perf.revisions.work import WorkChange, work_change
from nqperf.records.results import Agreement
from nqperf.records.revisions import Measure, MeasuredSet
from nqperf.records.work import CountedWork
from nqperf.statistics.planning import FEWEST_ROUNDS

# Rounds of a duet whose log ratios scatter by less are a quiet machine's.
_QUIET = 0.03
# A clock's grain and a call's own time are small beside a round of this many seconds.
_SHORTEST = 0.05
_LONGEST = 2.0
_INSTANT = 1e-8
# Compares the answers of base and change: how far they agree, why they are not the same (None: they are), and what else
# is to be said of them.
SameAnswers = Callable[[Any, Any], tuple[Agreement, str | None, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRow:
    """What is compared: one piece of work, `name`, that base and change both have.

    `starts` returns what starts both sides, for being timed the way that it is given. `same` compares the answers,
    `measures` are what is judged.
    """

    name: str
    starts: Callable[[How], Pair]
    same: SameAnswers
    measures: tuple[Measure, ...] = MEASURES


# Long: a row's whole life, from its answers to its last set, is read in one piece.
@dataclass(slots=True, kw_only=True)
class RowRun:
    """The row `row` while it is measured.

    `how` is the way that its sets are timed, None until a short trial has chosen; unless it was given, it is chosen
    again while the interval stays wide. `rounds` are taken in a set, fewer where it would take longer than
    `set_seconds`, and work that grows by more than `work_margin` fails; `margin` is the slowdown that is to be told.
    What is found: `agreement` and `note` of the answers, `work` of both with its `work_change`, and `faults`, why the
    change fails, a line each. `base_error` is why the base does not run. `seconds` are those of the last set.
    """

    row: PairedRow
    how: How | None
    rounds: int
    set_seconds: float
    work_margin: float
    margin: float
    agreement: Agreement | None = None
    note: str | None = None
    work: tuple[CountedWork | None, CountedWork | None] = (None, None)
    work_change: WorkChange = field(default_factory=WorkChange)
    faults: list[str] = field(default_factory=list)
    base_error: NqPerfError | None = None
    seconds: float = 0.0
    _taken: list[MeasuredSet] = field(default_factory=list)
    _first: int = 0
    _seconds: dict[How, float] = field(default_factory=dict)
    _free: bool = field(init=False)
    _repeats: int = 1
    _tell: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self._free = self.how is None

    @property
    def sets(self) -> list[MeasuredSet]:
        """The sets that were taken the way that is chosen, since it was: those it was chosen by would look too sure."""
        return [taken for taken in self._taken[self._first :] if self.how in {None, taken.how}]

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def ended(self) -> bool:
        """Whether nothing more is measured of it: a side fails, or the answers or the work are others."""
        return self.base_error is not None or bool(self.faults)

    def take(self, seed: int, *, timed: bool = True, tell: Callable[[str], None] = lambda _: None) -> None:
        """Take one set, or two of which the better way is kept, as long as no way is chosen; `seed` draws the orders.

        At the first, answers and work come before; without `timed` nothing else is done. `tell` is told each stage of
        it, and each round.
        """
        self._tell = tell
        began = time.monotonic()
        self._take_one(self.how or "duet", seed, timed=timed)
        if timed and not self.ended and self.how is None:
            self._choose(seed + 1)
        self.seconds = time.monotonic() - began

    def _choose(self, seed: int) -> None:
        """Choose how to time this row, now that there is a set of a duet.

        On a quiet machine a duet is the better way. Where its rounds scatter, turns are tried beside it, and what gives
        the smaller variance times seconds is taken; the other's set is left out, for its ratio is another quantity.
        Sides that are far apart take turns.
        """
        self.how = "duet"
        duet = self.sets[0]
        far = is_far(duet)
        if not far and round_scatter(duet) <= _QUIET:
            return
        self._take_one("turns", seed, timed=True)
        if self.ended:
            return
        costs = [
            round_scatter(taken) ** 2 * seconds
            for taken, seconds in zip(self._taken, self._round_seconds(), strict=True)
        ]
        self.how = "turns" if far or costs[1] < costs[0] else "duet"

    def _round_seconds(self) -> tuple[float, float]:
        """Return what a round took in the set of the duet, both sides at once, and in that of turns."""
        duet, turns = (self._repeats * statistics.median(taken.base) for taken in self._taken)
        return duet, 2 * (LEAD_IN + turns)

    def to_choose(self, left: float) -> bool:
        """Return whether the other way is to be tried now, where there are so many seconds `left`."""
        # What would be chosen needs room for sets of its own.
        enough = left > 2 * TRIED * self.seconds
        if not (self._free and enough and not self.ended and to_compare(self.sets, self.margin)):
            return False
        # Sets that tell of the other way alone are lost for the verdict: after the first trial it must look better.
        return len(self._others()) < TRIED or self._is_other_better(surely=False)

    def choose_again(self, seed: int, left: Callable[[], float], tell: Callable[[str], None] = lambda _: None) -> bool:
        """Take a few sets the other way; return whether it surely needs less time, and is begun with anew.

        `seed` draws the orders, `left` returns the seconds that are left, and `tell` is told each stage of it.
        """
        assert self.how is not None  # noqa: S101  # it is chosen at the first set
        self._tell, seconds = tell, self.seconds
        then = other(self.how)
        for number in range(TRIED):
            self._take_one(then, seed + number, timed=True)
            if self.ended:
                return False
        enough = left() > TRIED * self._seconds[then]
        if not enough or not self._is_other_better(surely=True):
            self.seconds = seconds
            return False
        self.how, self.seconds, self._first = then, self._seconds[then], len(self._taken)
        return True

    def _others(self) -> list[MeasuredSet]:
        return [taken for taken in self._taken if taken.how != self.how]

    def _is_other_better(self, *, surely: bool) -> bool:
        assert self.how is not None  # noqa: S101  # it is chosen at the first set
        seconds = self._seconds[self.how], self._seconds[other(self.how)]
        return better(self.sets, self._others(), seconds, self.margin, surely=surely)

    def _take_one(self, how: How, seed: int, *, timed: bool) -> None:
        """Take a set whose processes are started for being timed so."""
        began = time.monotonic()
        self._take_whole(how, seed, began, timed=timed)
        self._seconds[how] = time.monotonic() - began

    def _take_whole(self, how: How, seed: int, began: float, *, timed: bool) -> None:
        with started_pairs({self.name: self.row.starts(how)}, seed=seed, at_once=how == "duet") as alive:
            if self._lost(alive, how):
                return
            base, change = self._sides(alive)
            self._tell("answers")
            try:
                if self.agreement is None and not self._compared(base, change):
                    return
                if timed:
                    self._timed(alive, how, began)
            except _SideError as failed:
                if failed.side == "base":
                    self.base_error = failed.error
                else:
                    self.faults.append(f"the change fails: {failed.error}")

    def _compared(self, base: RevisionProcess, change: RevisionProcess) -> bool:
        """Compare answers and work; return whether there is anything to be timed."""
        self.agreement, fault, self.note = self.row.same(*self._both(lambda side: side.output(), base, change))
        if fault is not None:
            self.faults.append(f"the answers differ: {fault}" if self.agreement.compared else fault)
            return False
        first, second = self.work = self._both(lambda side: side.work(), base, change)
        self.work_change = work_change(first, second, self.work_margin)
        return True

    def _timed(self, alive: PairsAlive, how: How, began: float) -> None:
        """Take the rounds of the set that `began` then, and look at the answers once more."""
        base, change = self._sides(alive)
        if not self._taken:
            self._repeats = runs_of_a_round(max(base.warm_up_seconds, change.warm_up_seconds))
        self._both(lambda side: side.repeat(self._repeats), base, change)
        rounds = self._rounds_in_time(how, max(base.warm_up_seconds, change.warm_up_seconds), began)
        taken = alive.take(how, rounds, self._told_round)
        if self._lost(alive, how):
            return
        self._both(lambda side: side.repeat(self._repeats), base, change)  # it tells the memory once more
        _, fault, _ = self.row.same(*self._both(lambda side: side.output(again=True), base, change))
        if fault is not None:
            self.faults.append(f"the answers differ after the timed rounds: {fault}")
            return
        times = taken.rows[self.name]
        self._taken.append(
            MeasuredSet(
                seed=taken.seed,
                how=how,
                order=taken.order,
                base=times.base,
                change=times.change,
                starts=(base.start_seconds, change.start_seconds),
                peaks=(base.peak_bytes, change.peak_bytes),
            )
        )
        # Work that grew is known for sure; the clock's first set says what it costs.
        self.faults += self.work_change.faults

    def _told_round(self) -> bool:
        self._tell("rounds")
        return True

    def _sides(self, alive: PairsAlive) -> tuple[RevisionProcess, RevisionProcess]:
        base, change = (cast("RevisionProcess", alive.rows[self.name].sides[side]) for side in ("base", "change"))
        return base, change

    def _rounds_in_time(self, how: How, run: float, began: float) -> int:
        """Return how many rounds there is time for in the set that `began` then, where a run takes so many seconds."""
        turn = self._repeats * run
        left = self.set_seconds - (time.monotonic() - began)
        return min(self.rounds, max(FEWEST_ROUNDS, int(left / (turn if how == "duet" else 2 * (LEAD_IN + turn)))))

    def _both(
        self, ask: Callable[[RevisionProcess], Any], base: RevisionProcess, change: RevisionProcess
    ) -> tuple[Any, Any]:
        """Ask both sides at once. Raises: _SideError when one fails, the base's where both do."""
        answers = []
        with ThreadPoolExecutor(max_workers=2) as threads:
            asked = [(side, threads.submit(ask, process)) for side, process in (("base", base), ("change", change))]
            for side, answer in asked:
                try:
                    answers.append(answer.result())
                except NqPerfError as error:
                    raise _SideError(side, error) from error
        return answers[0], answers[1]

    def _lost(self, alive: PairsAlive, how: How) -> bool:
        """Note what became of a side that failed; return whether one did."""
        lost = alive.rows[self.name].lost
        if lost is None:
            return False
        side, error = lost
        if side == "change" and self.agreement is None:
            # What neither side has is a fault of the call, not of the change.
            try:
                process = self.row.starts(how)[0]()
                try:
                    process.ready()
                finally:
                    process.end()
            except NqPerfError as its_own:
                side, error = "base", its_own
        if side == "base":
            self.base_error = error
        else:
            self.faults.append(f"the change fails: {error}")
        return True


class _SideError(Exception):
    """A side that failed."""

    def __init__(self, side: str, error: NqPerfError) -> None:
        super().__init__(side)
        self.side, self.error = side, error


def runs_of_a_round(seconds: float) -> int:
    """Return how many runs of so many `seconds` make a round long enough for the clock, and no longer than needed."""
    seconds = max(seconds, _INSTANT)
    return max(1, min(math.ceil(_SHORTEST / seconds), math.ceil(_LONGEST / seconds)))
