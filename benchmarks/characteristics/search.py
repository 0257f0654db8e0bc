"""The search for the commit that made it slower: how often it names the right one, in how many sets."""

from __future__ import annotations

import math

import numpy as np

from nqperf.statistics.search import Finding, Measured, search

# Commits, the first slow one (with its factor), and a second step.
CASES = {
    "8 % at the 7th of 10": (10, {7: 1.08}),
    "5 % at the 7th of 10": (10, {7: 1.05}),
    "3 % at the 3rd of 10": (10, {3: 1.03}),
    "8 % at the 50th of 100": (100, {50: 1.08}),
    "no slowdown in 10": (10, {}),
    "4 % at the 4th and 4 % at the 8th of 10": (10, {4: 1.04, 8: 1.04}),
}
SDS = (0.0055, 0.01, 0.02, 0.035)
HEADINGS = [
    "slowdown",
    "SD of a set",
    "right commit",
    "wrong commit",
    "several steps",
    "no answer",
    "sets (mean, most)",
]


def lines(runs: int, seed: int) -> list[list[str]]:
    """Return the cells of each case under each noise."""
    generator = np.random.default_rng(seed)
    return [
        _line(name, sd, [_search(commits, steps, sd, generator) for _ in range(runs)], next(iter(steps), None))
        for name, (commits, steps) in CASES.items()
        for sd in SDS
    ]


def _line(name: str, sd: float, found: list[Finding], first: int | None) -> list[str]:
    runs = len(found)
    right = sum(one.commits == ((first,) if first else ()) and not one.steps for one in found)
    several = sum(bool(one.steps) for one in found)
    wrong = sum(bool(one.commits) and one.commits != (first,) for one in found)
    sets = [one.sets for one in found]
    shares = (right, wrong, several, runs - right - wrong - several)
    return [name, f"{sd:.2%}", *(f"{share / runs:.1%}" for share in shares), f"{np.mean(sets):.1f}, {max(sets)}"]


def _search(commits: int, steps: dict[int, float], sd: float, generator: np.random.Generator) -> Finding:
    measured: list[Measured] = []
    while True:
        found = search(commits, measured)
        commit = found.next_commit
        if commit is None:
            return found
        slowdown = sum(math.log(factor) for first, factor in steps.items() if first <= commit)
        measured.append(Measured(commit=commit, slowdown=slowdown + generator.normal(0, sd)))
