"""What the search asks of the machine, done in sets of fresh processes: a few rounds, or a proof."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nqperf.errors import OutOfTimeError, ParityError
from nqperf.perf.measuring.looks import Measurement, row_verdicts
from nqperf.perf.measuring.sets import Conduct, Process, take_set
from nqperf.perf.suite.conduct import SuiteConduct
from nqperf.perf.suite.parity import LIMITS, SPAN_AGREEMENT, Answers, Task, agreement, check_parity, score_predictions
from nqperf.perf.suite.processes import VariantProcess
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.variant_run import VariantRun
from nqperf.perf.variants.variant import Tolerance
from nqperf.records.results import BASELINE, SAME, Pairs
from nqperf.records.verdict import GateConfig
from nqperf.statistics.planning import FEWEST_ROUNDS
from nqperf.statistics.sets import Row
from nqperf.tuning.candidates import Candidate
from nqperf.tuning.race import Interval
from nqperf.tuning.search import Hopeless, Proof, Visit

# Rounds of a visit: enough for an interval that tells who is plainly behind.
VISIT_ROUNDS = 10
# A proof promises nothing yet: it ends when its interval is narrow.
PROOF_GATE = GateConfig()
# So many rounds of a row that nothing is known of show that it is far behind.
_FIRST_ROUNDS = 3
# Answers of a few windows tell only gross faults: so many of the best spans must be the same.
_SAME_SPANS = 0.5
# A worker's start and its warm-up batches vary.
_SLACK = 1.3
# A search without a proof is worth nothing: it must end in time on a machine that other work slows down meanwhile.
_PROOF_SLACK = 2.0
# What the system takes of the CPU time of a process that keeps its memory.
_LEAST_SHARE = 0.03
# Fewer sets than this have no interval, and prove nothing.
_PROVING_SETS = 2


@dataclass(slots=True, kw_only=True)
class WorkerTryouts:
    """Visits and proofs within one `session`; `tolerance` is how exact answers must be.

    `relieves` tells whether there is a way to relieve a candidate of the system's share of its time; `gate` judges
    proofs.
    """

    session: Session
    tolerance: Tolerance
    relieves: Callable[[Candidate], bool]
    gate: GateConfig = PROOF_GATE
    _visits: int = 0
    _screen: tuple[Task, Answers] | None = None

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.session.budget.left()

    def visit_seconds(self, candidate: Candidate) -> float:
        """Return about how long a visit takes, were the `candidate` as fast as the baseline."""
        speed = self.session.speed
        own = candidate.batch_size / self.session.batch_size
        rounds = VISIT_ROUNDS * (2 + own) * speed.turn
        return _SLACK * (2 * speed.start + rounds + speed.batch * (VISIT_ROUNDS + 3 * own))

    def prove_seconds(self, candidate: Candidate, speedup: float) -> float:
        """Return about how long a proof of the `candidate` takes if it has that `speedup`, a logarithm."""
        session, sets = self.session, self.gate.judge.first_look
        answers = len(session.task.features) / session.batch_size * session.speed.batch / math.exp(speedup)
        own = candidate.batch_size / session.batch_size / math.exp(speedup)
        round_seconds = session.speed.turn * (3 + own)
        return _PROOF_SLACK * (answers + sets * (3 * session.speed.start + FEWEST_ROUNDS * round_seconds))

    def visit(self, candidate: Candidate, hopeless: Hopeless | None) -> Visit:
        """Start the `candidate` and the baseline anew and take a few rounds.

        With `hopeless`, the first time: no more of them where the first ones leave no hope, else look at some answers.

        Raises: NqPerfError when it cannot run, has no effect, is plainly wrong or far too slow; OutOfTimeError when the
        time is up.
        """
        session, name = self.session, candidate.name
        self._visits += 1
        run = VariantRun(variant=candidate.variant)
        visiting = _Visiting(session=session, run=run, hopeless=hopeless, check=self._check_some)
        one = take_set(
            session.starter(session.baseline),
            {name: session.starter(candidate.variant)},
            seed=self._visits,
            rounds=VISIT_ROUNDS,
            conduct=visiting,
        )
        for fault in (one.interrupted, one.broken, one.lost.get(name)):
            if fault is not None:
                raise fault
        seconds = one.seconds.get(name, ())
        if len(seconds) < _FIRST_ROUNDS:
            raise OutOfTimeError(f"not judged: out of time after {len(seconds)} rounds")
        share = run.usage.system_share if run.usage and self.relieves(candidate) else 0.0
        relief = -math.log1p(-share) if _LEAST_SHARE < share < 1 else 0.0
        ends = tuple(math.sqrt(first * last) for first, last in one.baseline[: len(seconds)])
        return Visit(pairs=Pairs(baseline_seconds=ends, variant_seconds=seconds), relief=relief)

    def prove(self, candidate: Candidate) -> Proof:
        """Check all answers of the `candidate` in a fresh process, and take sets until the interval is narrow.

        Raises: NqPerfError when it fails, ParityError when its answers do not hold, OutOfTimeError when the time is up
        before there is an interval.
        """
        session, variant = self.session, candidate.variant
        run = session.runs[variant.name] = VariantRun(variant=variant)
        measured = Measurement(
            baseline=session.starter(session.baseline),
            starts={variant.name: session.starter(variant), SAME: session.starter(session.baseline, name=SAME)},
            rows=lambda: (Row(name=variant.name), Row(name=SAME, role="same")),
            gate=self.gate,
            # A winner that does not hold what it promised is not the last word.
            budget=session.budget.part(max(session.budget.left() / 2, self.prove_seconds(candidate, 0.0))),
            speed=session.speed,
            conduct=_Proving(session=session, variants={variant.name: variant}),
            seed=self._visits,
        )
        measured.run()
        for fault in (measured.interrupted, *measured.broken, measured.lost.get(variant.name), run.failure):
            if fault is not None:
                raise fault
        verdict = row_verdicts(measured).get(variant.name)
        if verdict is None or verdict.sets < _PROVING_SETS or verdict.interval is None or run.agreement is None:
            raise OutOfTimeError(f"not proven: out of time after {len(measured.estimates)} sets of processes")
        low, high = verdict.interval
        interval = Interval(math.log(low), math.log(verdict.ratio), math.log(high))
        return Proof(agreement=run.agreement, verdict=verdict, interval=interval)

    def _screened(self) -> tuple[Task, Answers]:
        """Return the first examples, and what the baseline answers to them."""
        if self._screen is None:
            windows = VISIT_ROUNDS * self.session.batch_size
            task = self.session.task.first(windows)
            whole = self.session.baseline_answers().logits
            self._screen = task, score_predictions(task, whole.rows(0, len(task.features)))
        return self._screen

    def _check_some(self, run: VariantRun, process: VariantProcess) -> None:
        """Raise unless a few answers hold, by what must hold for any of them.

        Raises: ParityError.
        """
        task, expected = self._screened()
        agreed = agreement(task, expected, self.session.answers(run, process, task))
        if LIMITS[self.tolerance].changed_predictions == 0:
            check_parity(agreed, self.tolerance)
            return
        spans = agreed.details[SPAN_AGREEMENT]
        if spans < _SAME_SPANS:
            raise ParityError(f"parity: {spans:.0%} of the best spans agree in the first {len(task.inputs)} examples")


@dataclass(slots=True, kw_only=True)
class _Visiting(Conduct):
    """A visit's conduct: the states at first, a look at hope after a few rounds, some answers at the end."""

    session: Session
    run: VariantRun
    hopeless: Hopeless | None
    check: Callable[[VariantRun, VariantProcess], None]
    speedups: list[float] = field(default_factory=list)
    beaten: bool = False

    def started(self, name: str, process: Process) -> None:
        """Look at what the candidate's switches did."""
        if name != BASELINE and isinstance(process, VariantProcess):
            self.run.warmed = process.warmed
            self.session.observe(self.run, process)

    def after_round(self, baseline: tuple[float, float], seconds: Mapping[str, float]) -> None:
        """Note the speed-up."""
        ends = sum(map(math.log, baseline)) / 2
        self.speedups += [ends - math.log(one) for one in seconds.values()]

    def goes_on(self, rounds: int) -> bool:
        """Return whether there is hope, after the first few rounds, and time."""
        if rounds == _FIRST_ROUNDS and self.hopeless is not None:
            self.beaten = self.hopeless(self.speedups)
        return not self.beaten and self.session.budget.left() > self.session.speed.turn

    def over(self, name: str, process: Process) -> None:
        """Look at some answers of a candidate that is visited for the first time and has hope."""
        asked = name != BASELINE and self.hopeless is not None and not self.beaten
        if asked and isinstance(process, VariantProcess):
            self.check(self.run, process)


@dataclass(slots=True, kw_only=True)
class _Proving(SuiteConduct):
    """A proof's conduct: no answers that surely do not hold are timed."""

    def started(self, name: str, process: Process) -> None:
        """Look at states and answers.

        Raises: NqPerfError as the suite's, and ParityError when the answers do not hold.
        """
        SuiteConduct.started(self, name, process)
        run = self.session.runs.get(name)
        if run is not None and name in self.variants and run.failure is not None:
            raise run.failure
