"""The commands that make a model: a vocabulary, fine-tuning, an average of models, thresholds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from nqperf.cli import options as shared
from nqperf.cli.console import progress, start_engine
from nqperf.engines.registry import find_engine
from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import check_replaceable
from nqperf.nq.features import FeatureConfig
from nqperf.training.averaging import average
from nqperf.training.distillation import Lesson
from nqperf.training.distillation_config import LOSSES, DistillationConfig
from nqperf.training.recipe import TrainingJob, Validated, VocabularyJob, make_vocabulary, train
from nqperf.training.sources import Source
from nqperf.training.student import StudentShape
from nqperf.training.thresholds import VALIDATION_EXAMPLES, CalibrationJob, calibrate
from nqperf.training.train import Progress, TrainingConfig
from nqperf.training.vocabulary import VocabularyConfig

source_option = shared.option(
    "--source",
    "sources",
    multiple=True,
    required=True,
    metavar="KIND:WHAT[:SHARE]",
    help="nq:FILE, squad:FILE, qed:FILE or world:NUMBER of examples; SHARE is its part of the windows.  [repeatable]",
)
length_options = shared.together(
    shared.option("--max-seq-length", type=int, default=512, help="Positions of one window."),
    shared.option("--doc-stride", type=int, default=128, help="Pieces between the starts of two windows."),
)
lesson_options = shared.together(
    shared.option(
        "--teacher", type=shared.MODEL, help="A model folder to learn from; without --start it is made smaller."
    ),
    shared.option("--student-layers", type=int, help="Layers of a teacher made smaller.  [default: all]"),
    shared.option(
        "--student-hidden", type=int, help="Its hidden size; heads and units follow.  [default: the teacher's]"
    ),
    shared.option(
        "--student-heads", type=int, help="Its attention heads.  [default: in proportion to its hidden size]"
    ),
    shared.option(
        "--student-intermediate", type=int, help="Its feed-forward units.  [default: in proportion to its hidden size]"
    ),
    shared.option("--temperature", type=float, default=2.0, help="Of the softmax over the teacher's answers."),
    shared.option(
        "--loss-weight",
        "loss_weights",
        multiple=True,
        metavar="LOSS=WEIGHT",
        help=f"Of {', '.join(LOSSES)}; those not named weigh 1, at 0 one is left out.  [repeatable]",
    ),
)


def parse_lesson(options: dict[str, Any]) -> Lesson | None:
    """Return what --teacher and its companions in `options` say, None without --teacher.

    Raises: ConfigError for a companion without --teacher, a shape beside --start, or a weight of another form.
    """
    shape = StudentShape(**{name: options[f"student_{name}"] for name in ("layers", "hidden", "heads", "intermediate")})
    if options["teacher"] is None:
        if shape != StudentShape() or options["loss_weights"]:
            raise ConfigError("--student-layers and its like, and --loss-weight, are for --teacher: name one")
        return None
    if shape != StudentShape() and (options["start"] is not None or options["tokenizer"] is not None):
        raise ConfigError("--start and --tokenizer say what the student is: leave --student-layers and its like out")
    weights = dict(_weight(text) for text in options["loss_weights"])
    config = DistillationConfig(temperature=options["temperature"], weights=weights)
    return Lesson(teacher=options["teacher"], shape=shape, config=config)


def _weight(text: str) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    try:
        return name, float(weight)
    except ValueError as error:
        raise ConfigError(f"--loss-weight {text!r} cannot be read; expected LOSS=WEIGHT, as attention=0.5") from error


def parse_source(text: str) -> Source:
    """Return the source that `text`, KIND:WHAT[:SHARE], names.

    Raises: ConfigError when the text has another form.
    """
    kind, _, rest = text.partition(":")
    what, _, share = rest.rpartition(":") if rest.count(":") else (rest, "", "1")
    try:
        if kind == "world":
            return Source(kind="world", examples=int(what), share=float(share))
        return Source(kind=kind, path=what, share=float(share))  # type: ignore[arg-type]  # Source checks the kind
    except ValueError as error:
        raise ConfigError(
            f"--source {text!r} cannot be read ({error}); expected KIND:WHAT[:SHARE], as nq:train.jsonl.gz:2"
        ) from error


@click.command("vocabulary")
@source_option
@shared.option("--wordpieces", type=shared.PATH, help="A BERT's vocab.txt.  [default: MiniLM's, extra `training`]")
@shared.option("--pieces", type=int, default=VocabularyConfig().pieces, help="At most, markers and symbols counted.")
@shared.option("--out", type=shared.PATH, required=True, help="The tokenizer.model to write.")
@shared.together(shared.force_option, shared.quiet_option)
def vocabulary_command(sources: tuple[str, ...], out: Path, **options: Any) -> None:
    """Make a SentencePiece vocabulary that cuts words as a BERT's WordPieces do, of those that the sources use most.

    \b
    nqperf vocabulary --source squad:squad-train.jsonl.gz --source world:2000 --out tokenizer.model
    """
    job = VocabularyJob(
        sources=tuple(parse_source(text) for text in sources),
        out=out,
        wordpieces=options["wordpieces"],
        config=VocabularyConfig(pieces=options["pieces"]),
    )
    shared.refuse_replacing(out, force=options["force"])
    pieces = make_vocabulary(job)
    if not options["quiet"]:
        click.echo(f"{out}: {pieces} pieces")


@click.command("train")
@source_option
@shared.option(
    "--start", type=shared.MODEL, help="The model folder to start from.  [default: MiniLM, extra `training`]"
)
@shared.option("--tokenizer", type=shared.PATH, help="The tokenizer.model, for MiniLM or in place of the start's.")
@shared.together(lesson_options)
@shared.option("--work", type=shared.PATH, required=True, help="The folder of checkpoint and log; a run goes on there.")
@shared.option("--out", type=shared.PATH, required=True, help="The model folder to make.")
@shared.option("--steps", type=int, required=True, help="Steps of one batch each.")
@shared.option("--decay-steps", type=int, help="Steps after which the learning rate is 0.  [default: --steps]")
@shared.option("--learning-rate", type=float, default=1e-4, help="The largest learning rate.")
@shared.option("--warmup-steps", type=int, default=100, help="Steps in which the learning rate grows.")
@shared.option(
    "--ema-momentum",
    type=float,
    help="Keep the weights' moving average, and make the model of it, as 0.99.  [default: no]",
)
@shared.option("--batch-size", type=int, default=12, help="Windows a step.")
@shared.option("--include-unknowns", type=float, default=0.3, help="Part of the windows that have no answer.")
@shared.option(
    "--unknown-draws", type=int, default=1, help="Draw so many of those, and train on the most like the question."
)
@shared.option(
    "--precision", type=click.Choice(shared.PRECISION_NAMES), default="float32", help="What layers compute in."
)
@shared.option("--seed", type=int, default=0, help="Of everything that is drawn.")
@shared.option("--report-every", type=click.IntRange(min=1), default=20, help="Steps between lines of progress.")
@shared.option("--checkpoint-every", type=int, default=200, help="Steps between checkpoints.")
@shared.option("--validate-every", type=int, default=0, help="Steps between validations; 0: none.")
@shared.option(
    "--validation",
    type=click.IntRange(min=1),
    default=VALIDATION_EXAMPLES,
    help="Held-out examples of a source in a validation, at most.",
)
@shared.together(length_options, shared.force_option, shared.quiet_option)
def train_command(sources: tuple[str, ...], **options: Any) -> None:
    """Fine-tune BERT Joint on the sources, and leave a model folder with float16 weights.

    A killed run is gone on with by the same command, and ends with the weights of an unbroken one. With validations
    the model is that of the best held-out micro-F1. A model that is at --out already is replaced with --force alone.

    \b
    nqperf train --source nq:train.jsonl.gz --tokenizer tokenizer.model --steps 1000 --work work/ --out model/
    nqperf train --source world:4000 --start model/ --steps 500 --work work-2/ --out model-2/
    nqperf train --source world:4000 --teacher model/ --student-layers 3 --steps 500 --work work-3/ --out student/
    """
    training = TrainingConfig(**_fields_of(TrainingConfig, options))
    features = FeatureConfig.for_length(options["max_seq_length"], doc_stride=options["doc_stride"])
    job = TrainingJob(
        sources=tuple(parse_source(text) for text in sources),
        training=training,
        features=features,
        lesson=parse_lesson(options),
        **_fields_of(TrainingJob, options),
    )
    check_replaceable(job.out, force=options["force"])
    start_engine(find_engine("tensorflow"))  # Keras trains with it
    with progress({"steps": training.steps}, quiet=options["quiet"]) as advance:
        lines = _Lines(training.steps, options["report_every"], quiet=options["quiet"])

        def report(what: Progress | Validated) -> None:
            if isinstance(what, Progress):
                advance("steps", 1)
            lines.add(what)

        train(job, report)
    if not options["quiet"]:
        click.echo(f"{job.out}: trained for {training.steps} steps; choose its thresholds with `nqperf thresholds`")


def _fields_of(config: Any, options: dict[str, Any]) -> dict[str, Any]:
    return {field.name: options[field.name] for field in dataclasses.fields(config) if field.name in options}


class _Lines:
    """What a run of training shows as it goes, on a terminal and off it: a line every so many steps."""

    def __init__(self, steps: int, every: int, *, quiet: bool) -> None:
        self._steps = steps
        self._every = every
        self._quiet = quiet
        self._since: list[Progress] = []
        self._best = 0.0

    def add(self, what: Progress | Validated) -> None:
        """Take one step or one validation, and print its line when it is due."""
        if isinstance(what, Progress):
            self._since.append(what)
            if what.step % self._every == 0 or what.step == self._steps:
                self._show(_summary(self._since, self._steps))
                self._since = []
            return
        self._best = max(self._best, what.micro_f1)
        kept = "the best so far, kept" if what.micro_f1 == self._best else f"the best was {self._best:.4f}"
        self._show(f"step {what.step}: micro-F1 {what.micro_f1:.4f} on held-out examples, {kept}")

    def _show(self, line: str) -> None:
        if not self._quiet:
            click.echo(line)  # which flushes, so that a log file has it at once


def _summary(steps: Sequence[Progress], last: int) -> str:
    loss = statistics.fmean(step.loss for step in steps)
    speed = statistics.harmonic_mean([step.windows_per_second for step in steps])
    parts = {name: statistics.fmean(step.losses[name] for step in steps) for name in steps[-1].losses if name in LOSSES}
    shown = f" ({', '.join(f'{name} {value:.3f}' for name, value in parts.items())})" if parts else ""
    return f"step {steps[-1].step} of {last}: mean loss {loss:.3f}{shown}, {speed:.1f} windows/s"


@click.command("average")
@click.argument("models", nargs=-1, required=True, type=shared.MODEL, metavar="MODEL...")
@shared.option("--out", type=shared.PATH, required=True, help="The model folder to make.")
@shared.together(shared.force_option, shared.quiet_option)
def average_command(models: tuple[Path, ...], out: Path, *, force: bool, quiet: bool) -> None:
    """Make one model out of MODELs that training made out of one another: the mean of their weights.

    It is often better than each of them, and as fast. A MODEL named twice weighs twice.

    \b
    nqperf average model/ model-2/ --out mean/
    """
    check_replaceable(out, force=force)
    average(models, out)
    if not quiet:
        click.echo(f"{out}: the mean of {len(models)} models; choose its thresholds with `nqperf thresholds`")


@click.command("thresholds")
@click.argument("model", type=shared.PATH)
@source_option
@shared.option(
    "--precision", type=click.Choice(shared.PRECISION_NAMES), default="float32", help="What layers compute in."
)
@shared.option(
    "--validation",
    type=click.IntRange(min=1),
    default=VALIDATION_EXAMPLES,
    help="Held-out examples of a file, at most; of the world all are asked.",
)
@shared.together(length_options, shared.quiet_option, shared.json_option)
def thresholds_command(model: Path, sources: tuple[str, ...], **options: Any) -> None:
    """Choose the scores above which MODEL's long and short answers are given, and store them in its config.json.

    They are those of the best micro-F1 on what `nqperf train` holds out of the same sources.

    \b
    nqperf thresholds model/ --source nq:train.jsonl.gz --source world:200
    """
    features = FeatureConfig.for_length(options["max_seq_length"], doc_stride=options["doc_stride"])
    job = CalibrationJob(
        model=model,
        sources=tuple(parse_source(text) for text in sources),
        validation=options["validation"],
        features=features,
        precision=options["precision"],
    )
    start_engine(find_engine("tensorflow"))  # Keras trains with it
    chosen = calibrate(job)
    if options["as_json"]:
        click.echo(msgspec.json.encode(dataclasses.asdict(chosen)).decode())
    elif not options["quiet"]:
        click.echo(
            f"{model}: long {chosen.long_threshold:.4f}, short {chosen.short_threshold:.4f}; "
            f"micro-F1 {chosen.micro_f1:.4f} on {chosen.examples} held-out examples"
        )
