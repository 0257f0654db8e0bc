"""The benchmark suite: every variant against the baseline, answers first, then speed, with controls, to one record.

A variant's worker lives while it is measured, the baseline's as long as it can: rounds are pairs with the baseline, so
more workers at once would cost memory and start-up without adding a comparison.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.errors import NqPerfError, OutOfTimeError
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.example import Example, Prediction
from nqperf.perf.machine.examination import (
    PROBE_SECONDS,
    device_fingerprint,
    look_at_machine,
    require_device,
    seen_by,
)
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.planting import PLANTED
from nqperf.perf.suite.challenger import read_challenger, weighed
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.resume import identity, kept_rows
from nqperf.perf.suite.session import Session
from nqperf.perf.suite.task import data_record, make_task, model_record, workload
from nqperf.perf.variants.floors import most_likely_first
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.progress import Doing, Progress, Rows, silent
from nqperf.records.results import BASELINE, Control, Controls, Results, VariantResult, utc_now
from nqperf.records.verdict import judge_run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuiteRun:
    """The record of a run, each variant's predictions, and where the wall time went.

    Units of `seconds`: "models" is spent in rounds, predictions and warm-up, "start" in starting processes and building
    the models, "other" is the suite's own.
    """

    results: Results
    predictions: Mapping[str, list[Prediction]]
    seconds: Mapping[str, float]


def run_suite(config: SuiteConfig, progress: Progress = silent) -> SuiteRun:
    """Run the suite; `progress` is told what is done and each row that is finished, never while a batch is timed.

    Raises: NqPerfError for bad input, before any worker starts, and when the baseline itself cannot run or be trusted.
    A variant that fails is a row of the record.
    """
    started = time.perf_counter()
    variants = config.rows()
    profiles = config.device_profiles()
    session, source = open_session(config, progress)
    if session.challenger is not None:
        variants = (*variants, *session.challenger.rows(variants))
    told = Rows(progress, len(variants) + 1)  # the controls are a row too
    with session:
        machine = look_at_machine(timeout=min(PROBE_SECONDS, config.budget))
        require_device(config.require, machine)
        fingerprint = machine.fingerprint
        machine = seen_by(machine, session.start_baseline())
        absent = {variant.name: reason for variant in variants[1:] if (reason := variant.missing(machine))}
        given_up = session.answer_baseline(len(variants) - 1 - len(absent))
        told.finished(BASELINE, session.baseline_row())
        sizes = workload(session.folder, session.task, session.batch_size)
        profile = profiles.fitting(fingerprint, sizes)
        if config.recipe is not None:
            profile = config.recipe.added_to(profile, fingerprint, sizes)
        controls, broken_off = _controls(session)
        told.finished("controls", controls)
        floors = profile.floors if profile else {}
        run = identity(session, fingerprint, profile)
        kept = kept_rows(config.kept, run, controls, resume=config.resume)
        likely = most_likely_first(variants[1:], on_gpu=bool(fingerprint.gpus))
        # What was promised comes first, for a run in which it is not judged has failed.
        for variant in sorted(likely, key=lambda variant: variant.name not in floors):
            reason, floor = absent.get(variant.name), floors.get(variant.name)
            if variant.name not in kept.rows:
                kept.add(_skipped(variant, reason) if reason else session.measure_variant(variant, floor).record())
            told.finished(variant.name, kept.rows[variant.name])
        rows = {variant.name: kept.rows[variant.name] for variant in variants[1:]}
        predictions = dict(session.predictions)
        baseline = session.baseline_row()
        said = weighed(session.task, [baseline, *rows.values()], predictions, session.challenger)
    # What was tried and failed is missed everywhere; wrong answers are wrong without a promise, too.
    expected = {
        name for name, row in rows.items() if row.status == "failed" or (row.status == "measured" and name in floors)
    }
    outcomes = {name: row.verdict.outcome for name, row in rows.items() if row.verdict is not None}
    unreached = any(row.status == "unjudged" for row in rows.values())
    late = unreached if broken_off is None else isinstance(broken_off, OutOfTimeError)
    verdict = judge_run(outcomes, expected=expected, controls=controls, late=late)
    faults = (f"the controls: {broken_off}",) if broken_off else ()
    results = Results(
        command=config.command,
        created=utc_now(),
        fingerprint=fingerprint,
        model=model_record(session.folder),
        data=data_record(session.task, source),
        workload=sizes,
        profile=profile.name if profile else None,
        variants=(baseline, *(rows[variant.name] for variant in variants[1:])),
        controls=controls,
        judged=verdict.judged,
        expected=verdict.expected,
        outcome=verdict.outcome,
        reasons=(*verdict.reasons, *faults, *said),
        given_up=(*given_up, *_unjudged(rows)),
    )
    total = time.perf_counter() - started
    spent = session.seconds
    other = total - spent["models"] - spent["start"]
    return SuiteRun(results=results, predictions=predictions, seconds={"total": total, **spent, "other": other})


def open_session(config: SuiteConfig, progress: Progress) -> tuple[Session, str]:
    """Return what the variants are held to each other in, and the name of its data; nothing is started.

    Raises: NqPerfError for a model, data or profiles that cannot be used.
    """
    budget = Budget(seconds=config.budget, spent=config.spent)
    folder = open_model(config.model or _packaged_model())
    if config.recipe is not None:
        config.recipe.require_model(folder)
    folder.read_weights()
    challenger = None if config.against is None else read_challenger(config.against, folder, config.max_seq_length)
    source, examples = _examples(config)
    progress(Doing(stage="features"))
    task = make_task(folder, examples, max_seq_length=config.max_seq_length, windows=config.windows)
    batch_size = config.batch_size or (GPU_BATCH if device_fingerprint().gpus else CPU_BATCH)
    session = Session(
        folder=folder,
        challenger=challenger,
        task=task,
        batch_size=batch_size,
        gate=config.gate,
        budget=budget,
        timeouts=config.timeouts,
        progress=lambda stage, name, pairs: progress(Doing(stage=stage, name=name, pairs=pairs)),
    )
    return session, source


def _packaged_model() -> Path:
    from nqperf.defaults import PACKAGED_MODEL

    return PACKAGED_MODEL


def _examples(config: SuiteConfig) -> tuple[str, Iterable[Example]]:
    from nqperf.defaults import DevelopmentSet

    selection = Selection(limit=config.limit)
    source = (
        DevelopmentSet(selection=selection)
        if config.data is None
        else NqReader(source=config.data, selection=selection)
    )
    return source.source, source.examples()


def _skipped(variant: Variant, reason: str) -> VariantResult:
    return VariantResult(name=variant.name, status="skipped", reason=reason, requested=variant.requested())


def _unjudged(rows: Mapping[str, VariantResult]) -> Iterator[str]:
    """Yield a line on the rows that the budget did not reach."""
    unjudged = [name for name, row in rows.items() if row.status == "unjudged"]
    if unjudged:
        yield f"not judged, for the time was up: {', '.join(unjudged)}"


def _controls(session: Session) -> tuple[Controls, NqPerfError | None]:
    """Measure the two comparisons with a known answer; return them, and what kept one from being measured."""
    found: list[Control] = []
    broken_off = None
    try:
        for one in session.measure_controls(PLANTED):
            found.append(one.control())  # noqa: PERF401  # what was measured before an error is kept
    except NqPerfError as error:
        broken_off = error
    same, planted = (*found, None, None)[:2]
    return Controls(same=same, planted=planted), broken_off
