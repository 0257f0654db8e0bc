"""More answers, where too few examples were answered to tell: rows of 16 and 8 bits are asked on until it is decided.

After the sets, with the time that is left: first one row, then the next, each with its share of that time. The baseline
answers each lot of further examples once. What is still open when the time is up is undecided, which is no failure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from nqperf.errors import NqPerfError, OutOfTimeError
from nqperf.nq.example import Example
from nqperf.perf.measuring.limits import TooSlowError
from nqperf.perf.suite.parity import ANSWER_LIMITS, Answers, Task, answered, require_answers
from nqperf.perf.suite.processes import VariantProcess
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.task import make_task
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import ALL_CHANGED, ALL_COMPARED, BASELINE
from nqperf.statistics.answers import Answered, judge_answers

# So many examples tell a true 3 % of changed answers from half a per cent; micro-F1 within a thousandth takes more than
# anybody waits for.
MOST_ANSWERS = 1500
# They are looked at after so many each.
LOT = 100
_NO_TIME = "the time is up (a larger --budget asks more)"
# Examples from the one with this number on, without end or as long as the data lasts.
Further = Callable[[int], Iterator[Example]]


def no_further(_: int) -> Iterator[Example]:
    """Return no examples: what is undecided by now stays so."""
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lot:
    """Further examples, and what the baseline answers."""

    task: Task
    baseline: Answers


@dataclass(slots=True, kw_only=True)
class Answering:
    """The asking on of one run.

    Fields:
        session: The session, whose rows have answered its task.
        further: Yields further examples.
        no_more: Why there are none, once there are none.
    """

    session: Session
    further: Further
    no_more: str = "there are no more examples"
    _ended: str = _NO_TIME
    _lots: list[_Lot] = field(default_factory=list)
    _examples: Iterator[Example] | None = None
    _baseline: VariantProcess | None = None

    def run(self, variants: Sequence[Variant]) -> None:
        """Ask on those of `variants` whose answers are undecided; what comes of it stands in their runs."""
        waiting = [run for variant in variants if self._is_open(run := self.session.run_of(variant))]
        try:
            for number, run in enumerate(waiting):
                self._ask(run, self.session.budget.left() / (len(waiting) - number))
        finally:
            self._end_baseline()

    def _is_open(self, run: VariantRun) -> bool:
        """Return whether a row was seen to answer in this session, and its answers were neither right nor wrong."""
        known = run.answers is not None and run.failure is None and run.variant.tolerance in ANSWER_LIMITS
        return known and run.note is not None

    def _ask(self, run: VariantRun, seconds: float) -> None:
        """Ask one row on, for so many seconds at the most."""
        session = self.session
        assert run.answers is not None  # noqa: S101  # it is open
        until = session.budget.left() - seconds
        so_far = answered(session.task, session.baseline_answers(), run.answers)
        looks: list[int] = []
        self._ended = self.no_more if self.further is no_further else _NO_TIME  # no time would bring any
        process: VariantProcess | None = None
        try:
            while len(so_far.changed) < MOST_ANSWERS and run.note is not None:
                lot = self._lot(len(looks), run, until)
                if lot is None:
                    break
                process = process or session.start(run.variant)
                more = answered(lot.task, lot.baseline, session.further_answers(process, lot.task))
                looks.append(len(so_far.changed))
                so_far = so_far.with_more(more)
                self._judge(run, so_far, looks, most=MOST_ANSWERS)
        except (OutOfTimeError, TooSlowError):
            pass  # what there is by now decides
        except NqPerfError as error:
            run.failure = error
        finally:
            if process is not None:
                process.end()
        if run.failure is None and run.note is not None:
            self._judge(run, so_far, looks, most=None)
        if run.note is not None:
            most = len(so_far.changed) >= MOST_ANSWERS
            run.note += f"; asked no more: {f'{MOST_ANSWERS} are the most' if most else self._ended}"

    def _judge(self, run: VariantRun, so_far: Answered, looks: Sequence[int], *, most: int | None) -> None:
        """Note what all answers so far come to, `most` being those that there will be; None: these are all."""
        limits = ANSWER_LIMITS[run.variant.tolerance]
        found = judge_answers(so_far, limits, looks=looks, most=most)
        if looks and run.agreement is not None:
            details = {ALL_COMPARED: float(found.compared), ALL_CHANGED: float(found.changed)}
            run.agreement = msgspec.structs.replace(run.agreement, details={**run.agreement.details, **details})
        try:
            run.note = require_answers(found, limits)
        except NqPerfError as error:
            run.failure, run.note = error, None

    def _lot(self, number: int, run: VariantRun, until: float) -> _Lot | None:
        """Return a lot of further examples; None without any, or without the time until `until` seconds are left."""
        session, new = self.session, number == len(self._lots)
        windows = LOT * len(session.task.features) / len(session.task.inputs)
        one, other = (
            (found.predict_seconds or 0.0) / len(session.task.features) for found in (session.runs[BASELINE], run)
        )
        starts = (number == 0) + (self._baseline is None and new)
        needed = windows * (other + one * new) + starts * session.speed.start
        if session.budget.left() - until < needed:
            return None
        if new:
            task = self._next_task()
            if task is None:
                self._ended = self.no_more
                return None
            try:
                self._baseline = self._baseline or session.start(session.baseline)
                self._lots.append(_Lot(task=task, baseline=session.further_answers(self._baseline, task)))
            except NqPerfError as error:  # its times and first answers stand; the rows stay undecided
                self._ended = f"the baseline was lost: {error}"
                self._end_baseline()
                return None
        return self._lots[number]

    def _end_baseline(self) -> None:
        process, self._baseline = self._baseline, None
        if process is not None:
            process.end()

    def _next_task(self) -> Task | None:
        """Return the task of the next examples, None where the data has no more that can be answered."""
        task = self.session.task
        if self._examples is None:
            self._examples = self.further(len(task.inputs))
        self.session.progress("features", "further examples")
        try:
            done = len(task.inputs) + sum(len(lot.task.inputs) for lot in self._lots)
            examples = list(islice(self._examples, min(LOT, MOST_ANSWERS - done)))
            length = task.features.input_ids.shape[1]
            if not examples:
                return None
            found = make_task(self.session.folder, examples, max_seq_length=length, windows=None)
        except NqPerfError:  # what lies behind the suite's own examples was never asked for
            return None
        return dataclasses.replace(found, non_null_threshold=task.non_null_threshold)
