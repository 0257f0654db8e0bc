"""How likely each commit is the one that made it slower, and how large the slowdown is, by what was measured so far.

The commits before the one that is sought are as fast as the good one, those from it on are slower by one size. Noise
has the long tails of Student's t distribution: equal processes are now and then 10 % apart, and a set that something
else disturbed more, and such a set must count for little. Its scale is one for all commits; scale and size are not
known and are integrated out, on grids.

Source: Lange, Little and Taylor, "Robust statistical modeling using the t distribution", Journal of the American
Statistical Association 84 (1989).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.statistics.location import FloatArray

Commits = npt.NDArray[np.int64]

# Of the noise: its degrees of freedom, and the scales that are weighed, each 1.25 times the one before.
_FREEDOM = 4.0
_SCALES = np.geomspace(0.002, 0.6, 26)
# The sizes that are weighed lie about the medians, as near to each other there as the least scale asks for, and evenly
# over what was measured: where processes come in two kinds, no median is near what half of them took.
_OFFSETS = 0.0016 * np.sinh(np.linspace(-6.0, 6.0, 49))
_STEP, _MOST_STEPS = 0.002, 500
# A part of the slowdown smaller than this share of it is no step of its own: two sides differ by a little for good, be
# it by where their files lie.
_STEP_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What noise is expected before any is seen: one set has the SD `sd`, worth `freedom` degrees of freedom."""

    sd: float
    freedom: float

    def log_prior(self) -> FloatArray:
        """Return the log of how likely each scale is, [scales]: a scaled inverse chi-squared variance."""
        prior: FloatArray = -self.freedom * np.log(_SCALES) - self.freedom * self.sd**2 / (2 * _SCALES**2)
        return prior


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """The measurements under each answer.

    `usable` are the commits that can be measured, the bad one last, and `probabilities` how likely each is the one that
    is sought. `measured` are those that were measured, in order. `sizes` are the log slowdowns that are weighed, each
    of which stands for an interval as long as its `widths`; `own` is the log likelihood of a commit's measurements were
    it slower by a size. `scales` says how likely each scale of the noise is, by what each commit's own scatter.
    Shapes: usable and probabilities [usable], measured [measured], sizes and widths [sizes], scales [scales], own
    [measured, scales, sizes].
    """

    usable: Commits
    probabilities: FloatArray
    measured: Commits
    sizes: FloatArray
    widths: FloatArray
    own: FloatArray
    scales: FloatArray

    @classmethod
    def of(cls, usable: Commits, places: Commits, values: FloatArray, noise: Noise) -> Posterior:
        """Weigh each answer by how well it explains the log slowdowns `values` of the commits `places`.

        `usable` and `noise` are as in the class. Shapes: places and values [measurements].
        """
        from scipy.special import logsumexp, softmax

        measured = np.unique(places)
        sizes = _sizes(places, values)
        widths = np.gradient(sizes)
        own = _summed(_log_density(values[:, None, None] - sizes), places)
        fast = _summed(_log_density(values[:, None, None]), places)
        # Where k of the measured commits come before the one that is sought, those k are fast and the others are slow.
        nothing = np.zeros((1, len(_SCALES), 1))
        slow_after = np.concatenate([own[::-1].cumsum(axis=0)[::-1], nothing + np.zeros(len(sizes))])
        fast_until = np.concatenate([nothing, fast.cumsum(axis=0)])
        logs = logsumexp(slow_after + fast_until + noise.log_prior()[:, None] + np.log(widths), axis=(1, 2))
        return cls(
            usable=usable,
            probabilities=softmax(logs[np.searchsorted(measured, usable)]),
            measured=measured,
            sizes=sizes,
            widths=widths,
            own=own,
            scales=softmax(logsumexp(own + np.log(widths), axis=2).sum(axis=0) + noise.log_prior()),
        )

    def bad_beyond(self, size: float) -> float:
        """Return the probability that the bad commit, by its own measurements, has a log slowdown above `size`."""
        below = self.scales @ self._below(self.own[-1])
        return float(1 - np.interp(size, self.sizes, below))

    def between(self, commit: int) -> float:
        """Return the probability that a measured `commit` has a part of the slowdown, no small one, but not all of it.

        That is, it is slower than the good one and faster than the bad one by a fifth of the slowdown or more.
        """
        own = self._shares(self.own[int(np.searchsorted(self.measured, commit))])
        bad_below = self._below(self.own[-1])
        least, most = self.sizes / (1 - _STEP_SHARE), self.sizes / _STEP_SHARE
        bad_fits = np.array([np.interp(most, self.sizes, one) - np.interp(least, self.sizes, one) for one in bad_below])
        return float(self.scales @ np.where(self.sizes > 0, own * bad_fits, 0.0).sum(axis=1))

    def factors(self, since: int, at: tuple[float, ...]) -> tuple[float, ...]:
        """Return the factors that the slowdown of the commits from `since` on is below with the probabilities `at`.

        Raises: ValueError when none of them was measured.
        """
        own = self.own[self.measured >= since]
        if not len(own):
            raise ValueError(f"no commit from {since} on was measured")
        below = self.scales @ self._below(own.sum(axis=0))
        return tuple(math.exp(float(np.interp(one, below, self.sizes))) for one in at)

    def _shares(self, own: FloatArray) -> FloatArray:
        """Return how likely each size is for each scale, by log likelihoods `own`; both [scales, sizes]."""
        from scipy.special import softmax

        shares: FloatArray = softmax(own + np.log(self.widths), axis=1)
        return shares

    def _below(self, own: FloatArray) -> FloatArray:
        """Return the probability to be below each size for each scale, by log likelihoods `own`; both [scales, sizes].

        By trapezoids: sizes are nearer to each other on one side than on the other.
        """
        density = self._shares(own) / self.widths
        steps = (density[:, 1:] + density[:, :-1]) / 2 * np.diff(self.sizes)
        return np.pad(steps.cumsum(axis=1), ((0, 0), (1, 0)))


def _sizes(places: Commits, values: FloatArray) -> FloatArray:
    """Return the log slowdowns to weigh: about 0, the median of each commit, and that of all from each commit on.

    And those about the least and the greatest that were measured, and evenly between them.
    """
    least, most = (float(end) for end in (values.min(initial=0.0), values.max(initial=0.0)))
    medians = [0.0, least, most]
    for commit in np.unique(places):
        medians += [float(np.median(values[places == commit])), float(np.median(values[places >= commit]))]
    between = np.linspace(least, most, min(_MOST_STEPS, 2 + int((most - least) / _STEP)))
    about = (np.array(medians)[:, None] + _OFFSETS).ravel()
    # Rounded, for two that are nearly the same would stand for intervals of no length.
    return np.unique(np.concatenate([about, between]).round(6))


def _summed(logs: FloatArray, places: Commits) -> FloatArray:
    """Return the sums over each commit's measurements, the first axis; commits in order."""
    sums: FloatArray = np.array([logs[places == commit].sum(axis=0) for commit in np.unique(places)])
    return sums.reshape(-1, *logs.shape[1:])


def _log_density(distances: FloatArray) -> FloatArray:
    """Return the log density of noise up to a constant, [n, scales, sizes], where `distances` are [n, 1, sizes]."""
    scales = _SCALES[:, None]
    density: FloatArray = -(_FREEDOM + 1) / 2 * np.log1p((distances / scales) ** 2 / _FREEDOM) - np.log(scales)
    return density
