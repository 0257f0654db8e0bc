"""The commit that made something slower: each step measures one commit beside the good one, in fresh processes."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.results.bisect_json import BisectState, read_state, write_state
from nqperf.perf.machine.examination import device_fingerprint
from nqperf.perf.measuring.duets import FAR, How, Pair, can_duet, started_pairs
from nqperf.perf.measuring.load import Load
from nqperf.perf.revisions.builders import BuilderProcess, Starting, package_alone
from nqperf.perf.revisions.compare import require_target, starter
from nqperf.perf.revisions.git import Commit, Repository
from nqperf.perf.revisions.rows import runs_of_a_round
from nqperf.perf.revisions.sides import Side, side_of_commit
from nqperf.perf.revisions.suite import RowsAsked, row_starts
from nqperf.perf.revisions.task import shared_task
from nqperf.perf.workers.progress import Doing, Progress, silent
from nqperf.plain_text import counted
from nqperf.statistics.search import Finding, Measured, SearchConfig, search

_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectConfig:
    """How a search measures and when it is sure.

    `factor` is the least slowdown that is searched for (1.05: 5 %), `confidence` how sure the answer must be, `most`
    the sets that may be measured in all. `seed` draws the orders, `progress` is told each step. A worker may take
    `build_seconds` to build, `run_seconds` for a round. With `fresh`, what an earlier start of the same search has
    measured is left aside.
    Raises: ConfigError when a value is out of range.
    """

    factor: float = 1.05
    confidence: float = 0.99
    most: int = 100
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    seed: int = 0
    fresh: bool = False
    progress: Progress = silent

    def search(self) -> SearchConfig:
        """Return the same as the search takes it."""
        return SearchConfig(confidence=self.confidence, most=self.most, factor=self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected:
    """What a search found.

    The search was for what made `bad` slower than `good`. `commits` are those that cannot be told apart: one, or
    several where those between do not build; none where the bad revision is not slower. `steps` are commits at which a
    part of the slowdown came. `factor` is the slowdown with its `interval`. `sets` were measured. `unusable` says of
    commits that do not build why. `reason` says how the search ended, `others` how many of the cores other programs
    used meanwhile, None where few.
    """

    good: Commit
    bad: Commit
    commits: tuple[Commit, ...]
    steps: tuple[Commit, ...]
    factor: float | None
    interval: tuple[float, float] | None
    sets: int
    unusable: Mapping[str, str]
    reason: str
    others: str | None = None


class GoodFailedError(NqPerfError):
    """The good revision does not build or run: no fault of the commit that was measured beside it."""


DEFAULT = BisectConfig()
# Of the good side and a commit's, what starts both for being timed in a way. Raises: GoodFailedError, and NqPerfError
# where the commit cannot be measured.
StartsOf = Callable[[tuple[Side, Side]], Callable[[How], Pair]]
# Measures one set: the log slowdown of a commit beside the good one; NqPerfError when the commit does not build.
MeasureSet = Callable[[Commit], float]


def bisect(target: str, good: str, bad: str, folder: Path, config: BisectConfig = DEFAULT) -> Bisected:
    """Find the commit after `good`, up to `bad`, that made `target` slower, in the repository around `folder`.

    `target` is a builder, "module:build"; `config` says how. What is measured is kept in the repository's own folder of
    git, so that the same call goes on after a kill.
    Raises: ConfigError for bad input; GoodFailedError when the good revision does not build or run.
    """
    require_target(target)
    repository = Repository.around(folder)
    with package_alone() as alone:
        starting = _starting(repository, alone, config, target=target)

        def starts_of(sides: tuple[Side, Side]) -> Callable[[How], Pair]:
            return starter(sides, (starting, starting), names=("good", "commit"))

        return _bisect(repository, good, bad, config, _Sought(name=target, target=target, starts_of=starts_of))


def bisect_row(asked: RowsAsked, good: str, bad: str, folder: Path, config: BisectConfig = DEFAULT) -> Bisected:
    """Find the commit after `good`, up to `bad`, that made a row of the suite slower, as `bisect` does of a builder.

    `asked` names the row, one of its variants or stages. Each revision of the repository around `folder` runs its own
    code by its own table of variants, between `good` and `bad`, as `config` says.
    Raises: ConfigError for bad input, also where not one row is named; GoodFailedError when the good revision does not
    run it.
    """
    if asked.variants is None or len(asked.variants) != 1:
        raise ConfigError(
            f"{', '.join(asked.variants or ()) or 'no row'} is named; expected one row: a search is for one"
        )
    repository = Repository.around(folder)
    with package_alone() as alone, shared_task(asked.data, asked.limit) as task:
        starting = _starting(repository, alone, config, target="")

        def starts_of(sides: tuple[Side, Side]) -> Callable[[How], Pair]:
            return row_starts(asked, sides, task, starting)

        name = f"row {asked.variants[0]}"
        of = "".join(f", {what} {value}" for what, value in (("model", asked.model), ("data", asked.data)) if value)
        return _bisect(repository, good, bad, config, _Sought(name=name + of, target=None, starts_of=starts_of))


def _starting(repository: Repository, alone: Path, config: BisectConfig, *, target: str) -> Starting:
    return Starting(
        target=target,
        project=repository.root,
        alone=alone,
        build_seconds=config.build_seconds,
        run_seconds=config.run_seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sought:
    """What a search is about: its `name`, the builder that a commit may lack (`target`), and what starts two sides."""

    name: str
    target: str | None
    starts_of: StartsOf


def _bisect(repository: Repository, good: str, bad: str, config: BisectConfig, sought: _Sought) -> Bisected:
    first, commits = repository.commit(good), repository.between(good, bad)
    state = BisectState(target=sought.name, good=first.sha, bad=commits[-1].sha)
    path = repository.own_folder() / "nqperf" / f"bisect-{_key(state)}.json"
    kept = None if config.fresh else read_state(path)
    load = Load()
    with ExitStack() as stack:
        measuring = _Measuring(repository=repository, good=first, sought=sought, config=config, stack=stack)
        found, state = find(commits, kept or state, measuring, config, lambda state: write_state(path, state), load)
    path.unlink(missing_ok=True)
    by_number = dict(enumerate(commits, start=1))
    return Bisected(
        good=first,
        bad=commits[-1],
        commits=tuple(by_number[number] for number in found.commits),
        steps=tuple(by_number[number] for number in found.steps),
        factor=found.factor,
        interval=found.interval,
        sets=len(state.measured),
        unusable=state.unusable,
        reason=found.reason,
        others=load.others(),
    )


def find(
    commits: tuple[Commit, ...],
    state: BisectState,
    measure: MeasureSet,
    config: BisectConfig,
    keep: Callable[[BisectState], None],
    load: Load,
) -> tuple[Finding, BisectState]:
    """Measure what the search asks for until it ends; return what it found, and all that was measured.

    `state` is what an earlier start has measured. `commits` are in order, the bad one last; `measure` takes one set of
    one of them, `config` says when it is sure, `keep` is given the state after each step, and `load` tells what others
    use meanwhile.
    Raises: ConfigError when the bad commit does not build, GoodFailedError when the good one does not.
    """
    numbers = {commit.sha: number for number, commit in enumerate(commits, start=1)}
    times: list[float] = []
    while True:
        measured = [Measured(commit=numbers[sha], slowdown=slowdown) for sha, slowdown in state.measured]
        unusable = {numbers[sha] for sha in state.unusable}
        if len(commits) in unusable:
            last = commits[-1]
            raise ConfigError(f"the bad revision {last.short} cannot be measured: {state.unusable[last.sha]}")
        found = search(len(commits), measured, unusable=unusable, config=config.search())
        if found.next_commit is None:
            return found, state
        commit = commits[found.next_commit - 1]
        left = (config.most - len(measured)) * sum(times) / len(times) if times else None
        so_far = _so_far(found, commits, len(measured), config) + load.text()
        what = f"{commit.short} ({commit.subject}) beside the good revision"
        config.progress(Doing(stage="measuring", name=what, so_far=so_far, left=left))
        began = time.monotonic()
        try:
            slowdown = measure(commit)
            times.append(time.monotonic() - began)
        except GoodFailedError:
            raise
        except NqPerfError as error:
            state = msgspec.structs.replace(state, unusable={**state.unusable, commit.sha: str(error)})
        else:
            state = msgspec.structs.replace(state, measured=(*state.measured, (commit.sha, slowdown)))
        keep(state)


def _so_far(found: Finding, commits: tuple[Commit, ...], sets: int, config: BisectConfig) -> str:
    """Return in words what is `found` of the `commits` after so many `sets`."""
    said = f"{counted(found.in_doubt(config.confidence), 'commit')} in doubt, {sets} of at most {config.most} sets"
    if not sets:
        return said
    likeliest = max(range(len(commits)), key=lambda number: found.probabilities[number])
    said += f", likeliest {commits[likeliest].short} ({found.probabilities[likeliest]:.0%})"
    # Who reads that one is in doubt wants to know what is left to do.
    return f"{said}: {found.reason}" if found.in_doubt(config.confidence) == 1 else said


@dataclass(slots=True, kw_only=True)
class _Measuring:
    """Measures sets of commits beside the good one, whose files stay checked out as long as the stack is open."""

    repository: Repository
    good: Commit
    sought: _Sought
    config: BisectConfig
    stack: ExitStack
    _good_side: Side | None = None
    _how: How | None = None
    _runs: int | None = None
    _sets: int = 0

    def __call__(self, commit: Commit) -> float:
        """Return the log slowdown of one set. Raises: NqPerfError when the commit does not build or run."""
        target, root = self.sought.target, self.repository.root
        if self._good_side is None:
            place = self.stack.enter_context(self.repository.checked_out(self.good))
            try:
                self._good_side = side_of_commit(self.good, place, root, target=target)
            except NqPerfError as error:
                raise _good_failed(error) from error
        drawn = random.Random(f"{self.config.seed} {self._sets} {commit.sha}")  # noqa: S311  # an order, no secret
        self._sets += 1
        with self.repository.checked_out(commit) as place:
            side = side_of_commit(commit, place, root, target=target)
            starts = self.sought.starts_of((self._good_side, side))
            how = self._how = self._how or ("duet" if can_duet() and not device_fingerprint().gpus else "turns")
            slowdown = self._set(starts, how, drawn.randrange(1 << 32))
            if how == "duet" and abs(slowdown) > FAR:
                # From here on: a commit as fast as the good one has the same ratio either way.
                self._how = "turns"
                slowdown = self._set(starts, self._how, drawn.randrange(1 << 32))
            return slowdown

    def _set(self, starts: Callable[[How], Pair], how: How, seed: int) -> float:
        name = self.sought.name
        with started_pairs({name: starts(how)}, seed=seed, at_once=how == "duet") as alive:
            row = alive.rows[name]
            if row.lost is None:
                processes = [process for process in row.sides.values() if isinstance(process, BuilderProcess)]
                self._runs = self._runs or runs_of_a_round(max(one.warm_up_seconds for one in processes))
                for process in processes:
                    process.repeat(self._runs)
            taken = alive.take(how, _ROUNDS).rows[name]
        if taken.lost is not None:
            role, error = taken.lost
            raise _good_failed(error) if role == "base" else error
        estimate = taken.estimate()
        if estimate is None or not math.isfinite(estimate.location):
            raise NqPerfError("no round was taken")
        return -estimate.location


def _good_failed(error: NqPerfError) -> GoodFailedError:
    said = f"the good revision fails: {str(error).rstrip('.')}"
    return GoodFailedError(f"{said}: name a later --good, at which it builds and runs")


def _key(state: BisectState) -> str:
    return hashlib.sha256(f"{state.target} {state.good} {state.bad}".encode()).hexdigest()[:16]
