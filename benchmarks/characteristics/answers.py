"""Answers of a 16-bit row: a known share of them truly changes, and more are answered until it is decided.

The time allows for some number of examples: when it is up, all alpha that is left is spent, as in a run.
"""

from __future__ import annotations

import numpy as np

from nqperf.perf.suite.answering import LOT, MOST_ANSWERS
from nqperf.perf.suite.parity import ANSWER_LIMITS
from nqperf.statistics.answers import Answered, judge_answers

LIMITS = ANSWER_LIMITS["sixteen_bit"]
FIRST = 79  # the examples of the suite
ALLOWED = (FIRST, 479, MOST_ANSWERS)  # the examples that the time allows for
SHARES = (0.0, 0.001, 0.0033, 0.005, 0.01, 0.03, 0.1)
RIGHT = 0.85  # the share of answers that the baseline gets right
HEADINGS = [
    "answers that truly change",
    "every change a loss?",
    "time for so many examples",
    "FAILS",
    "HOLDS",
    "UNDECIDED",
    "examples answered",
]


def lines(runs: int, seed: int) -> list[list[str]]:
    """Return the cells of each share, where changed answers are as often right as others, and where none is."""
    generator = np.random.default_rng(seed)
    found = []
    for share in SHARES:
        for losing in (False, True) if share else (False,):
            for most in ALLOWED:
                told = [_run(share, most, generator, losing=losing) for _ in range(runs)]
                outcomes, examples = zip(*told, strict=True)
                parts = (f"{outcomes.count(outcome) / runs:.2%}" for outcome in ("FAILS", "HOLDS", "UNDECIDED"))
                cells = [f"{share:.2%}", "yes" if losing else "no", f"{most:,}", *parts, f"{np.mean(examples):.0f}"]
                found.append(cells)
    return found


def _run(share: float, most: int, generator: np.random.Generator, *, losing: bool) -> tuple[str, int]:
    changed = generator.random(most) < share
    right = generator.random(most) < RIGHT
    row = np.where(changed, False if losing else generator.random(most) < RIGHT, right)
    ones = np.ones(most, np.int64)
    baseline, other = (np.stack([values.astype(np.int64), ones, ones], axis=1) for values in (right, row))
    counts = [*range(FIRST, most, LOT), most]
    outcome = "UNDECIDED"
    for number, count in enumerate(counts):
        part = Answered(baseline=baseline[:count], row=other[:count], changed=changed[:count])
        # Only at the end is it known that there are no more.
        planned = most if count == most else MOST_ANSWERS
        outcome = judge_answers(part, LIMITS, looks=counts[:number], most=planned).outcome
        if outcome != "UNDECIDED":
            return outcome, count
    return outcome, most
