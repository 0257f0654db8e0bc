"""A comparison of rows while it is made: passes over all that are open, a look after each, until all is decided."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.duets import How, can_duet
from nqperf.perf.measuring.load import Load
from nqperf.perf.revisions.config import USUAL_MARGIN, RevisionsConfig
from nqperf.perf.revisions.judging import MeasuresJudge
from nqperf.perf.revisions.rows import PairedRow, RowRun
from nqperf.perf.revisions.sides import Side
from nqperf.perf.workers.progress import Doing
from nqperf.plain_text import counted
from nqperf.records.results import utc_now
from nqperf.records.revisions import ComparedRow, RevisionOutcome, RevisionResults
from nqperf.statistics.verdicts import JudgeConfig

_JUDGE = JudgeConfig.for_margin(USUAL_MARGIN)
# The trial of the other way to time, and the sets of the earliest verdict, are to fit into a budget on any machine.
_SETS_WANTED = 1 + _JUDGE.first_look + _JUDGE.confirming


@dataclass(slots=True, kw_only=True)
class RowsSession:
    """One comparison of `rows` while it is made, as `config` says.

    `runs` are the rows with what was found of them, `judge` judges their sets, and `began` is when it started, in
    seconds of `time.monotonic`.
    """

    rows: Sequence[PairedRow]
    config: RevisionsConfig
    runs: tuple[RowRun, ...] = field(init=False)
    judge: MeasuresJudge = field(init=False)
    began: float = field(init=False)
    _drawn: random.Random = field(init=False)
    _load: Load = field(default_factory=Load)
    _passes: int = 0

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        config = self.config
        how: How | None = None if config.how == "auto" else config.how
        self.runs = tuple(
            RowRun(
                row=row,
                how=how if can_duet() else "turns",
                rounds=config.rounds,
                set_seconds=config.budget / (_SETS_WANTED * len(self.rows)),
                work_margin=config.margins[0],
                margin=config.margins[0],
            )
            for row in self.rows
        )
        self.judge = MeasuresJudge(config=config, rows={row.name: row.measures for row in self.rows})
        self._drawn = random.Random(config.seed)  # noqa: S311  # orders, no secret

    def run(self) -> None:
        """Compare answers and work, and take sets, row by row, until all is decided or the time is up."""
        while True:
            for run in self._open():
                if self._passes and self._left() < run.seconds:
                    continue
                if not self._passes and self._spent() > self.config.budget:
                    continue  # a row that was not reached
                self._take(run)
            self._passes += 1
            last = not self._another_fits()
            if any(run.sets for run in self.runs):
                self._look(last=last)
                if not last and self._choose_again():
                    last = not self._another_fits()
                    self._look(last=last)
            if last or not self._open():
                return

    def _look(self, *, last: bool) -> None:
        fit = int(self.config.budget * self._passes / self._spent())
        self.judge.look_at({run.name: run.sets for run in self.runs}, fit - self._passes, time_is_up=last)

    def _take(self, run: RowRun) -> None:
        tell = self._teller(run)
        tell("set")
        # Once answers differ somewhere nobody asks for speeds; the answers of the others are worth knowing.
        differ = any(one.faults and not one.sets for one in self.runs)
        run.take(self._drawn.randrange(1 << 32), timed=not differ, tell=tell)

    def _choose_again(self) -> bool:
        """Try the other way to time the rows whose intervals stay wide; return whether one was tried.

        Where it is better, the row is judged anew by the sets that were taken so.
        """
        tried = [run for run in self._open() if self.judge.can_begin_anew(run.name) and run.to_choose(self._left())]
        for run in tried:
            if run.choose_again(self._drawn.randrange(1 << 32), self._left, self._teller(run)):
                self.judge.begin_anew(run.name)
        return bool(tried)

    def _teller(self, run: RowRun) -> Callable[[str], None]:
        left, since, so_far = self._left(), time.perf_counter(), self._so_far(run)

        def tell(stage: str) -> None:
            seconds = left - (time.perf_counter() - since)
            self.config.progress(Doing(stage=stage, name=run.name, so_far=so_far, left=seconds))

        return tell

    def _so_far(self, run: RowRun) -> str:
        """Return in words how many sets of a row were taken, and how its time has changed by them."""
        if not run.sets:
            return ""
        busy = self._load.text()
        done = f"{counted(len(run.sets), 'set')} done"
        found = self.judge.judged(run.name, run.sets)
        time = next((one for one in found if one.measure == "time"), None)
        if time is None:
            return done + busy
        low_high = (100 * (bound - 1) for bound in time.told or ())
        inside = " .. ".join(f"{bound:.1f}" for bound in low_high)
        return f"{done}, so far {100 * (time.ratio - 1):+.1f} %{f' ({inside})' if inside else ''}{busy}"

    def _open(self) -> list[RowRun]:
        """Return the rows of which a further set may decide something."""
        if self._passes and any(one.faults and not one.sets for one in self.runs):
            return []
        return [run for run in self.runs if not run.ended and self.judge.is_open(run.name)]

    def _spent(self) -> float:
        return max(time.monotonic() - self.began, 1e-3)

    def _left(self) -> float:
        return self.config.budget - self._spent()

    def _another_fits(self) -> bool:
        """Return whether a further pass over the rows that are open fits into the budget."""
        return sum(run.seconds for run in self._open()) <= self._left()

    def results(self, sides: tuple[Side, Side], new: Sequence[str] = (), gone: Sequence[str] = ()) -> RevisionResults:
        """Return the record of a comparison of these `sides`; `new` and `gone` are rows that only one of them has."""
        rows = tuple(map(self._row, self.runs))
        outcomes = {row.outcome for row in rows}
        outcome: RevisionOutcome = (
            "FAIL"
            if "FAIL" in outcomes
            else "PASS"
            if outcomes <= {"PASS", None} and "PASS" in outcomes
            else "INCONCLUSIVE"
        )
        base, change = sides
        return RevisionResults(
            command=self.config.command,
            created=utc_now(),
            fingerprint=take_fingerprint().and_observed(self._load.observed()),
            base=base.record,
            change=change.record,
            outcome=outcome,
            rows=rows,
            new=tuple(new),
            gone=tuple(gone),
            pages=self.config.pages,
            seconds=time.monotonic() - self.began,
            settings=self.config.settings,
        )

    def _row(self, run: RowRun) -> ComparedRow:
        judged = self.judge.judged(run.name, run.sets)
        slower = [f"{one.measure}: {100 * (one.ratio - 1):.1f} % more" for one in judged if one.word == "SLOWER"]
        reasons = (*run.faults, *slower)
        word = next((one.word for one in judged if one.measure == "time"), None)
        outcome: RevisionOutcome | None = (
            "FAIL" if reasons else "INCONCLUSIVE" if word in {None, "INCONCLUSIVE"} else "PASS"
        )
        note = run.note
        if run.base_error is not None:
            outcome, note = None, f"the base fails: {run.base_error}"
        elif not reasons and run.agreement is None:
            note = "not measured: the time was up"
        elif not reasons and not run.sets:
            note = "its answers are the same; nothing was timed, for those of another row differ"
        return ComparedRow(
            name=run.name,
            outcome=outcome,
            reasons=reasons,
            note=note,
            agreement=run.agreement,
            work=run.work,
            work_changes=run.work_change.said,
            judged=judged,
            sets=tuple(run.sets),
        )
