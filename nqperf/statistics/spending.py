"""Alpha spending: how sure a test must be at each look, so that all looks together err as often as promised.

A test that is looked at after every set of processes has many chances to err. Its error rate alpha is spent over the
looks by the share of the information that is there; what is left is spent at the last look, whenever that comes. So the
number of looks and their times need not be known before.

Source: Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70 (1983); the family of
spending functions is Kim and DeMets's (1987); the recursion is Armitage, McPherson and Rowe's (1969).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np

from nqperf.errors import ConfigError
from nqperf.statistics.location import FloatArray

# Alpha spent at a share t of the information is alpha * t ** POWER: between Pocock's boundaries (1), which look as
# hard early as late, and O'Brien and Fleming's (about 3), which keep nearly all for the last look.
POWER = 2.0
_GRID = 161  # points of the density between two looks; twice as many change no level by a thousandth
_REACH = 8.0  # standard deviations below the mean at which the density is cut off
_NEVER = 40.0  # a boundary, in standard deviations, that nothing crosses
_NOTHING = 1e-15  # so little alpha is none


def spent(fraction: float, alpha: float) -> float:
    """Return how much of `alpha` may be spent when a share `fraction` of the information is there.

    >>> spent(0.5, 0.01)
    0.0025
    >>> spent(1.0, 0.01)
    0.01
    """
    return float(alpha * min(fraction, 1.0) ** POWER)


def nominal_level(information: Sequence[float], fractions: Sequence[float], alpha: float) -> float:
    """Return the one-sided p-value that is significant at the last of these looks.

    `information` is what each look so far knows (the number of sets of processes), the present one last; `fractions`
    the share of all that will be known, by which alpha is spent; 1.0 spends all that is left. Tested at these levels at
    every look, a true hypothesis is rejected at any of them with probability `alpha`.
    Raises: ConfigError when the numbers do not grow, or alpha is not between 0 and one half.

    >>> round(nominal_level([8], [1.0], 0.01), 6)  # one look alone: nothing is shared
    0.01
    """
    if not 0 < alpha < 0.5:  # noqa: PLR2004  # at one half every sample is significant
        raise ConfigError(f"alpha is {alpha}; expected above 0 and below 0.5")
    if len(information) != len(fractions) or not information or information[0] <= 0:
        raise ConfigError(f"{len(information)} looks and {len(fractions)} fractions; expected one fraction a look")
    for what, values in (("information", information), ("fractions", fractions)):
        if any(later < earlier for earlier, later in itertools.pairwise(values)):
            raise ConfigError(f"the looks' {what} is {tuple(values)}; expected numbers that do not fall")
    levels = _levels(tuple(map(float, information)), tuple(min(1.0, float(value)) for value in fractions), alpha)
    return levels[-1]


@functools.lru_cache(maxsize=4096)
def _levels(information: tuple[float, ...], fractions: tuple[float, ...], alpha: float) -> tuple[float, ...]:
    """Return the nominal level at every look: the tail of a normal beyond the boundary that spends what is due.

    The sum of the sets' estimates is a random walk that stops when it crosses a boundary. Its density among those that
    have not crossed is carried from look to look on a grid.
    """
    from scipy import special

    grid, density = np.zeros(1), np.ones(1)  # the walk starts at 0; entries are probabilities, not yet a density
    levels: list[float] = []
    done = before = 0.0
    for known, fraction in zip(information, fractions, strict=True):
        step = math.sqrt(known - before)
        due = max(0.0, spent(fraction, alpha) - done)
        if step == 0:  # nothing new is known, so nothing new can be tested
            levels.append(levels[-1] if levels else 0.0)
            continue
        spread = math.sqrt(known)

        edge = _boundary(grid, density, step, due, spread)
        levels.append(float(special.ndtr(-edge / spread)))
        done, before = done + due, known
        grid, density = _carried(grid, density, step, (-_REACH * spread, min(edge, _REACH * spread)))
    return tuple(levels)


def _boundary(grid: FloatArray, density: FloatArray, step: float, due: float, spread: float) -> float:
    """Return the sum beyond which the walk is with probability `due` after one more step."""
    from scipy import optimize, special

    def excess(edge: float) -> float:
        return float(density @ special.ndtr((grid - edge) / step)) - due

    return _NEVER * spread if due < _NOTHING else float(optimize.brentq(excess, -_REACH * spread, _NEVER * spread))


def _carried(
    grid: FloatArray, density: FloatArray, step: float, between: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return the grid after one more step and the probability near each of its points (Simpson's rule)."""
    new = np.linspace(*between, _GRID)
    weights = np.full(_GRID, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    weights *= (new[1] - new[0]) / 3
    kernel = np.exp(-0.5 * ((new[:, None] - grid) / step) ** 2) / (step * math.sqrt(2 * math.pi))
    return new, weights * (kernel @ density)
