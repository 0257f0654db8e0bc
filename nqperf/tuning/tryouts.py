"""What the search asks of the machine, done in worker processes: a few pairs, or a proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nqperf.errors import NqPerfError, OutOfTimeError, ParityError
from nqperf.perf.measuring.rounds import NO_PAIRS, RoundsConfig
from nqperf.perf.suite.parity import LIMITS, SPAN_AGREEMENT, Answers, Task, agreement, check_parity, score_predictions
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.table import VARIANTS
from nqperf.perf.variants.variant import Tolerance
from nqperf.records.results import BASELINE, Agreement
from nqperf.records.verdict import GateConfig
from nqperf.tuning.candidates import Candidate
from nqperf.tuning.race import Interval
from nqperf.tuning.search import Hopeless, Proof, Visit

# Enough pairs for an interval at the gate's alpha, and for two batches of each order.
VISIT_GATE = GateConfig(looks=(10,))
# A proof promises nothing yet: it ends when its interval is narrow, and on a slow machine with few pairs.
PROOF_GATE = GateConfig(looks=(10, 20, 40, 80, 160, 320))
# Whoever needs so many times the baseline's seconds for its pairs is not the fastest.
_PATIENCE = 4.0
# So many pairs of a row that nothing is known of show that it is far behind.
_FIRST_PAIRS = 3
# Answers of a few windows tell only gross faults: so many of the best spans must be the same.
_SAME_SPANS = 0.5
# Of all predictions so many may be others; the rows' own tolerances bound spans and micro-F1.
_CHANGED: Mapping[Tolerance, float] = {"exact": 0.0, "sixteen_bit": 0.005, "eight_bit": 0.01}
# A worker's start and its warm-up batches vary.
_SLACK = 1.3
# A search without a proof is worth nothing: it must end in time on a machine that other work slows down meanwhile.
_PROOF_SLACK = 2.0
# What the system takes of the CPU time of a process that keeps its memory.
_LEAST_SHARE = 0.03


@dataclass(slots=True, kw_only=True)
class WorkerTryouts:
    """Visits and proofs within one session; `tolerance` is how exact answers must be."""

    session: Session
    tolerance: Tolerance
    relieves: Callable[[Candidate], bool]
    gate: GateConfig = PROOF_GATE
    _screen: tuple[Task, Answers] | None = None

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.session.budget.left()

    def visit_seconds(self, candidate: Candidate) -> float:
        """Return about how long a visit takes, were the candidate as fast as the baseline."""
        speed, batches = self.session.speed, candidate.batch_size / self.session.batch_size
        pairs = VISIT_GATE.last_look
        return _SLACK * (speed.start + speed.batch * (pairs * (1 + batches) + pairs + 3 * batches))

    def prove_seconds(self, candidate: Candidate, speedup: float) -> float:
        """Return about how long a proof takes until the gate's first look at what has that speed-up, a logarithm."""
        session = self.session
        answers = len(session.task.features) / session.batch_size * session.speed.batch / math.exp(speedup)
        return _PROOF_SLACK * (2 * session.speed.start + answers + self.gate.looks[0] * self._pair(candidate, speedup))

    def _pair(self, candidate: Candidate, speedup: float) -> float:
        """Return about how long a pair takes."""
        own = candidate.batch_size / self.session.batch_size / math.exp(speedup)
        return self.session.speed.batch * (1 + own)

    def visit(self, candidate: Candidate, hopeless: Hopeless | None) -> Visit:
        """Start a candidate anew and take a few pairs with the baseline.

        With `hopeless`, the first time: no more of them where the first ones leave no hope, else look at some answers.

        Raises: NqPerfError when it cannot run, has no effect, is plainly wrong or far too slow.
        """
        session, run = self.session, VariantRun(variant=candidate.variant)
        size = max(1.0, candidate.batch_size / session.batch_size)
        seconds = _PATIENCE * VISIT_GATE.last_look * session.speed.batch * (1 + size)
        taken = NO_PAIRS
        with session.ready(run) as worker:
            if hopeless:
                taken = session.few_pairs(worker, _FIRST_PAIRS)
                if hopeless(Visit(pairs=taken).speedups):
                    return Visit(pairs=taken)
                task, expected = self._screened()
                self._check_some(task, expected, session.answers(worker, task, run))
            config = RoundsConfig(gate=VISIT_GATE, seconds=seconds)
            try:
                measured = session.rounds(session.live_baseline(), worker, None, candidate.name, config, taken=taken)
            except OutOfTimeError as error:
                if session.budget.left() <= 0:
                    raise
                raise NqPerfError(f"far too slow: {error}") from error
        share = run.usage.system_share if run.usage and self.relieves(candidate) else 0.0
        relief = -math.log1p(-share) if _LEAST_SHARE < share < 1 else 0.0
        return Visit(pairs=measured.pairs, relief=relief)

    def prove(self, candidate: Candidate) -> Proof:
        """Check all answers in a fresh process, and take pairs with a fresh baseline until the gate can tell.

        Raises: NqPerfError when it fails, ParityError when its answers do not hold.
        """
        session, run = self.session, VariantRun(variant=candidate.variant)
        expected = session.baseline_answers()
        session.end_baseline()  # it would take part of the cores' caches, and the fresh one is its equal
        with (
            session.ready(VariantRun(variant=VARIANTS[BASELINE]), name="fresh baseline") as baseline,
            session.ready(run, name=f"{candidate.name} (proof)") as worker,
        ):
            session.progress("answers", candidate.name, 0)
            agreed = agreement(session.task, expected, session.answers(worker, session.task, run))
            check_parity(agreed, self.tolerance)
            _check_changed(agreed, self.tolerance)
            config = RoundsConfig(gate=self.gate, seconds=self._pairs_seconds(candidate))
            measured = session.rounds(baseline, worker, None, f"{candidate.name} (proof)", config)
        verdict = measured.verdict
        assert verdict.interval is not None, "the first look has enough pairs"  # noqa: S101
        low, high = verdict.interval
        interval = Interval(math.log(low), math.log(verdict.ratio), math.log(high))
        return Proof(agreement=agreed, verdict=verdict, interval=interval)

    def _pairs_seconds(self, candidate: Candidate) -> float:
        """Return how long the pairs of a proof may take that has come so far.

        It is half of what is left, so that a winner that does not hold what it promised is not the last word; but to
        the first look if that takes longer, and never to the last second, in which the round that is taken would be cut
        off, and all of them lost.
        """
        left, pair = self.session.budget.left(), _PROOF_SLACK * self._pair(candidate, 0.0)
        return min(max(left / 2, self.gate.looks[0] * pair), left - pair)

    def _screened(self) -> tuple[Task, Answers]:
        """Return the first examples, and what the baseline answers to them."""
        if self._screen is None:
            windows = VISIT_GATE.last_look * self.session.batch_size
            task = self.session.task.first(windows)
            whole = self.session.baseline_answers().logits
            self._screen = task, score_predictions(task, whole.rows(0, len(task.features)))
        return self._screen

    def _check_some(self, task: Task, expected: Answers, found: Answers) -> None:
        """Raise unless a few answers hold, by what must hold for any of them.

        Raises: ParityError.
        """
        if LIMITS[self.tolerance].changed_predictions == 0:
            check_parity(agreement(task, expected, found), self.tolerance)
            return
        spans = agreement(task, expected, found).details[SPAN_AGREEMENT]
        if spans < _SAME_SPANS:
            raise ParityError(f"parity: {spans:.0%} of the best spans agree in the first {len(task.inputs)} examples")


def _check_changed(agreed: Agreement, tolerance: Tolerance) -> None:
    """Raise ParityError unless few enough predictions changed."""
    allowed = int(_CHANGED[tolerance] * agreed.compared)
    if agreed.changed > allowed:
        raise ParityError(
            f"parity: {agreed.changed} of {agreed.compared} predictions changed; expected up to {allowed}"
        )
