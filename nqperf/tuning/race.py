"""The race: what is known of each contender's speed, and which step is worth the next seconds; pure, no clock.

Nobody is thrown out for being slow: who is surely slower than the best is only left alone, and stands again when the
best turns out to be worse than it seemed. Only what cannot be right or cannot run is out for good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from nqperf.records.results import BASELINE
from nqperf.statistics import signed_rank

StepKind = Literal["visit", "relieve", "expand", "prove"]


class Interval(NamedTuple):
    """A log speed-up over the baseline per window: its estimate, and what it lies between.

    `middle` is the estimate, `low` and `high` are the ends.
    """

    low: float
    middle: float
    high: float


_UNKNOWN = Interval(-math.inf, -math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceConfig:
    """When a contender is surely slower, and how often one is visited at the most.

    An interval leaves out the true speed-up with probability `alpha` a side. Fresh processes of one program differ by a
    constant, so that only what is slower by more than `margin` is surely so. Who is slower by more than `plainly` in
    each of the first pairs is not looked at any longer: it is more than its processes, or malloc, could bring. After
    `most_sets` sets of fresh processes it is not visited again.
    """

    alpha: float = 0.0033
    margin: float = math.log(1.02)
    plainly: float = math.log(1.25)
    most_sets: int = 3


@dataclass(slots=True, kw_only=True)
class Contender:
    """What was found of one way to run the weights; units: logarithms of speed-ups per window, seconds.

    `name` is its own, `family` the row of the table that it comes from: those of one family give the same answers.
    `sets` holds the pairs of each set of fresh processes. `relief` is what a process could gain at the most if the
    system took none of its time; 0 where nothing is known to relieve it. `relieved` tells that it was relieved already,
    `expanded` that the ways next to it race too. `proof` is the gate's verdict in fresh processes, after all answers
    were checked. A `failure` is for good. `seconds` is the time that it has taken.
    """

    name: str
    family: str
    sets: list[tuple[float, ...]] = field(default_factory=list)
    relief: float = 0.0
    relieved: bool = False
    expanded: bool = False
    proof: Interval | None = None
    failure: str | None = None
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether it is a row of the table with a change, such as another batch."""
        return self.name != self.family

    @property
    def pairs(self) -> int:
        """The number of pairs outside of a proof."""
        return sum(map(len, self.sets))

    def interval(self, config: RaceConfig) -> Interval:
        """Return where its speed-up lies: as proven, else by the pairs of all sets together, as sure as `config` says.

        Of pairs too few to say, it is only known that it is not much faster than in the best of them.
        """
        if self.proof is not None:
            return self.proof
        speedups = np.array([one for pairs in self.sets for one in pairs])
        if not len(speedups):
            return _UNKNOWN
        bounds = signed_rank.interval(speedups, config.alpha)
        low, high = bounds or (-math.inf, float(speedups.max()) + config.plainly)
        return Interval(low, float(np.median(speedups)), high)

    def offset(self) -> float:
        """Return the standard deviation of the medians of its sets, the proof's too; 0 of a single one."""
        medians = [float(np.median(pairs)) for pairs in self.sets]
        medians += [] if self.proof is None else [self.proof.middle]
        return float(np.std(medians, ddof=1)) if len(medians) > 1 else 0.0


def baseline_contender() -> Contender:
    """Return the baseline, whose speed-up over itself is known."""
    return Contender(name=BASELINE, family=BASELINE, proof=Interval(0.0, 0.0, 0.0))


class Step(NamedTuple):
    """What to do next, `kind`, and with whom, `contender`."""

    kind: StepKind
    contender: Contender


class Standings(NamedTuple):
    """The contenders that may still be the best, and the one that leads; the baseline where none is surely faster.

    `able` has the interval of each that has not failed, by name; `standing` are those of them that are not surely
    slower than the best, and `leader` is the one to prove next, or proven. `best_low` is the highest lower end of an
    interval.
    """

    able: Mapping[str, Interval]
    standing: tuple[Contender, ...]
    leader: Contender
    best_low: float


def standings(contenders: Sequence[Contender], config: RaceConfig) -> Standings:
    """Return how things stand among `contenders`, whose first is the baseline; `config` says what is surely slower."""
    baseline = contenders[0]
    able = {one.name: one.interval(config) for one in contenders if one.failure is None}
    best_low = max(interval.low for interval in able.values())
    standing = tuple(one for one in contenders if one.name in able and able[one.name].high + config.margin >= best_low)
    faster = [one for one in contenders[1:] if one.name in able and able[one.name].low > 0]
    proven = max((one for one in faster if one.proof), key=lambda one: able[one.name].middle, default=None)
    # A guess beats what is proven only when it is surely better: else the time for its proof buys nothing.
    rest = [one for one in faster if not one.proof and (not proven or able[one.name].low > able[proven.name].high)]
    # A change has to bring more than its process may: the plainer way of two equal ones is found again the next time.
    leader = max(rest, key=lambda one: able[one.name].middle - (config.margin if one.changed else 0.0), default=proven)
    leader = leader or baseline
    return Standings(able=able, standing=standing, leader=leader, best_low=best_low)


def hopeless(speedups: Sequence[float], best_low: float, config: RaceConfig) -> bool:
    """Return whether the first pairs of a contender leave no hope that it is the best.

    `speedups` are their logarithms, one or more; `best_low` is the highest lower end of an interval so far, and
    `config` says how far below it there is no hope.
    """
    return max(speedups) + config.plainly + config.margin < best_low


def next_step(contenders: Sequence[Contender], config: RaceConfig) -> Step | None:
    """Return the step that is worth most, or None when nothing is left to do.

    Everybody is seen once, then those that a known cause holds back are relieved of it. The close ones are seen again
    until one leads or they were seen often enough; the neighbours of the leader are tried, and it is proven.
    `contenders` are all, the baseline first; `config` says when one is surely slower, and seen often enough.
    """
    for one in contenders[1:]:
        if not one.sets and one.failure is None:
            return Step("visit", one)
    found = standings(contenders, config)
    for one in contenders:
        hopeful = one.name in found.able and found.able[one.name].high + one.relief > found.best_low
        if one.relief and not one.relieved and hopeful:
            return Step("relieve", one)
    close = [one for one in found.standing if one.proof is None and len(one.sets) < config.most_sets]
    if close and len(found.standing) > 1 and (found.leader.proof is None or found.leader.name == BASELINE):
        return Step("visit", min(close, key=lambda one: (len(one.sets), -found.able[one.name].middle)))
    if not found.leader.expanded:
        return Step("expand", found.leader)
    return proof_step(contenders, config)


def proof_step(contenders: Sequence[Contender], config: RaceConfig) -> Step | None:
    """Return the proof of the leader among `contenders`, None where it has one; `config` says who leads."""
    leader = standings(contenders, config).leader
    return None if leader.proof is not None else Step("prove", leader)


def place(one: Contender, contenders: Sequence[Contender], config: RaceConfig) -> str:
    """Return in words what became of `one` of the `contenders`, and why; `config` says what is surely slower."""
    found = standings(contenders, config)
    if one.failure is not None:
        return one.failure
    if one is found.leader:
        return "the winner, proven" if one.proof else "leads, not proven"
    if not one.sets:
        return "not tried: out of time"
    mine, leader = found.able[one.name], found.able[found.leader.name]
    if one.proof:
        how = "proven, behind"
    elif mine.high + config.margin >= leader.low:
        how = "not surely faster than"
    else:
        how = "surely slower than" if mine.low > -math.inf else f"in all of {one.pairs} pairs plainly slower than"
    return f"{how} {found.leader.name}"
