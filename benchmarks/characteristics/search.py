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
    "3 times at the 4th of 5": (5, {4: 3.0}),
    "no slowdown in 10": (10, {}),
    "4 % at the 4th and 4 % at the 8th of 10": (10, {4: 1.04, 8: 1.04}),
}
# The SD of a set; the share of sets that are off, and the SD of those. On a busy machine something else disturbs one
# set in ten. Processes of small NumPy products were seen to be uneven so: one in four is off.
NOISES = {
    "0.55%": (0.0055, 0.0, 0.0),
    "1.00%": (0.01, 0.0, 0.0),
    "2.00%": (0.02, 0.0, 0.0),
    "3.50%": (0.035, 0.0, 0.0),
    "1.00%, busy": (0.01, 0.1, 0.15),
    "3.00%, uneven processes": (0.03, 0.25, 0.13),
}
HEADINGS = [
    "slowdown",
    "SD of a set",
    "right commit",
    "wrong commit",
    "several steps",
    "no answer",
    "sets (mean, most)",
    "interval holds the slowdown",
]


def lines(runs: int, seed: int) -> list[list[str]]:
    """Return the cells of each case under each noise."""
    generator = np.random.default_rng(seed)
    return [
        _line(
            name,
            noise,
            [_search(commits, steps, values, generator) for _ in range(runs)],
            steps,
        )
        for name, (commits, steps) in CASES.items()
        for noise, values in NOISES.items()
    ]


def _line(name: str, noise: str, found: list[Finding], steps: dict[int, float]) -> list[str]:
    runs, first = len(found), next(iter(steps), None)
    right = sum(one.commits == ((first,) if first else ()) and not one.steps for one in found)
    several = sum(bool(one.steps) for one in found)
    wrong = sum(bool(one.commits) and one.commits != (first,) for one in found)
    sets = [one.sets for one in found]
    shares = (right, wrong, several, runs - right - wrong - several)
    return [
        name,
        noise,
        *(f"{share / runs:.1%}" for share in shares),
        f"{np.mean(sets):.1f}, {max(sets)}",
        _held(found, steps[first]) if first and len(steps) == 1 else "",
    ]


def _held(found: list[Finding], slowdown: float) -> str:
    """Return how often the intervals of those that named one commit hold the true slowdown, "" where none did."""
    named = [one.interval for one in found if len(one.commits) == 1 and one.interval and not one.steps]
    return f"{sum(low <= slowdown <= high for low, high in named) / len(named):.1%}" if named else ""


def _search(
    commits: int, steps: dict[int, float], noise: tuple[float, float, float], generator: np.random.Generator
) -> Finding:
    sd, disturbed, off = noise
    measured: list[Measured] = []
    while True:
        found = search(commits, measured)
        commit = found.next_commit
        if commit is None:
            return found
        slowdown = sum(math.log(factor) for first, factor in steps.items() if first <= commit)
        spread = off if generator.random() < disturbed else sd
        measured.append(Measured(commit=commit, slowdown=slowdown + generator.normal(0, spread)))
