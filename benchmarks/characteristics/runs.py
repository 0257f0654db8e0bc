"""Two saved runs compared, and histories of runs: how often unchanged code is called changed, and a change found."""

from __future__ import annotations

import numpy as np

from nqperf.statistics.change_points import ChangePointConfig, divide
from nqperf.statistics.comparison import Margins, compare
from nqperf.statistics.sets import Row, Sets

ROWS = (*(Row(name=f"row {number}") for number in range(13)), Row(name="same", role="same"))
# The SD of a set, the SD between runs, what the comparison takes that for, and the sets of each run.
COMPARED = [
    (0.005, 0.0, 0.005, 5),
    (0.005, 0.005, 0.005, 5),
    (0.005, 0.01, 0.005, 5),
    (0.01, 0.005, 0.005, 5),
    (0.01, 0.01, 0.01, 5),
    (0.02, 0.005, 0.005, 5),
    (0.02, 0.005, 0.005, 10),
    (0.04, 0.005, 0.005, 8),
]
COMPARED_HEADINGS = [
    "SD of a set",
    "SD between runs",
    "taken to be",
    "sets a run",
    "comparisons of unchanged code that are red",
    "rows without change: SAME",
    *(f"{slowdown:.0%} slower: SLOWER / SAME / INCONCLUSIVE" for slowdown in (0.02, 0.05, 0.10)),
]
# Levels of a history, and how many runs each has.
HISTORIES = {
    "no change, 12 runs": np.zeros(12),
    "no change, 60 runs": np.zeros(60),
    "one step of 5 %, 10 runs before and after": np.repeat([0.0, -0.05], 10),
    "one step of 5 %, 2 runs after it": np.repeat([0.0, -0.05], [10, 2]),
    "ten steps of 1.5 %, one a run": -0.015 * np.arange(11),
    "ten steps of 1.5 %, three runs each": np.repeat(-0.015 * np.arange(11), 3),
}
HISTORY_HEADINGS = ["history", "SD of runs", "a change is told", "slower than its best, surely", "changes told (mean)"]
RUN_SDS = (0.005, 0.01, 0.02)
ERROR = 0.004  # the standard error of one run


def compared(runs: int, seed: int) -> list[list[str]]:
    """Return the cells of each pair of runs."""
    generator = np.random.default_rng(seed)
    found = []
    for sd, run_sd, taken, sets in COMPARED:
        margins = Margins(run_sd=taken)
        outcomes = {
            slowdown: [_outcomes(slowdown, (sd, run_sd, sets), generator, margins) for _ in range(runs)]
            for slowdown in (0.0, 0.02, 0.05, 0.10)
        }
        same = outcomes.pop(0.0)
        found.append(
            [
                f"{sd:.1%}",
                f"{run_sd:.1%}",
                f"{taken:.1%}",
                str(sets),
                f"{np.mean(['SLOWER' in one for one in same]):.2%}",
                f"{np.mean([one.count('SAME') for one in same]) / 13:.1%}",
                *(
                    " / ".join(
                        f"{np.mean([one[0] == name for one in each]):.1%}"
                        for name in ("SLOWER", "SAME", "INCONCLUSIVE")
                    )
                    for each in outcomes.values()
                ),
            ]
        )
    return found


def _outcomes(
    slowdown: float, noise: tuple[float, float, int], generator: np.random.Generator, margins: Margins
) -> list[str]:
    """Return the outcome of each row, of which the first is slower in the new run."""
    sd, run_sd, sets = noise
    both = []
    for extra in (0.0, np.log1p(slowdown)):
        baseline, same, *rows = (generator.normal(0, sd / np.sqrt(2), sets) for _ in range(15))
        location = np.stack([*(baseline - row for row in rows), baseline - same], axis=1)
        location[:, :-1] += generator.normal(0, run_sd, 13)
        location[:, 0] -= extra
        both.append(Sets(rows=ROWS, location=location, total=location + generator.normal(0, sd / 10, location.shape)))
    return [change.change for change in compare([(both[0], both[1], margins)])]


def histories(runs: int, seed: int) -> list[list[str]]:
    """Return the cells of each history; alpha is shared by 13 rows."""
    generator = np.random.default_rng(seed)
    config = ChangePointConfig(alpha=0.01 / 13)
    found = []
    for name, levels in HISTORIES.items():
        for sd in RUN_SDS:
            divisions = [
                divide(
                    levels + generator.normal(0, np.hypot(sd, ERROR), len(levels)), np.full(len(levels), ERROR), config
                )
                for _ in range(runs)
            ]
            told = np.mean([len(one.levels) > 1 for one in divisions])
            slower = np.mean([one.since_best is not None and one.since_best.interval[1] < 1 for one in divisions])
            count = np.mean([len(one.changes) for one in divisions])
            found.append([name, f"{sd:.1%}", f"{told:.2%}", f"{slower:.2%}", f"{count:.1f}"])
    return found
