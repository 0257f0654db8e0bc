"""The benchmark suite: every variant against the baseline in sets of fresh processes, with controls, to one record.

The baseline is looked at first: it says how fast the machine is, and answers. In the first set each row answers too,
before it is timed; then sets follow until each row is decided or the time is up.
"""

# Long: one run from its configuration to its record, in order.
from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.errors import Interrupted
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.results.kept_rows import KeptFile, kept_examples
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.example import Example, Prediction
from nqperf.perf.machine.examination import device_fingerprint, seen_by
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.looks import Measurement
from nqperf.perf.suite.answering import MOST_ANSWERS, Answering, Further, no_further
from nqperf.perf.suite.baseline import machine_of, require_installed
from nqperf.perf.suite.challenger import read_challenger, weighed
from nqperf.perf.suite.conduct import SuiteConduct
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.outcome import Known, Outcomes, evidence_fault, heads_fault, short_of_sets
from nqperf.perf.suite.resume import identity, take_over
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.task import cut_text, data_record, make_task, model_record, workload
from nqperf.perf.variants.floors import most_likely_first
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.progress import Doing, Progress, Rows, SetFinished, silent
from nqperf.records.profiles import PAGES, Profile
from nqperf.records.results import Fingerprint, Results, utc_now

if TYPE_CHECKING:
    from nqperf.defaults import DevelopmentSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuiteRun:
    """The record of a run, each variant's predictions, and where the wall time went.

    `results` is the record, `predictions` are by variant. Units of `seconds`: "models" is spent in rounds, predictions
    and warm-up, "start" in starting processes and building the models, "other" is the suite's own. `interrupted` is the
    signal that ended the measuring, None where none did; `unfinished` says whether a later start can go on from its
    sets.
    """

    results: Results
    predictions: Mapping[str, list[Prediction]]
    seconds: Mapping[str, float]
    interrupted: BaseException | None = None
    unfinished: bool = False


# Long: the whole run is read in one piece.
def run_suite(config: SuiteConfig, progress: Progress = silent) -> SuiteRun:
    """Run the suite as `config` says, and return the record.

    `progress` is told what is done, each set and each row that is finished, never while one is timed.

    Raises: NqPerfError for bad input, before any worker starts, and when the baseline itself cannot run or be trusted;
    OutOfTimeError when the budget has no room for one set, with one that has. A variant that fails is a row of the
    record. A signal that comes after the first look ends the measuring, not the run.
    """
    started = time.perf_counter()
    variants = config.rows()
    profiles = config.device_profiles()
    session, source = open_session(config, progress)
    if session.challenger is not None:
        variants = (*variants, *session.challenger.rows(variants))
    with session:
        machine = machine_of(config)
        session.on_gpu = machine.device == "gpu"
        sizes = workload(session.folder, session.task, session.batch_size)
        session.set_pages(config.pages or profiles.pages_for(machine.fingerprint, sizes))
        machine = seen_by(machine, session.start_baseline())
        fingerprint = on_pages(machine.fingerprint, session.pages_seen)
        profile = profiles.fitting(fingerprint, sizes)
        if config.recipe is not None:
            profile = config.recipe.added_to(profile, fingerprint, sizes)
        run = _Run(
            session=session,
            variants=variants[1:],
            known=Known(
                machine=machine,
                absent={one.name: reason for one in variants[1:] if (reason := one.missing(machine))},
                floors=profile.promises() if profile else {},
            ),
            on_gpu=bool(fingerprint.gpus),
            progress=progress,
        )
        run.choose()
        untrained = heads_fault(session) is not None and config.limit is None
        cut = () if untrained else cut_text(session.task, config)
        earlier = kept_examples(config.kept) if config.resume and config.kept is not None else None
        run.given_up += (*cut, *session.answer_baseline(len(run.chosen), untrained=untrained, earlier=earlier))
        session.end_baseline()
        kept = KeptFile(path=config.kept, run=identity(session, fingerprint, profile))
        further = _further(config, len(session.task.inputs))
        session.most_answers = min(MOST_ANSWERS, config.limit or MOST_ANSWERS) if further else None
        run.measure(kept, config)
        run.short = tuple(short_of_sets(run.measured)) if run.measured else ()
        run.given_up += run.short
        run.ask_on(further or no_further, config.limit)
    results = _results(run, config, source, fingerprint, profile)
    total = time.perf_counter() - started
    spent = session.seconds
    other = total - spent["models"] - spent["start"]
    return SuiteRun(
        results=results,
        predictions=dict(session.predictions),
        seconds={"total": total, **spent, "other": other},
        interrupted=run.measured.interrupted if run.measured else None,
        unfinished=run.is_unfinished(results),
    )


def open_session(config: SuiteConfig, progress: Progress) -> tuple[Session, str]:
    """Return what the variants are held to each other in, and the name of its data; nothing is started.

    `config` says which model, data and limits; `progress` is told what is done.

    Raises: NqPerfError for a model, data or profiles that cannot be used.
    """
    budget = Budget(seconds=config.budget, spent=config.spent)
    baseline = config.rows()[0]
    require_installed(baseline)
    folder = open_model(config.model or _packaged_model())
    if config.recipe is not None:
        config.recipe.require_model(folder)
    folder.read_weights()
    challenger = None if config.against is None else read_challenger(config.against, folder, config.max_seq_length)
    source, examples = _examples(config)
    progress(Doing(stage="features"))
    task = make_task(folder, examples, max_seq_length=config.max_seq_length, windows=config.windows)
    batch_size = config.batch_size or (GPU_BATCH if device_fingerprint(baseline.engine).gpus else CPU_BATCH)
    session = Session(
        folder=folder,
        challenger=challenger,
        task=task,
        batch_size=batch_size,
        gate=config.gate,
        budget=budget,
        timeouts=config.timeouts,
        pages=config.pages or "huge",
        baseline=baseline,
        progress=lambda stage, name: progress(Doing(stage=stage, name=name)),
    )
    return session, source


@dataclass(slots=True, kw_only=True)
class _Run:
    """The rows of one run on their way to the record.

    Fields:
        session: The session.
        variants: All rows but the baseline, in the order of the record.
        known: Why some of them cannot run here, and what is promised of some.
        on_gpu: Whether the machine computes on a GPU.
        progress: Told what is done.
        chosen: The rows that there is time for.
        given_up: What the time does not allow, a line each.
        short: Those of them that say why no further set was taken.
        measured: The sets and looks.
    """

    session: Session
    variants: Sequence[Variant]
    known: Known
    on_gpu: bool
    progress: Progress
    chosen: tuple[Variant, ...] = ()
    given_up: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    measured: Measurement | None = None
    outcomes: Outcomes | None = None
    _told: set[str] = field(default_factory=set)
    _since: float = field(default_factory=time.perf_counter)

    def choose(self) -> None:
        """Choose the rows that one set has time for: what was promised first, then what has won somewhere.

        Raises: OutOfTimeError when there is no time for a set of one row.
        """
        able = [variant for variant in self.variants if variant.name not in self.known.absent]
        likely = sorted(most_likely_first(able, on_gpu=self.on_gpu), key=lambda one: one.name not in self.known.floors)
        session = self.session
        left = session.budget.left()
        count = len(likely)
        # Each row answers a batch at least.
        while count > 1 and session.set_seconds(count) + (count + 1) * session.speed.batch > left:
            count -= 1
        if likely:
            session.budget.require(session.set_seconds(1) + 2 * session.speed.batch, "one set of processes")
        names = {variant.name for variant in likely[:count]}
        self.chosen = tuple(variant for variant in self.variants if variant.name in names)

    def measure(self, kept: KeptFile, config: SuiteConfig) -> None:
        """Take the sets."""
        session = self.session
        self.measured = measured = Measurement(
            baseline=session.starter(session.baseline),
            starts=session.starters(self.chosen),
            rows=lambda: session.judged_rows(self.chosen, self.known.floors),
            gate=session.gate,
            budget=session.budget,
            speed=session.speed,
            conduct=SuiteConduct(
                session=session,
                variants={variant.name: variant for variant in self.chosen},
                on_gpu=self.on_gpu,
                told=self._tell_round,
            ),
            seed=random.SystemRandom().getrandbits(32) if config.seed is None else config.seed,
        )
        earlier = kept.read() if config.resume else None
        if earlier is not None:
            take_over(earlier, measured, session, {variant.name: variant for variant in self.chosen})

        def looked(_: Measurement) -> None:
            found = self._outcomes(measured)
            kept.write(found.rows, found.controls, measured.record())
            self._tell_look(found)

        measured.told = looked
        if self.chosen:
            measured.run()

    def ask_on(self, further: Further, limit: int | None) -> None:
        """Ask the rows whose answers are undecided `further` examples, in the time that is left; end the measuring.

        `limit` is that of `further`, None where it has none.
        """
        measured = self.measured
        assert measured is not None, "measure comes first"  # noqa: S101
        ended = Answering(session=self.session, further=no_further, no_more="the run was interrupted")
        no_more = "there are no more examples" + ("" if limit is None else f" within --limit {limit}")
        fault = evidence_fault(self.session)
        if fault is not None:  # the time would be spent on nothing
            further, no_more = no_further, f"no number of answers would tell, for {fault.partition(':')[0]}"
        asking = ended if measured.interrupted else Answering(session=self.session, further=further, no_more=no_more)
        try:
            asking.run(self.chosen)
        except (KeyboardInterrupt, Interrupted) as caught:
            measured.interrupted = caught
            ended.run(self.chosen)
        self.outcomes = self._outcomes(measured)

    def is_unfinished(self, results: Results) -> bool:
        """Return whether a later start could go on from the sets of this one, whose record is `results`."""
        measured = self.measured
        if measured is None or measured.interrupted is not None:
            return measured is not None
        waiting = any(row.status == "unjudged" for row in results.variants)
        return waiting or (bool(self.short) and measured.passes < measured.most)

    def _outcomes(self, measured: Measurement) -> Outcomes:
        return Outcomes.of(self.session, measured, self.variants, self.known)

    def _tell_round(self, number: int) -> None:
        if self.measured is not None:
            doing = f"{number + 1} of {self.measured.rounds}, set {len(self.measured.taken) + 1}"
            self.progress(Doing(stage="round", name=doing))

    def _tell_look(self, found: Outcomes) -> None:
        measured = self.measured
        if measured is None or measured.judgement is None:
            return
        now = time.perf_counter()
        self.progress(
            SetFinished(
                number=len(measured.estimates),
                left=measured.sets_left(),
                rows=measured.judgement.rows,
                seconds=now - self._since,
            )
        )
        self._since = now
        self._tell_rows(found)

    def _tell_rows(self, found: Outcomes) -> None:
        """Tell of the rows that are decided, each once."""
        done = [row for row in found.rows if row.name not in self._told and found.is_done(row)]
        rows = Rows(self.progress, len(found.rows) - len(self._told))
        for row in done:
            self._told.add(row.name)
            rows.finished(row.name, row)


def _results(run: _Run, config: SuiteConfig, source: str, fingerprint: Fingerprint, profile: Profile | None) -> Results:
    """Return the record of a run."""
    session, found, measured = run.session, run.outcomes, run.measured
    assert found is not None, "measure comes first"  # noqa: S101
    assert measured is not None  # noqa: S101
    baseline = session.baseline_row()
    said = weighed(session.task, [baseline, *found.rows], session.predictions, session.challenger)
    verdict = found.verdict(proves_nothing=evidence_fault(session), interrupted=bool(measured.interrupted))
    broken = tuple(f"the baseline's process was lost: {error}" for error in measured.broken)
    stopped = ("the measuring was interrupted: what was known by then",) if measured.interrupted else ()
    outcome = verdict.outcome
    if broken and outcome != "INVALID":
        outcome = "FAIL"
    elif stopped and outcome == "PASS":
        outcome = "INCONCLUSIVE"
    return Results(
        command=config.command,
        created=utc_now(),
        fingerprint=fingerprint.and_observed(measured.others),
        model=model_record(session.folder),
        data=data_record(session.task, source),
        workload=workload(session.folder, session.task, session.batch_size),
        profile=profile.name if profile else None,
        variants=(baseline, *found.rows),
        controls=found.controls,
        judged=verdict.judged,
        expected=verdict.expected,
        outcome=outcome,
        reasons=(*broken, *stopped, *verdict.reasons, *said),
        given_up=(*run.given_up, *found.unreached(session)),
        sets=measured.record(),
        budget=config.budget if math.isfinite(config.budget) else None,
    )


def on_pages(fingerprint: Fingerprint, pages: str) -> Fingerprint:
    """Return `fingerprint` with the kind of memory `pages` that the baseline was seen on."""
    if pages == "plain":
        return fingerprint
    return msgspec.structs.replace(fingerprint, states={**fingerprint.states, PAGES: pages})


def _packaged_model() -> Path:
    from nqperf.defaults import PACKAGED_MODEL

    return PACKAGED_MODEL


def _examples(config: SuiteConfig) -> tuple[str, Iterable[Example]]:
    source = _source(config, Selection(limit=config.limit))
    return source.source, source.examples()


def _further(config: SuiteConfig, asked: int) -> Further | None:
    """Return what yields the examples behind the `asked` ones, up to the limit; None where that allows no more."""
    limit = config.limit
    if limit is None:
        return lambda skip: _source(config, Selection(skip=skip), skip + MOST_ANSWERS).examples()
    if limit <= asked:
        return None
    return lambda skip: _source(config, Selection(skip=skip, limit=limit - skip), limit).examples()


def _source(config: SuiteConfig, selection: Selection, count: int | None = None) -> NqReader | DevelopmentSet:
    """Return the data of a run, of the generated world as many as `count`."""
    from nqperf.defaults import DEVELOPMENT_EXAMPLES, DevelopmentSet

    if config.data is not None:
        return NqReader(source=config.data, selection=selection)
    return DevelopmentSet(selection=selection, count=count or DEVELOPMENT_EXAMPLES)
