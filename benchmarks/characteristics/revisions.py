"""Two revisions in one session: rows of the base beside the same rows of the change, each in processes of its own."""

from __future__ import annotations

import dataclasses

import numpy as np

from nqperf.perf.revisions.config import NOISY_MARGIN, USUAL_MARGIN
from nqperf.perf.revisions.judging import MEASURES
from nqperf.statistics.location import set_estimates
from nqperf.statistics.noise import Noise, measure
from nqperf.statistics.planning import expected_sets
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.two_margins import TwoMargins, VerdictByMargin
from nqperf.statistics.verdicts import REFERENCE, Plan

# The SDs of a set as measured on two cores of Intel: two processes a side, 12 rounds.
MODELS = {
    "duet, huge pages 0.55 %": Noise(batch=0.008, process=0.005),
    "turns, huge pages 0.9 %": Noise(batch=0.016, process=0.007),
    "busy, turns, huge pages 1.7 %": Noise(batch=0.03, process=0.013, burst=0.02),
    "duet, plain pages 3.3 %": Noise(batch=0.02, process=0.0325),
    "turns, plain pages 3.7 %": Noise(batch=0.02, process=0.0365),
}
ROWS = 6  # read, prepare, answer, evaluate, the model, the whole route
ROUNDS = 12
SLOWDOWNS = (0.0, 0.02, 0.05)
HEADINGS = [
    "noise (SD of a set)",
    "runs of unchanged code that are red",
    "rows without change: PASS (by 2 %)",
    *(f"{slowdown:.0%} slower: FAIL / PASS / INCONCLUSIVE" for slowdown in SLOWDOWNS[1:]),
    "interval of 99 % holds (no change, 5 %)",
    "sets (no change, 2 %, 5 %)",
]


@dataclasses.dataclass(kw_only=True)
class Counted:
    """Counts over runs: red ones, outcomes of the first row, passes of all, intervals that hold, sets.

    `all_passed` are passes of all rows, `narrowly` those of them that passed by the smaller margin.
    """

    red: int = 0
    failed: int = 0
    passed: int = 0
    all_passed: int = 0
    narrowly: int = 0
    covered: int = 0
    sets: int = 0


def line(name: str, runs: int, sets: int, seed: int, rows: int = ROWS) -> list[str]:
    """Return the cells of one model of noise, in runs of so many `rows`."""
    generator = np.random.default_rng([seed, *name.encode()])
    noise = MODELS[name]
    same, two, five = (_simulate(noise, slowdown, (runs, sets, rows), generator) for slowdown in SLOWDOWNS)
    return [
        name,
        f"{same.red / runs:.2%}",
        f"{same.all_passed / (runs * rows):.1%} ({same.narrowly / (runs * rows):.1%})",
        *(
            f"{one.failed / runs:.1%} / {one.passed / runs:.1%} / {1 - (one.failed + one.passed) / runs:.1%}"
            for one in (two, five)
        ),
        f"{same.covered / runs:.1%}, {five.covered / runs:.1%}",
        ", ".join(f"{one.sets / runs:.1f}" for one in (same, two, five)),
    ]


def _simulate(noise: Noise, slowdown: float, size: tuple[int, int, int], generator: np.random.Generator) -> Counted:
    """Return the counts of runs whose first row is slower by `slowdown`."""
    runs, sets, count = size
    rows = tuple(Row(name=f"row {number}", floor=Floor(ratio=1.0)) for number in range(count))
    location, total = (np.empty((runs, sets, count)) for _ in range(2))
    for column in range(count):
        seconds = measure(noise, [slowdown if column == 0 else 0.0], (runs, sets, ROUNDS), generator)
        both = set_estimates(seconds.baseline[:, :, None], seconds.rows)
        location[..., column], total[..., column] = both[0][..., 0], both[1][..., 0]
    counted = Counted()
    for one, other in zip(location, total, strict=True):
        first, *others = _judged(Sets(rows=rows, location=one, total=other, shared=False))
        every = (first, *others)
        counted.red += any(row.verdict.outcome == "FAIL" for row in every)
        counted.failed += first.verdict.outcome == "FAIL"
        counted.passed += first.verdict.outcome == "PASS"
        counted.all_passed += sum(row.verdict.outcome == "PASS" for row in every)
        counted.narrowly += sum(row.verdict.outcome == "PASS" and row.margin == USUAL_MARGIN for row in every)
        counted.sets += first.verdict.sets
        assert first.verdict.interval is not None
        counted.covered += first.verdict.interval[0] <= 1 / (1 + slowdown) <= first.verdict.interval[1]
    return counted


def _judged(sets: Sets) -> list[VerdictByMargin]:
    """Return the verdicts on the rows of `sets`, by the margins that nobody named; as a session looks at them."""
    most = len(sets.location)
    judge = TwoMargins(margin=USUAL_MARGIN, wide=NOISY_MARGIN, red_runs=REFERENCE.red_runs / len(MEASURES))
    for number in range(1, most + 1):
        plan = Plan(sets=expected_sets(number, most), time_is_up=number == most)
        judge.look(sets.first(number), plan, most - number)
        found = [by for row in sets.rows if (by := judge.verdict(row.name)) is not None]
        if all(by.verdict.decided for by in found):
            break
    return found
