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


MARGINS = (0.01, 0.02, 0.05, 0.1, 0.2)
MARGIN_HEADINGS = ["noise (SD of a set)", *(f"by {margin:.0%}" for margin in MARGINS)]


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


def margin_line(name: str, runs: int, sets: int, seed: int) -> list[str]:
    """Return the cells of one model of noise: after how many sets one row without change passes, by each margin.

    They are those of half of the runs, and of nine in ten; more than there is room for, `sets`, is so many.
    """
    generator = np.random.default_rng([seed, *name.encode()])
    seconds = measure(MODELS[name], [0.0], (runs, sets, ROUNDS), generator)
    location, total = set_estimates(seconds.baseline[:, :, None], seconds.rows)[:2]
    row = (Row(name="row", floor=Floor(ratio=1.0)),)
    cells = []
    for margin in MARGINS:
        taken = []
        for one, other in zip(location, total, strict=True):
            (by,) = _judged(Sets(rows=row, location=one, total=other, shared=False), (margin, margin))
            taken.append(by.verdict.sets if by.verdict.outcome == "PASS" else sets + 1)
        half, most = (int(np.quantile(taken, share, method="higher")) for share in (0.5, 0.9))
        cells.append(", ".join(f"over {sets}" if count > sets else str(count) for count in (half, most)))
    return [name, *cells]


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


def _judged(sets: Sets, margins: tuple[float, float] = (USUAL_MARGIN, NOISY_MARGIN)) -> list[VerdictByMargin]:
    """Return the verdicts on the rows of `sets`, by `margins` or those nobody named; as a session looks at them."""
    most, (margin, wide) = len(sets.location), margins
    judge = TwoMargins(margin=margin, wide=wide, red_runs=REFERENCE.red_runs / len(MEASURES))
    for number in range(1, most + 1):
        plan = Plan(sets=expected_sets(number, most), time_is_up=number == most)
        judge.look(sets.first(number), plan, most - number)
        found = [by for row in sets.rows if (by := judge.verdict(row.name)) is not None]
        if all(by.verdict.decided for by in found):
            break
    return found
