"""Runs of the whole table: thirteen rows and two controls, of which none or one is slower.

Every run is made of batches with known slowdowns and known noise. They go through the functions that judge real runs:
`nqperf.statistics.location` makes a set's estimates, `nqperf.statistics.judge` looks after every set, until all rows
are decided or the sets are used up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nqperf.statistics.judge import look
from nqperf.statistics.location import set_estimates
from nqperf.statistics.noise import Noise, measure
from nqperf.statistics.planning import Cost, rounds_per_set
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import REFERENCE, JudgeConfig, Plan

MODELS = {
    "batches 1 %": Noise(batch=0.01, process=0.003),
    "batches 3 %": Noise(batch=0.03, process=0.003),
    "batches 8 %": Noise(batch=0.08, process=0.003),
    "batches 15 %": Noise(batch=0.15, process=0.003),
    "processes 0.3 %": Noise(batch=0.02, process=0.003),
    "processes 1 %": Noise(batch=0.02, process=0.01),
    "processes 2 %": Noise(batch=0.02, process=0.02),
    "processes 4 %": Noise(batch=0.02, process=0.04),
    "AR(1) 0.5": Noise(batch=0.03, process=0.01, autocorrelation=0.5),
    "AR(1) 0.9": Noise(batch=0.03, process=0.01, autocorrelation=0.9),
    "drift 10 %": Noise(batch=0.02, process=0.01, drift=0.10),
    "bursts": Noise(batch=0.02, process=0.01, burst=0.05),
    "coarse clock": Noise(batch=0.01, process=0.005, tick=0.02),
    "order 1.2 %": Noise(batch=0.02, process=0.01, order=0.012),
    "turbo x1.12": Noise(batch=0.02, process=0.003, turbo=0.12),
    "uneven rows": Noise(batch=0.02, process=0.015, uneven=0.4),
    "huge pages": Noise(batch=0.016, process=0.0099, order=0.005),
    "zen5": Noise(batch=0.029, process=0.0205, order=0.012),
    "noisy CI": Noise(batch=0.08, process=0.02, order=0.012, autocorrelation=0.5, burst=0.05),
}
# Seconds as on two cores of Intel: eleven rows start in 44 s, a round of all takes 3 s.
COST = Cost(start_seconds=44, round_seconds=3)
VARIANTS = 13
_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many runs are simulated, how many sets a run has room for, and how many rows beside the controls it has."""

    runs: int = 2000
    sets: int = 8
    variants: int = VARIANTS


@dataclass(kw_only=True)
class Tally:
    """Counts over simulated runs: of runs, of rows without change, and of the row that is slower."""

    runs: int = 0
    red: int = 0
    rows: int = 0
    rows_passed: int = 0
    covered: int = 0
    known: int = 0
    slow_failed: int = 0
    slow_passed: int = 0
    slow_covered: int = 0
    control_faults: int = 0
    planted_found: int = 0
    planted_wrong: int = 0
    sets: int = 0


def rows_of(variants: int) -> tuple[Row, ...]:
    named = (Row(name=f"row {number}", floor=Floor(ratio=1.0)) for number in range(variants))
    return (*named, Row(name="same", role="same"), Row(name="planted", role="planted", planted=0.1))


def simulate(
    noise: Noise, slowdown: float, budget: Budget, generator: np.random.Generator, config: JudgeConfig = REFERENCE
) -> Tally:
    """Return the tally of runs in which the first row is slower by `slowdown`."""
    rounds = rounds_per_set(COST, noise.pair_variance, noise.process_variance)
    rows = rows_of(budget.variants)
    slowdowns = [slowdown, *[0.0] * budget.variants, 0.1]
    tally = Tally()
    for first in range(0, budget.runs, _AT_ONCE):
        count = min(_AT_ONCE, budget.runs - first)
        seconds = measure(noise, slowdowns, (count, budget.sets, rounds), generator)
        location, total, _ = set_estimates(seconds.baseline[:, :, None], seconds.rows)
        for one, other in zip(location, total, strict=True):
            _count(tally, Sets(rows=rows, location=one, total=other), slowdown, config)
    return tally


def _count(tally: Tally, sets: Sets, slowdown: float, config: JudgeConfig) -> None:
    judgement = None
    most = len(sets.location)
    for number in range(1, most + 1):
        plan = Plan(sets=most, time_is_up=number == most)
        judgement = look(sets.first(number), plan, before=judgement, config=config)
        if not judgement.open_rows:
            break
    assert judgement is not None
    slow, *unchanged = (row for row in judgement.rows if row.role == "row")
    if slowdown == 0:
        unchanged.append(slow)
    same, planted = judgement.row("same"), judgement.row("planted")
    tally.runs += 1
    tally.sets += number
    tally.red += any(row.outcome == "FAIL" for row in (*unchanged, same, planted))
    tally.control_faults += same.outcome == "FAIL"
    tally.planted_found += planted.outcome == "PASS"
    tally.planted_wrong += planted.outcome == "FAIL"
    tally.rows += len(unchanged)
    tally.rows_passed += sum(row.outcome == "PASS" for row in unchanged)
    tally.covered += sum(row.interval[0] <= 1 <= row.interval[1] for row in unchanged)
    tally.slow_failed += slow.outcome == "FAIL"
    tally.slow_passed += slow.outcome == "PASS"
    tally.slow_covered += slow.interval[0] <= 1 / (1 + slowdown) <= slow.interval[1]


def line(name: str, budget: Budget, seed: int) -> list[str]:
    """Return the cells of one model of noise."""
    noise = MODELS[name]
    generator = np.random.default_rng([seed, *name.encode()])
    same, two, five, ten = (simulate(noise, slowdown, budget, generator) for slowdown in (0.0, 0.02, 0.05, 0.10))
    return [
        name,
        f"{budget.runs:,}",
        str(rounds_per_set(COST, noise.pair_variance, noise.process_variance)),
        f"{same.red / same.runs:.2%}",
        f"{same.rows_passed / same.rows:.1%}",
        f"{two.slow_failed / two.runs:.1%}",
        *(
            f"{one.slow_failed / one.runs:.1%} / {one.slow_passed / one.runs:.1%} / "
            f"{1 - (one.slow_failed + one.slow_passed) / one.runs:.1%}"
            for one in (five, ten)
        ),
        f"{same.covered / same.rows:.2%}, {five.slow_covered / five.runs:.1%}",
        f"{same.sets / same.runs:.1f}, {five.sets / five.runs:.1f}",
        f"{same.planted_found / same.runs:.1%}",
    ]


HEADINGS = [
    "noise",
    "runs",
    "rounds a set",
    "runs of unchanged code that are red",
    "rows without change: PASS",
    "2 % slower: FAIL",
    "5 % slower: FAIL / PASS / INCONCLUSIVE",
    "10 % slower: FAIL / PASS / INCONCLUSIVE",
    "interval of 99 % holds (no change, 5 %)",
    "sets (no change, 5 %)",
    "planted work found",
]
