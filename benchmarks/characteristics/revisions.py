"""Two revisions in one session: rows of the base beside the same rows of the change, each in processes of its own."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from nqperf.statistics.judge import look
from nqperf.statistics.location import set_estimates
from nqperf.statistics.noise import Noise, measure
from nqperf.statistics.planning import expected_sets, least_margin
from nqperf.statistics.sets import Floor, Row, Sets
from nqperf.statistics.verdicts import JudgeConfig, Judgement, Plan

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
ASKED = 0.02  # the margin that is asked for
SLOWDOWNS = (0.0, 0.02, 0.05)
HEADINGS = [
    "noise (SD of a set)",
    "margin (the least that is found)",
    "runs of unchanged code that are red",
    "rows without change: PASS",
    *(f"{slowdown:.0%} slower: FAIL / PASS / INCONCLUSIVE" for slowdown in SLOWDOWNS[1:]),
    "interval of 99 % holds (no change, 5 %)",
    "sets (no change, 2 %, 5 %)",
]


@dataclasses.dataclass(kw_only=True)
class Counted:
    """Counts over runs: red ones, outcomes of the first row, passes of the others, intervals that hold, sets."""

    red: int = 0
    failed: int = 0
    passed: int = 0
    others_passed: int = 0
    covered: int = 0
    sets: int = 0


def line(name: str, runs: int, sets: int, seed: int, rows: int = ROWS) -> list[str]:
    """Return the cells of one model of noise, in runs of so many `rows`."""
    generator = np.random.default_rng([seed, *name.encode()])
    noise = MODELS[name]
    pilot = measure(noise, [0.0], (400, 1, ROUNDS), generator)
    spread = float(np.std(set_estimates(pilot.baseline[:, :, None], pilot.rows)[0]))
    error = spread / math.sqrt(max(1, sets - 1))
    margin = max(ASKED, math.ceil(1000 * least_margin(error, family=rows)) / 1000)
    config = JudgeConfig.for_margin(margin)
    same, two, five = (_simulate(noise, slowdown, (runs, sets, rows), generator, config) for slowdown in SLOWDOWNS)
    return [
        name,
        f"{margin:.1%}",
        f"{same.red / runs:.2%}",
        f"{(same.others_passed + same.passed) / (runs * rows):.1%}",
        *(
            f"{one.failed / runs:.1%} / {one.passed / runs:.1%} / {1 - (one.failed + one.passed) / runs:.1%}"
            for one in (two, five)
        ),
        f"{same.covered / runs:.1%}, {five.covered / runs:.1%}",
        ", ".join(f"{one.sets / runs:.1f}" for one in (same, two, five)),
    ]


def _simulate(
    noise: Noise, slowdown: float, size: tuple[int, int, int], generator: np.random.Generator, config: JudgeConfig
) -> Counted:
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
        judgement = _judged(Sets(rows=rows, location=one, total=other, shared=False), config)
        first, *others = judgement.rows
        counted.red += any(row.outcome == "FAIL" for row in judgement.rows)
        counted.failed += first.outcome == "FAIL"
        counted.passed += first.outcome == "PASS"
        counted.others_passed += sum(row.outcome == "PASS" for row in others)
        counted.sets += first.sets
        assert first.interval is not None
        counted.covered += first.interval[0] <= 1 / (1 + slowdown) <= first.interval[1]
    return counted


def _judged(sets: Sets, config: JudgeConfig) -> Judgement:
    most = len(sets.location)
    judgement = look(sets.first(1), Plan(sets=expected_sets(1, most)), config=config)
    for number in range(2, most + 1):
        plan = Plan(sets=expected_sets(number, most), time_is_up=number == most)
        judgement = look(sets.first(number), plan, before=judgement, config=config)
        if not judgement.open_rows:
            break
    return judgement
