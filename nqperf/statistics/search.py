"""Which commit made it slower: a noisy binary search, each step only as sure as it must be.

Commits 1 .. n follow the good one, 0; commit n is bad. One measurement is one set of fresh processes of a commit beside
the good one: its log slowdown. The commits before the one that is sought are as fast as the good one, those from it on
are all slower by one amount, which is not known. Each measurement changes how likely each commit is to be the one; the
next measurement is of the commit that splits that evenly. A commit in doubt is so measured again by itself.

Where commits in between are surely neither fast nor slow, the slowdown came in several steps: that is said, and each
part can be searched alone.

Source: Horstein's probabilistic bisection, as in Waeber, Frazier and Henderson, "Bisection search with noisy
responses", SIAM Journal on Control and Optimization 51 (2013), with noise of unknown scale and long tails.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from nqperf.errors import ConfigError
from nqperf.statistics.search_posterior import Commits, Noise, Posterior


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One set of fresh processes: the log `slowdown` of `commit` (1 .. n) beside the good one."""

    commit: int
    slowdown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How sure the answer is, and what noise is expected before any is seen.

    `confidence` is the probability that the commit named is the one. `sd` is the SD of one set that is expected, worth
    `sd_freedom` degrees of freedom. The bad commit is measured `first` times before the search begins, and at most
    `most` sets are measured in all. `factor` is the least slowdown that is searched for.
    Raises: ConfigError when a value is out of range.
    """

    confidence: float = 0.99
    sd: float = 0.02
    sd_freedom: float = 2.0
    first: int = 2
    most: int = 100
    factor: float = 1.02

    def __post_init__(self) -> None:
        if not (0.5 < self.confidence < 1 and self.sd > 0 and self.sd_freedom > 0):  # noqa: PLR2004
            raise ConfigError(f"confidence {self.confidence}, SD {self.sd}, its freedom {self.sd_freedom}")
        if not (1 <= self.first <= self.most and self.factor > 1):
            raise ConfigError(
                f"first {self.first}, most {self.most}, factor {self.factor}; expected 1 <= first <= most"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known so far.

    `next_commit` is what to measure next, None at the end. `probabilities` says how likely each commit 1 .. n is the
    one. At the end `commits` are those that cannot be told apart: one, or a run of them where those between cannot be
    measured; empty where the bad commit is not slower, or too many sets were used. `factor` is the slowdown with its
    `interval`, by `sets` measurements; `reason` says in words where the search stands. `steps` are commits that are
    surely neither fast nor slow: the slowdown came in several steps.
    """

    next_commit: int | None
    probabilities: tuple[float, ...]
    commits: tuple[int, ...]
    factor: float | None
    interval: tuple[float, float] | None
    steps: tuple[int, ...]
    sets: int
    reason: str

    def in_doubt(self, confidence: float) -> int:
        """Return how many commits, the likeliest first, hold the one with probability `confidence`."""
        likeliest = sorted(self.probabilities, reverse=True)
        return next(
            (number for number, held in enumerate(accumulate(likeliest), start=1) if held >= confidence),
            len(likeliest),
        )


REFERENCE = SearchConfig()
# Both sides of the step that is named are measured so often, which shows when there is another step.
_AT_LEAST, _AT_MOST = 2, 20
# A step in between is said only of a commit measured so often, and of a bad commit measured so often: a single set that
# something else on the machine disturbed looks like one.
_STEP_SETS = 3
# That the bad commit is not slower is said after so many sets of it: two that agree by chance look sure.
_NOT_SLOWER_SETS = 5
# A side is measured again while it is a step in between with such a probability.
_DOUBTFUL = 0.5


def search(
    commits: int, measured: Sequence[Measured], *, unusable: Collection[int] = (), config: SearchConfig = REFERENCE
) -> Finding:
    """Return what the measurements so far, `measured`, say, and what to measure next, as sure as `config` says.

    `commits` is how many there are, the bad one last. `unusable` are commits that do not build. All that is known
    stands in the arguments, so a search goes on from its measurements after a kill.
    Raises: ConfigError when there is no commit, the bad one is unusable, or a measurement is of no usable commit.
    """
    usable = np.array([commit for commit in range(1, commits + 1) if commit not in unusable])
    if not len(usable) or usable[-1] != commits:
        raise ConfigError(f"{len(usable)} of {commits} commits can be measured; expected the bad one among them")
    places = np.array([one.commit for one in measured], np.int64)
    values = np.array([one.slowdown for one in measured], np.float64)
    if not (np.isin(places, usable).all() and np.isfinite(values).all()):
        raise ConfigError("a measurement is of a commit that cannot be measured, or is no finite number")
    posterior = Posterior.of(usable, places, values, Noise(sd=config.sd, freedom=config.sd_freedom))
    model = _Model(posterior=posterior, places=places, config=config)
    if model.count(commits) < config.first:
        return model.finding(_Step(following=commits, reason="the bad commit is measured first"))
    return model.finding(_next_step(model, config))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What to measure next, or else what was found, and why."""

    reason: str
    following: int | None = None
    commits: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()


def _next_step(model: _Model, config: SearchConfig) -> _Step:
    """Return what follows from measurements of which some are of the bad commit."""
    if model.bad_is_not_slower():
        return _Step(reason=f"the bad commit is not {config.factor - 1:.0%} slower than the good one")
    steps = model.steps()
    if steps:
        return _in_between(steps, model, config)
    if len(model.places) >= config.most:
        return _too_many(config)
    best = int(np.argmax(model.posterior.probabilities))
    alone = model.posterior.probabilities[best] >= config.confidence
    if not alone or not model.bad_is_slower():
        size = f"whether the bad commit is {config.factor - 1:.0%} slower is not sure yet"
        return _Step(following=model.most_telling(), reason=size if alone else "in doubt")
    unsure = model.unsure_side(best)
    if unsure is not None:
        return _Step(following=unsure, reason="both sides of the step are measured again")
    since = int(model.posterior.usable[best - 1]) + 1 if best else 1
    return _Step(commits=tuple(range(since, int(model.posterior.usable[best]) + 1)), reason="found")


def _in_between(steps: tuple[int, ...], model: _Model, config: SearchConfig) -> _Step:
    """Return that the slowdown came in these `steps`, or what to measure again before that can be said."""
    seldom = min((*steps, int(model.posterior.usable[-1])), key=model.count)
    if model.count(seldom) >= _STEP_SETS:
        return _Step(steps=steps, reason="the slowdown came in several steps")
    if len(model.places) >= config.most:
        return _too_many(config)
    return _Step(following=seldom, reason="what looks like a step in between is measured again")


def _too_many(config: SearchConfig) -> _Step:
    return _Step(reason=f"{config.most} sets do not tell which")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Model:
    """What the measurements of the commits `places`, [measurements], say: their `posterior`, as `config` takes it."""

    posterior: Posterior
    places: Commits
    config: SearchConfig

    @property
    def last(self) -> int:
        """The bad commit."""
        return int(self.posterior.usable[-1])

    def count(self, commit: int) -> int:
        """Return how often a commit was measured."""
        return int((self.places == commit).sum())

    def most_telling(self) -> int:
        """Return the commit to measure next: the one whose being slow is as likely as not.

        The bad commit's own size is what all others are held to, so it is measured as often as they are on the average.
        """
        slow = np.cumsum(self.posterior.probabilities)[:-1]
        if not len(slow) or self.count(self.last) ** 2 < len(self.places):
            return self.last
        return int(self.posterior.usable[int(np.argmin(np.abs(slow - 0.5)))])

    def unsure_side(self, best: int) -> int | None:
        """Return which of the commit found and the one before it is to be measured again, None for neither.

        That is one measured fewer than twice, or one that looks as if it were neither fast nor slow: then that one or
        the bad commit, whose size it is held to, whichever was measured less.
        """
        for side in (int(self.posterior.usable[place]) for place in (best - 1, best) if place >= 0):
            if self.count(side) < _AT_LEAST:
                return side
            if side != self.last and self.posterior.between(side) >= _DOUBTFUL:
                seldom = min(side, self.last, key=self.count)
                if self.count(seldom) < _AT_MOST:
                    return seldom
        return None

    def bad_is_slower(self) -> bool:
        """Return whether the bad commit is surely slower than the good one."""
        return self.posterior.bad_beyond(0.0) >= self.config.confidence

    def bad_is_not_slower(self) -> bool:
        """Return whether the bad commit is surely slower by less than `factor`."""
        surely = 1 - self.posterior.bad_beyond(math.log(self.config.factor)) >= self.config.confidence
        return surely and self.count(self.last) >= min(_NOT_SLOWER_SETS, self.config.most)

    def steps(self) -> tuple[int, ...]:
        """Return the commits that surely have a part of the slowdown, but not all of it."""
        sure = 1 - (1 - self.config.confidence) / len(self.posterior.usable)
        candidates = (int(commit) for commit in self.posterior.measured if commit != self.last)
        return tuple(commit for commit in candidates if self.posterior.between(commit) >= sure)

    def finding(self, step: _Step) -> Finding:
        """Return the finding; its factor is that of the measurements of commits that are surely slow."""
        usable, probabilities = self.posterior.usable, self.posterior.probabilities
        surely = min(int(np.searchsorted(np.cumsum(probabilities), 0.99)), len(usable) - 1)
        since = self.last if step.steps else int(usable[surely])
        factor = interval = None
        if (self.places >= since).any():
            beyond = (1 - self.config.confidence) / 2
            low, factor, high = self.posterior.factors(since, (beyond, 0.5, 1 - beyond))
            interval = (low, high)
        likely = dict(zip(usable.tolist(), probabilities.tolist(), strict=True))
        return Finding(
            next_commit=step.following,
            probabilities=tuple(likely.get(commit, 0.0) for commit in range(1, self.last + 1)),
            commits=step.commits,
            factor=factor,
            interval=interval,
            steps=step.steps,
            sets=len(self.places),
            reason=step.reason,
        )
