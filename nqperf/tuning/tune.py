"""`tune`: the fastest way to run a model on this machine that keeps its answers, found by racing and then proven."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from nqperf.engines.threads import INTRA_OP
from nqperf.errors import ConfigError, NqPerfError
from nqperf.formats.results.recipe_toml import Figures, Recipe
from nqperf.perf.machine.examination import seen_by
from nqperf.perf.suite.baseline import machine_of
from nqperf.perf.suite.config import SuiteConfig, SuiteOptions
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.suite import open_session
from nqperf.perf.suite.task import data_record, model_record
from nqperf.perf.variants.variant import Tolerance, Variant
from nqperf.perf.workers.progress import Progress, Row, RowFinished, silent
from nqperf.records.results import BASELINE, VariantResult, utc_now
from nqperf.tuning.candidates import TOLERANCES, Space, racing_rows
from nqperf.tuning.race import Contender, place
from nqperf.tuning.search import Proof, Search, Told, Visit
from nqperf.tuning.tryouts import PROOF_GATE, VISIT_ROUNDS, WorkerTryouts

# Pairs need few windows, the answers' check as many as there are; more than these would take hours of preparing.
_MOST_WINDOWS = 4096
# Visits of contenders that are close, and of the ways next to the best.
_CLOSE_ONES = 6
# A search has more time than a run of the suite, and takes its pairs as its own gate says.
_SUITE = SuiteConfig(gate=PROOF_GATE, windows=_MOST_WINDOWS, budget=900.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneConfig:
    """What is tuned, how exact its answers must stay, and the seconds that it may take from its start to its end.

    Fields:
        suite: The model, the data, the rows that race, and the budget; its gate judges the proof.
        tolerance: How close answers must stay.

    Raises: ConfigError for an unknown tolerance, a budget without an end, or a field that has no effect on a search.
    """

    suite: SuiteConfig = _SUITE
    tolerance: Tolerance = "exact"

    def __post_init__(self) -> None:
        if self.tolerance not in TOLERANCES:
            raise ConfigError(f"the tolerance is {self.tolerance!r}; expected one of {', '.join(TOLERANCES)}")
        if self.suite.budget == math.inf:
            raise ConfigError("the budget is without an end; expected seconds: a search ends when they are spent")
        without = ("recipe", "profiles", "against", "batch_size", "kept", "resume")
        self.suite.refuse(*without, why="a search finds the recipe and the batch itself")

    @classmethod
    def from_options(cls, *, tolerance: Tolerance = "exact", **options: Any) -> TuneConfig:
        """Return what options say, as `SuiteOptions.read` takes them; what they do not say is as by default.

        `tolerance` is how close answers must stay, `options` are all others, by name.

        Raises: NqPerfError for an option that is unknown, has no effect, or names what cannot be used.
        """
        asked = SuiteOptions.read(**options)
        if asked.quick or asked.rounds is not None:
            raise ConfigError("quick and rounds have no effect on a search: its budget says how long it takes")
        return cls(suite=asked.over(_SUITE), tolerance=tolerance)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One way that was tried or left out: how it ran, its speed-up per window, and what became of it.

    `name` is its row's, with what was changed of it; `outcome` says in words what became of it. It ran on `engine` with
    its `settings`, `batch_size` windows at once, and these variables of the `environment`. `ratio` is its speed-up over
    the baseline, None where it was not timed, in `interval`, None where its pairs are too few; `pairs` are those of its
    visits and its proof. `seconds` is the time that it has taken.
    """

    name: str
    outcome: str
    engine: str
    batch_size: int
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    pairs: int = 0
    seconds: float = 0.0


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: the `recipe`, its figures again, and the table of what was `tried`, the best first.

    `tolerance` is how close answers had to stay. `ratio` is the recipe's speed-up over the baseline, in `interval`.
    Without an interval nothing is proven, and the ratio is 1: nothing beats the baseline, or the search was
    `interrupted` before. `changed` of `examples` predictions are not the baseline's. `left_out` are rows that could not
    race, by name, with the reason; `given_up` is what else was left out, with the reason. `seconds` is the time of the
    whole search.
    """

    recipe: Recipe
    tolerance: Tolerance
    ratio: float
    interval: tuple[float, float] | None
    changed: int
    examples: int
    tried: tuple[Tried, ...]
    left_out: dict[str, str]
    given_up: tuple[str, ...]
    interrupted: bool
    seconds: float


# Long: the whole search is read in one piece.
def tune(config: TuneConfig, progress: Progress = silent) -> Tuned:
    """Search for the fastest way to run the model whose answers hold, and prove it; Ctrl-C keeps the best so far.

    `config` says which model, how exact its answers must stay, and how long it may take; `progress` is told each step.

    Raises: NqPerfError for bad input, before any worker starts, and when the baseline itself cannot run; OutOfTimeError
    when the budget has no room for one set, with one that has. KeyboardInterrupt before anything was tried.
    """
    started = time.monotonic()
    suite = config.suite
    session, source = open_session(suite, progress)
    with session:
        machine = machine_of(suite)
        session.on_gpu = machine.device == "gpu"
        session.set_pages(config.suite.pages or "huge")
        machine = seen_by(machine, session.start_baseline())
        session.budget.require(session.set_seconds(1), "one set of processes")
        racing, left_out = racing_rows(suite.rows(), config.tolerance, machine)
        given_up = session.answer_baseline(1, measuring=_racing_seconds(session, len(racing)))
        session.end_baseline()
        space = Space(machine=machine, batch_size=session.batch_size, windows=len(session.task.features))
        tryouts = WorkerTryouts(
            session=session,
            tolerance=config.tolerance,
            relieves=lambda one: space.relieved(one) is not None,
            gate=suite.gate,
        )
        search = Search(space=space, tryouts=tryouts, baseline=space.of(session.baseline))
        search.told = _callback(progress, search)
        interrupted = False
        try:
            search.run([space.of(row) for row in racing])
        except KeyboardInterrupt:
            interrupted = True
        work = Recipe(
            **_way(search),
            max_seq_length=suite.max_seq_length,
            tolerance=config.tolerance,
            command=suite.command,
            created=utc_now(),
            model=model_record(session.folder),
            data=data_record(session.task, source),
            device=machine.fingerprint,
            figures=_figures(search),
            note=_note(search, interrupted=interrupted),
        )
    figures = work.figures
    return Tuned(
        recipe=work,
        tolerance=config.tolerance,
        ratio=figures.ratio if figures else 1.0,
        interval=figures.interval if figures else None,
        changed=figures.changed if figures else 0,
        examples=len(session.task.inputs),
        tried=tuple(_table(search)),
        left_out=left_out,
        given_up=given_up,
        interrupted=interrupted,
        seconds=time.monotonic() - started,
    )


def _racing_seconds(session: Session, rows: int) -> float:
    """Return about how long the race of so many rows takes, beside the answers.

    The baseline gives them, and what is proven, which is no slower. Half of the rows are soon seen to be far behind;
    the close ones come again, and then the ways next to the best.
    """
    return (rows // 2 + _CLOSE_ONES) * (2 * session.speed.start + 3 * VISIT_ROUNDS * session.speed.turn)


def _way(search: Search) -> dict[str, Any]:
    """Return how the leader runs, as the fields of a recipe."""
    found = search.candidates[search.leader.name]
    environment = {**_inherited(found.variant), **found.variant.environment}
    return {
        "row": found.row,
        "engine": found.variant.engine,
        "batch_size": found.batch_size,
        "settings": dict(found.variant.settings),
        "environment": environment,
        "threads": int(environment.get(INTRA_OP, 0)) or None,
    }


def _inherited(variant: Variant) -> dict[str, str]:
    """Return the caller's own settings that all workers had, without which the recipe would be another one."""
    names = sorted(variant.engine_row().engine_type().read_variables)
    return {name: os.environ[name] for name in names if name in os.environ}


def _figures(search: Search) -> Figures | None:
    """Return what was proven of the leader; None where nothing was."""
    leader = search.leader
    proof = search.proofs.get(leader.name)
    if proof is None or proof.verdict.interval is None:
        return None
    return Figures(
        ratio=proof.verdict.ratio,
        interval=proof.verdict.interval,
        pairs=proof.verdict.pairs,
        examples=proof.agreement.compared,
        changed=proof.agreement.changed,
        micro_f1=proof.agreement.value,
        baseline_micro_f1=proof.agreement.baseline_value,
        floor=proof.verdict.ratio,
        floor_sd=(proof.verdict.sd or 0.0) / math.sqrt(proof.verdict.sets),
    )


def _note(search: Search, *, interrupted: bool) -> str:
    leader = search.leader
    broken_off = "the search was interrupted" if interrupted else ""
    if leader.name == BASELINE:
        said = "nothing was found that is surely faster than the baseline and keeps its answers"
        return f"{said}; {broken_off}" if interrupted else said
    if leader.proof is None:
        why = broken_off or "the time was up"
        return f"not confirmed: {why} before all answers were checked and the ratio was measured in fresh processes"
    return broken_off


def _table(search: Search) -> Iterator[Tried]:
    """Yield what was tried, the best first."""
    config = search.config
    known = {one.name: one.interval(config) for one in search.contenders}
    for one in sorted(search.contenders[1:], key=lambda one: (one.failure is not None, -known[one.name].middle)):
        candidate, interval = search.candidates[one.name], known[one.name]
        timed = one.pairs > 0 or one.proof is not None
        proof = search.proofs.get(one.name)
        yield Tried(
            name=one.name,
            outcome=place(one, search.contenders, config),
            engine=candidate.variant.engine,
            batch_size=candidate.batch_size,
            settings=dict(candidate.variant.settings),
            environment=dict(candidate.variant.environment),
            ratio=math.exp(interval.middle) if timed else None,
            interval=(math.exp(interval.low), math.exp(interval.high)) if interval.low > -math.inf else None,
            pairs=one.pairs + (proof.verdict.pairs if proof else 0),
            seconds=one.seconds,
        )


def _callback(progress: Progress, search: Search) -> Told:
    """Return what tells of each step that is done."""

    def tell(one: Contender, found: Visit | Proof | NqPerfError, seconds: float) -> None:
        row: Row
        if isinstance(found, Visit):
            row = found.pairs
        elif isinstance(found, Proof):
            row = found.verdict
        else:
            row = VariantResult(name=one.name, status="failed", reason=str(found))
        untried = sum(not other.sets and other.failure is None for other in search.contenders[1:])
        progress(RowFinished(name=one.name, row=row, seconds=seconds, left=untried))

    return tell
