"""The benchmark suite: every variant against the baseline, answers first, then speed, with controls, to one record.

A variant's worker lives while it is measured, the baseline's as long as it can: rounds are pairs with the baseline, so
more workers at once would cost memory and start-up without adding a comparison.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nqperf.engines.batches import CPU_BATCH, GPU_BATCH
from nqperf.errors import ConfigError, NqPerfError, OutOfTimeError
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.results.recipe_toml import read_recipe
from nqperf.formats.weights.model_folder import ModelFolder, read_model_folder, read_weights
from nqperf.nq.example import Example, Prediction
from nqperf.perf.machine.examination import PROBE_SECONDS, look_at_machine, seen_by
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.measuring.planting import PLANTED
from nqperf.perf.suite.challenger import Challenger, read_challenger, weighed
from nqperf.perf.suite.recipes import check_model, read_recipe_row, with_recipe
from nqperf.perf.suite.resume import identity, kept_rows
from nqperf.perf.suite.session import DEFAULT_TIMEOUTS, Session, Timeouts
from nqperf.perf.suite.task import data_record, make_task, model_record, workload
from nqperf.perf.variants.floors import floors_for, most_likely_first, read_floors
from nqperf.perf.variants.own import read_own_variants
from nqperf.perf.variants.table import VARIANTS, select_variants
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers.progress import Doing, Progress, Rows, silent
from nqperf.records.results import BASELINE, Control, Controls, Results, VariantResult, utc_now
from nqperf.records.verdict import QUICK_GATE, REFERENCE_GATE, GateConfig, judge_run


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteConfig:
    """What is run and how long.

    None: the packaged model, the generated development set, all its examples, all variants, the packaged profiles, and
    a batch that suits the device. Of the examples, at most as many are answered as fill `windows` windows (None: all).
    The run takes at most `budget` seconds, of which `spent` were gone before its start, whatever the machine: fewer
    examples are answered and fewer pairs taken where they must be, and rows that are not reached are not judged. A
    quick run has less of all.
    The model in `against`, where there is one, runs in the same variants, as NAME:VARIANT; None is the baseline then.
    The `recipe` of a search is a row beside the table's, with a floor of its own on its own device.
    Rows that are done are kept in the file `kept`; with `resume` those of an earlier start are not measured again.
    Raises: ConfigError when a number is out of range.
    """

    model: Path | None = None
    data: str | None = None
    limit: int | None = None
    variants: tuple[str, ...] | None = None
    variants_file: Path | None = None
    recipe: Path | None = None
    profile: Path | None = None
    against: Path | None = None
    gate: GateConfig = REFERENCE_GATE
    batch_size: int | None = None
    max_seq_length: int = 512
    windows: int | None = 192
    budget: float = 600.0
    spent: float = 0.0
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    command: str = ""
    kept: Path | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "windows", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected at least 1")
        Budget(seconds=self.budget)

    def own_variants(self) -> tuple[Variant, ...]:
        """Return the rows beside those of the table: the user's own, and the recipe's.

        Raises: FormatError or VariantError for a file that cannot be used.
        """
        return (*read_own_variants(self.variants_file), *read_recipe_row(self.recipe))

    def quick(self) -> SuiteConfig:
        """Return the same run in a third of the time: earlier looks, fewer examples and rounds, more INCONCLUSIVE."""
        return dataclasses.replace(self, gate=QUICK_GATE, windows=32, budget=180.0)


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
    own = config.own_variants()
    variants = _selected(config, own)
    session, source = open_session(config, progress)
    if session.challenger is not None:
        variants = (*variants, *session.challenger.rows(variants))
    told = Rows(progress, len(variants) + 1)  # the controls are a row too
    with session:
        machine = look_at_machine(timeout=min(PROBE_SECONDS, config.budget))
        fingerprint = machine.fingerprint
        machine = seen_by(machine, session.start_baseline())
        absent = {variant.name: reason for variant in variants[1:] if (reason := variant.missing(machine))}
        given_up = session.answer_baseline(len(variants) - 1 - len(absent))
        told.finished(BASELINE, session.baseline_row())
        sizes = workload(session.folder, session.task, session.batch_size)
        profile = floors_for(fingerprint, sizes, config.profile, [variant.name for variant in own])
        profile = with_recipe(profile, config.recipe, fingerprint, sizes)
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
    read_floors(config.profile, [variant.name for variant in config.own_variants()])
    folder = read_model_folder(config.model or _packaged_model())
    if config.recipe is not None:
        check_model(read_recipe(config.recipe), config.recipe, folder)
    read_weights(folder)
    challenger = _challenger(config, folder)
    source, examples = _examples(config)
    progress(Doing(stage="features"))
    task = make_task(folder, examples, max_seq_length=config.max_seq_length, windows=config.windows)
    batch_size = config.batch_size or (GPU_BATCH if take_fingerprint().gpus else CPU_BATCH)
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


def _selected(config: SuiteConfig, own: Iterable[Variant]) -> tuple[Variant, ...]:
    """Return the variants, the baseline first; two models run in it alone unless others are named."""
    if config.against is not None and config.variants is None:
        return (VARIANTS[BASELINE],)
    return select_variants(config.variants, own)


def _challenger(config: SuiteConfig, folder: ModelFolder) -> Challenger | None:
    """Return the model that is held against the one in `folder`.

    Raises: ConfigError for rows of an earlier start, which hold no predictions to weigh.
    """
    if config.against is None:
        return None
    if config.resume:
        raise ConfigError("a comparison of two models weighs predictions, which no kept rows hold: leave resume out")
    return read_challenger(config.against, folder, config.max_seq_length)


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
