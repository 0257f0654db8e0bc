"""Sets of fresh processes, one after the other, and a look after each, until every row is decided or the time is up.

After the first set every row has a ratio, and each further set sharpens all of them. A row that is surely decided
leaves its time to the others. Whatever ends the measuring, each row shows what there is.
"""

# Long: the looks at a measurement share its state, and stand in their order.
from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from nqperf.errors import NqPerfError, OutOfTimeError
from nqperf.perf.measuring.budget import SLOWER, Budget, Speed
from nqperf.perf.measuring.load import Load
from nqperf.perf.measuring.sets import Conduct, Start, TakenSet, take_set
from nqperf.records.results import BASELINE, PLANTED, SAME, Control, Controls, Pairs, ProcessSet, Verdict
from nqperf.records.verdict import GateConfig, verdict_of
from nqperf.statistics.judge import judge, look
from nqperf.statistics.location import SetEstimate
from nqperf.statistics.planning import FEWEST_ROUNDS, MOST_ROUNDS, Cost, rounds_per_set, sets_that_fit
from nqperf.statistics.sets import Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Judgement, Plan

# Before anything is known, rounds are taken to scatter by this much more than processes (variances).
_PAIRS_TO_PROCESSES = 2.0
# Where the time has room for more sets than this, they have more rounds, and no more are taken.
_MOST_SETS = 24
# A set may take a little longer than the last one did.
_SLACK = 1.1
# The baseline is started anew after a failure, but not for ever.
_MOST_BROKEN = 2


# Long: the looks share its state, and stand in their order.
@dataclass(slots=True, kw_only=True)
class Measurement:
    """One run's sets, looks and losses.

    Fields:
        baseline: Starts a process of what the rows are held to.
        starts: Starts a process of each row, by name, in the order of `rows`.
        rows: The rows as the judge is told of them; called before each look, for what is planted is measured.
        gate: How many sets and rounds, and how rows are judged.
        budget: The seconds that there are.
        speed: The baseline's, by which the first set is planned.
        conduct: What is to be done in each set beside the rounds.
        shared: Whether the rows of a set are held to one baseline process.
        to_the_end: Whether rows stay in every set though they are decided.
        seed: The seed of the sets' own seeds.
        told: Called after each look.
        taken: The sets, in order.
        estimates: What each set that counts says of its rows.
        lost: The rows that were lost for good, and why.
        broken: The failures of the baseline's own process.
        judgement: What the last look found; None before the first.
        interrupted: The signal that ended the measuring; None where none did.
        rounds: The rounds of each set.
        passes: How often all open rows were measured: a pass is one set, or several where memory is short.
        others: What the record of the machine has to say of other programs that computed meanwhile.
    """

    baseline: Start
    starts: Mapping[str, Start]
    rows: Callable[[], tuple[Row, ...]]
    gate: GateConfig
    budget: Budget
    speed: Speed
    conduct: Conduct = field(default_factory=Conduct)
    shared: bool = True
    to_the_end: bool = False
    seed: int = 0
    told: Callable[[Measurement], None] = lambda _: None
    taken: list[TakenSet] = field(default_factory=list)
    estimates: list[dict[str, SetEstimate]] = field(default_factory=list)
    lost: dict[str, NqPerfError] = field(default_factory=dict)
    broken: list[NqPerfError] = field(default_factory=list)
    judgement: Judgement | None = None
    interrupted: BaseException | None = None
    rounds: int = 0
    passes: int = 0
    others: Mapping[str, str] = field(default_factory=dict)
    _groups: int = 1
    _looked: int = 0
    _final: bool = False
    _costs: _Costs = field(init=False)

    def __post_init__(self) -> None:
        self._costs = _Costs(speed=self.speed)

    def run(self) -> None:
        """Take sets until nothing is left to do; what came of it stands in the fields."""
        load = Load()
        self.rounds = self.rounds or self._planned_rounds()
        while self.open_rows() and self._allows_another():
            self._take()
            if len(self.estimates) > self._looked:
                self._look()
        if self.estimates and not self._final:  # what ended the measuring came after the last look
            self.judgement = judge(self._sets(), Plan(sets=len(self.estimates), time_is_up=True), self._judge)
        self.others = load.observed()

    def open_rows(self) -> tuple[str, ...]:
        """Return the rows that a further set may decide, and the baseline once more beside them; none: all is done."""
        undecided = set(self.starts)
        if self.judgement is not None and not self.to_the_end:
            undecided = set(self.judgement.open_rows)
        names = tuple(name for name in self.starts if name in undecided and name not in self.lost)
        wanted = self.gate.judge.first_look + self.gate.judge.confirming
        if set(names) <= {SAME, PLANTED} and self.passes >= wanted:
            return ()  # rows are decided by their own intervals: controls are worth no more time than a verdict takes
        if not names or SAME in names or SAME not in self.starts or SAME in self.lost:
            return names
        return (*names, SAME)  # it halves what the baseline's own process adds to every row

    def set_seconds(self, names: tuple[str, ...] | None = None) -> float:
        """Return about how long one more set takes, of the rows `names`, by default those that are open."""
        cost = self._costs.cost(self.open_rows() if names is None else names)
        return _SLACK * cost.set_seconds(self.rounds or FEWEST_ROUNDS)

    @property
    def most(self) -> int:
        """The sets that are taken at the most."""
        return _MOST_SETS if self.gate.sets is None else self.gate.sets

    def sets_left(self) -> int:
        """Return how many more sets there is time for, as far as there are to be more."""
        within, left = self.most - self.passes, self.budget.left()
        if math.isinf(left):
            return within
        cost = self._costs.cost(self.open_rows() or tuple(self.starts))
        return max(0, min(within, sets_that_fit(cost, self.rounds, left / _SLACK)))

    def samples(self, name: str) -> tuple[Pairs, ...]:
        """Return the times of the row `name` for the record."""
        found = []
        for number, one in enumerate(self.taken):
            seconds = one.seconds.get(name, ())
            if seconds:
                ends = [math.sqrt(first * last) for first, last in one.baseline[: len(seconds)]]
                found.append(Pairs(baseline_seconds=tuple(ends), variant_seconds=tuple(seconds), number=number))
        return tuple(found)

    def record(self) -> tuple[ProcessSet, ...]:
        """Return the sets for the record."""
        return tuple(
            ProcessSet(
                seed=one.seed,
                order=one.order,
                rounds=one.rounds,
                baseline_seconds=one.baseline,
                batches=self.speed.batches,
            )
            for one in self.taken
        )

    def _planned_rounds(self) -> int:
        """Return the rounds of a set by what starts and rounds take; fewer, where the time has room for few sets."""
        if self.gate.rounds is not None:
            return self.gate.rounds
        cost = self._costs.cost(tuple(self.starts))
        best = rounds_per_set(cost, _PAIRS_TO_PROCESSES, 1.0)
        left = self.budget.left()
        if math.isinf(left):
            return best
        wanted = self.gate.judge.first_look + self.gate.judge.confirming
        affordable, filling = (
            int((left / (_SLACK * sets) - cost.start_seconds) / cost.round_seconds) for sets in (wanted, self.most)
        )
        return max(FEWEST_ROUNDS, min(MOST_ROUNDS, affordable, max(best, filling)))

    def _allows_another(self) -> bool:
        """Return whether a further set may begin."""
        if self.interrupted is not None or len(self.broken) >= _MOST_BROKEN:
            return False
        if self.passes >= self.most:
            return False
        if not self.estimates:  # the first one is tried whatever it takes: its caller has looked at the time
            return not self.taken or self.budget.left() > 0
        rounds = min(self.rounds, FEWEST_ROUNDS)
        return self.budget.left() >= _SLACK * self._costs.cost(self.open_rows()).set_seconds(rounds)

    def _take(self) -> None:
        """Take one set, or several where memory has no room for all rows at once: then each has its own baselines."""
        waiting = self.open_rows()
        groups = 0
        while waiting:
            one = take_set(
                self.baseline,
                {name: self.starts[name] for name in waiting},
                seed=random.Random(f"{self.seed} {len(self.taken)}").getrandbits(32),  # noqa: S311  # an order
                rounds=self.rounds,
                conduct=self.conduct,
                clock=self.budget.clock,
            )
            self.add(one)
            groups += 1
            if one.interrupted is not None or one.broken is not None:
                break
            late = tuple(name for name in one.refused if name not in self.lost)
            if set(late) | {SAME} >= set(waiting) or (late and self.budget.left() < self.set_seconds(late)):
                never = [name for name in late if not any(name in found for found in self.estimates)]
                self.lost |= {name: OutOfTimeError(one.refused[name]) for name in never}
                break
            waiting = (*late, *([SAME] if SAME in waiting and SAME not in late else [])) if late else ()
        self.passes += 1
        self._groups = max(self._groups, groups)

    def add(self, one: TakenSet) -> None:
        """Take over the set `one`: it was just taken, or an earlier start of the same run has kept it."""
        self.taken.append(one)
        self._costs.note(one)
        found = one.estimates() if self._enough(one) else {}
        self._note_losses(one)
        if found:
            self.estimates.append(found)

    def _enough(self, one: TakenSet) -> bool:
        """Return whether a set has rounds enough to count; the first one counts whatever it has."""
        return not self.estimates or len(one.baseline) >= min(self.rounds, FEWEST_ROUNDS)

    def _note_losses(self, one: TakenSet) -> None:
        # What the end of the time cut off is no fault of the row; its earlier sets stand.
        self.lost |= {name: why for name, why in one.lost.items() if not isinstance(why, OutOfTimeError)}
        self.lost |= {
            name: why
            for name, why in one.lost.items()
            if isinstance(why, OutOfTimeError) and not any(name in found for found in self.estimates)
        }
        if one.broken is not None and not isinstance(one.broken, OutOfTimeError):
            self.broken.append(one.broken)
        self.interrupted = self.interrupted or one.interrupted

    def _look(self) -> None:
        """Look at the sets so far; at the last look of all, whatever of alpha is left is spent."""
        if not self.estimates:
            return
        ends = not self._allows_another()
        planned = len(self.estimates) + (0 if ends else self._groups * max(1, self.sets_left()))
        self._looked = len(self.estimates)
        self.judgement = look(
            self._sets(), Plan(sets=planned, time_is_up=ends), before=self.judgement, config=self._judge
        )
        self._final = ends or not self.judgement.open_rows
        self.told(self)

    @property
    def _judge(self) -> JudgeConfig:
        """The judge's config; rows in several groups have as many sets each when there are so many times as many."""
        config = self.gate.judge
        return dataclasses.replace(config, first_look=config.first_look * self._groups)

    def _sets(self) -> Sets:
        return Sets.of(self.rows(), self.estimates, shared=self.shared)


@dataclass(slots=True, kw_only=True)
class _Costs:
    """What processes take to start, and batches, as seen so far; before that, as the baseline does."""

    speed: Speed
    starts: dict[str, float] = field(default_factory=dict)
    batches: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def note(self, one: TakenSet) -> None:
        """Take over what a set took."""
        self.starts |= one.starts
        for name, seconds in one.seconds.items():
            self.batches[name].extend(seconds)
        self.batches[BASELINE].extend(itertools.chain(*one.baseline))

    def cost(self, names: tuple[str, ...]) -> Cost:
        """Return what a set of these rows takes."""
        rows = [BASELINE, BASELINE, *names]
        return Cost(
            start_seconds=sum(self._start(name) for name in rows[1:]),
            round_seconds=sum(self.speed.lead_in + self.speed.batches * self._batch(name) for name in rows),
        )

    def _start(self, name: str) -> float:
        return max(self.starts.get(name, self.speed.start), 1e-6)

    def _batch(self, name: str) -> float:
        if self.batches.get(name):
            return median(self.batches[name])
        return max(self.speed.batch, 1e-9) * (1.0 if name == BASELINE else SLOWER)


def row_verdicts(measured: Measurement) -> dict[str, Verdict]:
    """Return the record of what the judge says of each row that was in a set of `measured`."""
    if measured.judgement is None:
        return {}
    rows = {row.name: row for row in measured.rows()}
    seconds = measured.set_seconds(tuple(measured.starts))
    return {
        found.name: verdict_of(
            found,
            rows[found.name],
            pairs=sum(len(sample.variant_seconds) for sample in measured.samples(found.name)),
            set_seconds=seconds,
            family=sum(row.floor is not None or row.role == "same" for row in rows.values()),
            config=measured.gate.judge,
        )
        for found in measured.judgement.rows
        if found.ratio is not None
    }


def controls_of(measured: Measurement, verdicts: Mapping[str, Verdict], planted: Sequence[float]) -> Controls:
    """Return the record of the controls that were `measured`, by the `verdicts` on them.

    `planted` are the shares of work that were planted, as measured.
    """

    def control(name: str, share: float = 0.0) -> Control | None:
        verdict = verdicts.get(name)
        if verdict is None:
            return None
        return Control(samples=measured.samples(name), verdict=verdict, planted=share)

    share = sum(planted) / len(planted) if planted else 0.0
    return Controls(same=control(SAME), planted=control(PLANTED, share))
