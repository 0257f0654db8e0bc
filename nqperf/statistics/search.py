"""Which commit made it slower: a noisy binary search, each step only as sure as it must be.

Commits 1 .. n follow the good one, 0; commit n is bad. One measurement is one set of fresh processes of a commit beside
the good one: its log slowdown. The commits before the one that is sought are as fast as the good one, those from it on
are all slower by one amount, which is not known. Each measurement changes how likely each commit is to be the one; the
next measurement is of the commit that splits that evenly. A commit in doubt is so measured again by itself.

Where commits in between are surely neither fast nor slow, the slowdown came in several steps: that is said, and each
part can be searched alone.

Source: Horstein's probabilistic bisection, as in Waeber, Frazier and Henderson, "Bisection search with noisy
responses", SIAM Journal on Control and Optimization 51 (2013), with normal noise of unknown variance.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError
from nqperf.statistics.distribution import upper_quantile, upper_tail
from nqperf.statistics.location import FloatArray


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


REFERENCE = SearchConfig()
# Both sides of the step that is named are measured so often, which shows when there is another step.
_AT_LEAST, _AT_MOST = 2, 12
# A step in between is said only of a commit measured so often, and of a bad commit measured so often: a single set that
# something else on the machine disturbed looks like one.
_STEP_SETS = 3
# A side is measured again while it looks so much like a step in between.
_DOUBTFUL = 0.1


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
    model = _Model.of(usable, places, values, config)
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
    if len(model.values) >= config.most:
        return _too_many(config)
    best = int(np.argmax(model.probabilities))
    if model.probabilities[best] < config.confidence or not model.bad_is_slower():
        return _Step(following=model.most_telling(), reason="in doubt")
    unsure = model.unsure_side(best)
    if unsure is not None:
        return _Step(following=unsure, reason="both sides of the step are measured again")
    since = int(model.usable[best - 1]) + 1 if best else 1
    return _Step(commits=tuple(range(since, int(model.usable[best]) + 1)), reason="found")


def _in_between(steps: tuple[int, ...], model: _Model, config: SearchConfig) -> _Step:
    """Return that the slowdown came in these `steps`, or what to measure again before that can be said."""
    seldom = min((*steps, int(model.usable[-1])), key=model.count)
    if model.count(seldom) >= _STEP_SETS:
        return _Step(steps=steps, reason="the slowdown came in several steps")
    if len(model.values) >= config.most:
        return _too_many(config)
    return _Step(following=seldom, reason="what looks like a step in between is measured again")


def _too_many(config: SearchConfig) -> _Step:
    return _Step(reason=f"{config.most} sets do not tell which")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Model:
    """The measurements under each answer. Shapes: usable, probabilities [usable]; places, values [measurements]."""

    usable: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    values: FloatArray
    probabilities: FloatArray
    config: SearchConfig

    @classmethod
    def of(
        cls, usable: npt.NDArray[np.int64], places: npt.NDArray[np.int64], values: FloatArray, config: SearchConfig
    ) -> _Model:
        """Weigh each answer by how well it explains the measurements, the size and the variance integrated out."""
        prior = config.sd_freedom * config.sd**2
        logs = np.zeros(len(usable))
        for number, commit in enumerate(usable):
            slow, fast = values[places >= commit], values[places < commit]
            squares = float((fast**2).sum()) + (float(((slow - slow.mean()) ** 2).sum()) if len(slow) else 0.0)
            logs[number] = -(config.sd_freedom + len(values)) / 2 * math.log(prior + squares)
            logs[number] -= math.log(max(1, len(slow))) / 2
        weights = np.exp(logs - logs.max())
        return cls(usable=usable, places=places, values=values, probabilities=weights / weights.sum(), config=config)

    def count(self, commit: int) -> int:
        """Return how often a commit was measured."""
        return int((self.places == commit).sum())

    def most_telling(self) -> int:
        """Return the commit to measure next: the one whose being slow is as likely as not.

        The bad commit's own size is what all others are held to, so it is measured as often as they are on the average.
        """
        last = int(self.usable[-1])
        slow = np.cumsum(self.probabilities)[:-1]
        if not len(slow) or self.count(last) ** 2 < len(self.values):
            return last
        return int(self.usable[int(np.argmin(np.abs(slow - 0.5)))])

    def unsure_side(self, best: int) -> int | None:
        """Return which of the commit found and the one before it is to be measured again, None for neither.

        That is one measured fewer than twice, or one that looks as if it were neither fast nor slow.
        """
        last = int(self.usable[-1])
        for side in (int(self.usable[place]) for place in (best - 1, best) if place >= 0):
            count = self.count(side)
            if count < _AT_LEAST or (side != last and count < _AT_MOST and self._between(side) <= _DOUBTFUL):
                return side
        return None

    def bad_is_slower(self) -> bool:
        """Return whether the bad commit is surely slower than the good one."""
        mean, error, freedom = self._of(self.values[self.places == self.usable[-1]])
        return _tail(mean / error, freedom) <= 1 - self.config.confidence

    def bad_is_not_slower(self) -> bool:
        """Return whether the bad commit is surely slower by less than `factor`."""
        mean, error, freedom = self._of(self.values[self.places == self.usable[-1]])
        return _tail((math.log(self.config.factor) - mean) / error, freedom) <= 1 - self.config.confidence

    def steps(self) -> tuple[int, ...]:
        """Return the commits that are surely slower than the good one and surely faster than the bad one."""
        alpha = (1 - self.config.confidence) / len(self.usable)
        candidates = sorted(set(self.places.tolist()) - {int(self.usable[-1])})
        return tuple(commit for commit in candidates if self._between(commit) <= alpha)

    def _between(self, commit: int) -> float:
        """Return the p-value of "slower than the good one and faster than the bad one"."""
        bad, bad_error, _ = self._of(self.values[self.places == self.usable[-1]])
        mean, error, freedom = self._of(self.values[self.places == commit])
        slower, faster = mean / error, (bad - mean) / math.hypot(error, bad_error)
        return max(_tail(slower, freedom), _tail(faster, freedom))

    def finding(self, step: _Step) -> Finding:
        """Return the finding; its factor is that of the measurements of commits that are surely slow."""
        slow_since = self.usable[min(int(np.searchsorted(np.cumsum(self.probabilities), 0.99)), len(self.usable) - 1)]
        slow = self.values[self.places >= (self.usable[-1] if step.steps else slow_since)]
        factor = interval = None
        if len(slow):
            mean, error, freedom = self._of(slow)
            half = error * float(upper_quantile(np.array((1 - self.config.confidence) / 2), np.array(freedom)))
            factor, interval = math.exp(mean), (math.exp(mean - half), math.exp(mean + half))
        return Finding(
            next_commit=step.following,
            probabilities=tuple(
                float(self.probabilities[int(np.searchsorted(self.usable, commit))]) if commit in self.usable else 0.0
                for commit in range(1, int(self.usable[-1]) + 1)
            ),
            commits=step.commits,
            factor=factor,
            interval=interval,
            steps=step.steps,
            sets=len(self.values),
            reason=step.reason,
        )

    def _of(self, values: FloatArray) -> tuple[float, float, float]:
        """Return mean, standard error and degrees of freedom; the variance is what all commits scatter by."""
        squares, freedom = self.config.sd_freedom * self.config.sd**2, self.config.sd_freedom
        for commit in set(self.places.tolist()):
            own = self.values[self.places == commit]
            squares += float(((own - own.mean()) ** 2).sum())
            freedom += len(own) - 1
        return float(values.mean()), math.sqrt(squares / freedom / len(values)), freedom


def _tail(t: float, freedom: float) -> float:
    return float(upper_tail(np.array(t), np.array(freedom)))
