"""A made-up machine: ways to run with speed-ups, noise and faults that are scripted, on a clock that a test reads."""

import math
from dataclasses import dataclass, field

from nqperf.errors import OutOfTimeError, ParityError
from nqperf.perf.variants.variant import Variant
from nqperf.records.results import Agreement, Pairs, Verdict
from nqperf.tuning.candidates import Candidate
from nqperf.tuning.race import Interval
from nqperf.tuning.search import Proof, Search, Visit

PAIRS, FEW = 10, 3


@dataclass(kw_only=True)
class Way:
    """One way to run: its true speed-up, what it shows on each visit (None: the truth), and its faults."""

    speedup: float
    shows: dict[int, float] = field(default_factory=dict)
    wrong: str | None = None
    relief: float = 0.0
    neighbours: tuple[str, ...] = ()
    relieved: str | None = None


def candidate(name, row=None):
    # Any switch that takes plain words: what tells one way from another here is its value.
    environment = {"KERAS_BACKEND": name.replace(" ", "_")}
    variant = Variant(name=name, description="", environment=environment, effects=(), batch_size=4)
    return Candidate(row=row or name, variant=variant)


@dataclass(kw_only=True)
class Machine:
    """Tryouts of scripted ways; `noise(name, visit, pair)` is added to each log speed-up."""

    ways: dict[str, Way]
    noise: object = lambda _name, _visit, _pair: 0.0
    seconds: float = math.inf
    visit_cost: float = 10.0
    proof_cost: float = 60.0
    now: float = 0.0
    starts: dict[str, int] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)

    def left(self):
        return self.seconds - self.now

    def visit_seconds(self, _candidate):
        return self.visit_cost

    def prove_seconds(self, _candidate, _speedup):
        return self.proof_cost

    def _started(self, name, kind, cost):
        self.now += cost
        if self.now > self.seconds:
            raise OutOfTimeError("not judged: out of time")
        self.done.append((kind, name))
        visit = self.starts[name] = self.starts.get(name, 0) + 1
        way = self.ways[name]
        middle = math.log(way.shows.get(visit, way.speedup))
        return way, [middle + self.noise(name, visit, pair) for pair in range(PAIRS)]

    def visit(self, one, hopeless):
        way, speedups = self._started(one.name, "visit", self.visit_cost)
        if hopeless and hopeless(speedups[:FEW]):
            speedups = speedups[:FEW]
        elif way.wrong == "at once" and hopeless:
            raise ParityError("parity: the first answers are others")
        pairs = Pairs(baseline_seconds=tuple(map(math.exp, speedups)), variant_seconds=(1.0,) * len(speedups))
        return Visit(pairs=pairs, relief=way.relief)

    def prove(self, one):
        way, speedups = self._started(one.name, "prove", self.proof_cost)
        if way.wrong:
            raise ParityError("parity: 3 of 200 predictions changed, expected at most 0")
        low, middle, high = min(speedups), sorted(speedups)[PAIRS // 2], max(speedups)
        verdict = Verdict(
            outcome="REPORTED",
            pairs=PAIRS,
            floor=None,
            ratio=math.exp(middle),
            interval=(math.exp(low), math.exp(high)),
            confidence=0.99,
        )
        agreed = Agreement(metric="all-answer-f1", value=1.0, baseline_value=1.0, compared=200, changed=0)
        return Proof(agreement=agreed, verdict=verdict, interval=Interval(low, middle, high))

    # The space, too: the ways next to one are scripted with it.
    def relieved(self, one):
        name = self.ways[one.name].relieved if one.name in self.ways else None
        return None if name is None else candidate(name, one.row)

    def neighbours(self, one):
        names = self.ways[one.name].neighbours if one.name in self.ways else ()
        return [candidate(name, one.row) for name in names]


def searched(machine, rows=None):
    """Search among the rows (all ways when None); return the search."""
    search = Search(space=machine, tryouts=machine, baseline=candidate("baseline"))
    search.run([candidate(name) for name in rows or machine.ways])
    return search
