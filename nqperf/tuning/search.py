"""The search: steps of the race taken one after the other, as long as the time allows the leader's proof after them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nqperf.errors import NqPerfError, OutOfTimeError, ParityError
from nqperf.records.results import Agreement, Pairs, Verdict
from nqperf.tuning.candidates import Candidate
from nqperf.tuning.race import (
    Contender,
    Interval,
    RaceConfig,
    Step,
    baseline_contender,
    hopeless,
    next_step,
    proof_step,
    standings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What one set of fresh processes showed: times of equally many windows, and what could be gained at the most.

    `pairs` are the times of the baseline and of the candidate, in seconds. Units: `relief` is the logarithm of the
    speed-up if the system took none of the CPU time.
    """

    pairs: Pairs
    relief: float = 0.0

    @property
    def speedups(self) -> tuple[float, ...]:
        """The logarithms of the speed-ups over the baseline."""
        times = zip(self.pairs.baseline_seconds, self.pairs.variant_seconds, strict=True)
        return tuple(math.log(baseline / variant) for baseline, variant in times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the gate found in fresh processes, after all answers were checked there.

    `agreement` is that of the answers with the baseline's, `verdict` the gate's, and `interval` the same as logarithms.
    """

    agreement: Agreement
    verdict: Verdict
    interval: Interval


# Told the speed-ups of the first pairs, whether a contender is out of the running.
Hopeless = Callable[[Sequence[float]], bool]


class Tryouts(Protocol):
    """The machine, as the search sees it; units: seconds."""

    def visit(self, candidate: Candidate, hopeless: Hopeless | None) -> Visit:
        """Start a `candidate` anew and take a few pairs.

        With `hopeless`, the first time: no more of them where the first ones leave no hope, else look at some answers.

        Raises: NqPerfError when it cannot run, has no effect, or is plainly wrong.
        """

    def prove(self, candidate: Candidate) -> Proof:
        """Check all answers of the `candidate`, and take pairs in fresh processes until the gate can tell.

        Raises: NqPerfError when it fails, ParityError when its answers do not hold.
        """

    def left(self) -> float:
        """Return the seconds that are left."""

    def visit_seconds(self, candidate: Candidate) -> float:
        """Return about how long a visit of the `candidate` takes."""

    def prove_seconds(self, candidate: Candidate, speedup: float) -> float:
        """Return about how long a proof of the `candidate` takes if it has that `speedup`, a logarithm."""


class Field(Protocol):
    """The ways next to a candidate."""

    def relieved(self, one: Candidate) -> Candidate | None:
        """Return `one` without what the system takes of its time; None where there is no such way."""

    def neighbours(self, one: Candidate) -> Iterable[Candidate]:
        """Yield the ways next to `one`."""


Told = Callable[[Contender, Visit | Proof | NqPerfError, float], None]


@dataclass(slots=True, kw_only=True)
class Search:
    """One search; all that is found is whole after each step, so that it can be broken off anywhere.

    `space` has the ways next to a candidate, `tryouts` measures, and `baseline` is what all are held to; `config` says
    who races how long. `told` is called after each visit and proof with the contender, what was found, and the seconds
    that it took. `contenders` are all, the baseline first; `proofs` and `candidates` are theirs, by name. `out_of_time`
    tells that the time was up.
    """

    space: Field
    tryouts: Tryouts
    baseline: Candidate
    config: RaceConfig = field(default_factory=RaceConfig)
    told: Told = lambda _contender, _found, _seconds: None
    contenders: list[Contender] = field(default_factory=lambda: [baseline_contender()])
    proofs: dict[str, Proof] = field(default_factory=dict)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    out_of_time: bool = False

    def __post_init__(self) -> None:
        self.candidates[self.contenders[0].name] = self.baseline

    def run(self, rows: Sequence[Candidate]) -> None:
        """Search among `rows` and the ways next to them until nothing is left to do or the time is up."""
        for row in rows:
            self._enter(row)
        while not self.out_of_time and (step := self._affordable(next_step(self.contenders, self.config))):
            self._take(step)

    @property
    def leader(self) -> Contender:
        """The best so far, the baseline where nothing is surely faster."""
        return standings(self.contenders, self.config).leader

    def _affordable(self, step: Step | None) -> Step | None:
        """Return the step if the leader can still be proven after it, else that proof, else None."""
        if step is None or step.kind == "prove":
            return step
        leader = self.leader
        proof = 0.0
        if leader.proof is None:
            speedup = leader.interval(self.config).low
            proof = self.tryouts.prove_seconds(self.candidates[leader.name], speedup)
        needed = self.tryouts.visit_seconds(self.candidates[step.contender.name]) + proof
        return step if self.tryouts.left() >= needed else proof_step(self.contenders, self.config)

    def _take(self, step: Step) -> None:
        one = step.contender
        candidate = self.candidates[one.name]
        if step.kind == "relieve":
            one.relieved = True
            relieved = self.space.relieved(candidate)
            self._enter(*(() if relieved is None else (relieved,)))
        elif step.kind == "expand":
            one.expanded = True
            self._enter(*self.space.neighbours(candidate))
        else:
            self._try(one, candidate, proof=step.kind == "prove")

    def _try(self, one: Contender, candidate: Candidate, *, proof: bool) -> None:
        started = time.monotonic()
        found: Visit | Proof | NqPerfError
        try:
            if proof:
                found = self.proofs[one.name] = self.tryouts.prove(candidate)
                one.proof = found.interval
            else:
                found = self.tryouts.visit(candidate, None if one.sets else self._hopeless)
                one.sets.append(found.speedups)
                one.relief = found.relief
        except NqPerfError as error:
            found = error
            self._fail(one, error, proof=proof)
        seconds = time.monotonic() - started
        one.seconds += seconds
        self.told(one, found, seconds)

    def _hopeless(self, speedups: Sequence[float]) -> bool:
        return hopeless(speedups, standings(self.contenders, self.config).best_low, self.config)

    def _fail(self, one: Contender, error: NqPerfError, *, proof: bool) -> None:
        """Note a failure, which the end of the time is not; wrong answers are those of all that run the same way."""
        if isinstance(error, OutOfTimeError):
            self.out_of_time = True
            return
        wrong = proof and isinstance(error, ParityError)
        for other in self.contenders if wrong else [one]:
            if other.family == one.family and other.failure is None:
                other.failure = str(error) if other is one else f"runs as {one.name}, whose answers do not hold"

    def _enter(self, *candidates: Candidate) -> None:
        """Let candidates race that do what nobody does yet."""
        known = {one.key for one in self.candidates.values()}
        for candidate in candidates:
            if candidate.key not in known and candidate.name not in self.candidates:
                known.add(candidate.key)
                self.candidates[candidate.name] = candidate
                self.contenders.append(Contender(name=candidate.name, family=candidate.row))
