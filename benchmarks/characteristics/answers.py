"""Answers of a 16-bit row: a known share of them truly changes, and more are answered until it is decided."""

from __future__ import annotations

import numpy as np

from nqperf.statistics.answers import Answered, AnswerLimits, judge_answers

LIMITS = AnswerLimits(changed=0.005, micro_f1=0.999)
LOOKS = (79, 200, 500, 1000, 1500)
SHARES = (0.0, 0.001, 0.0033, 0.005, 0.01, 0.03, 0.1)
RIGHT = 0.85  # the share of answers that the baseline gets right
HEADINGS = ["answers that truly change", "every change a loss?", "FAILS", "HOLDS", "UNDECIDED", "examples answered"]


def lines(runs: int, seed: int) -> list[list[str]]:
    """Return the cells of each share, where changed answers are as often right as others, and where none is."""
    generator = np.random.default_rng(seed)
    found = []
    for share in SHARES:
        for losing in (False, True) if share else (False,):
            outcomes, examples = zip(*(_run(share, generator, losing=losing) for _ in range(runs)), strict=True)
            parts = (f"{outcomes.count(outcome) / runs:.1%}" for outcome in ("FAILS", "HOLDS", "UNDECIDED"))
            found.append([f"{share:.2%}", "yes" if losing else "no", *parts, f"{np.mean(examples):.0f}"])
    return found


def _run(share: float, generator: np.random.Generator, *, losing: bool) -> tuple[str, int]:
    changed = generator.random(LOOKS[-1]) < share
    right = generator.random(LOOKS[-1]) < RIGHT
    row = np.where(changed, False if losing else generator.random(LOOKS[-1]) < RIGHT, right)
    ones = np.ones(LOOKS[-1], np.int64)
    baseline, other = (np.stack([values.astype(np.int64), ones, ones], axis=1) for values in (right, row))
    outcome, count = "UNDECIDED", 0
    for number, count in enumerate(LOOKS):
        part = Answered(baseline=baseline[:count], row=other[:count], changed=changed[:count])
        outcome = judge_answers(part, LIMITS, looks=LOOKS[:number], most=LOOKS[-1]).outcome
        if outcome != "UNDECIDED":
            break
    return outcome, count
