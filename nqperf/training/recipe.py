"""The recipe: sources, a vocabulary, a starting point and numbers in; a trained model folder out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nqperf.errors import ConfigError
from nqperf.formats.decoding import decode_json
from nqperf.formats.files import refuse_links, write_whole
from nqperf.formats.reading import read_whole
from nqperf.formats.training.state_file import read_arrays, write_arrays
from nqperf.formats.weights.model_folder import FolderSettings, OpenedModel, check_replaceable, open_model
from nqperf.formats.weights.model_folder import write_model_folder as write_folder
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.formats.weights.tokenizers import read_tokenizer
from nqperf.model.config import BertConfig
from nqperf.nq.context import ContextConfig, marker_words
from nqperf.nq.example import Example, FloatArray
from nqperf.nq.features import FeatureConfig
from nqperf.nq.tokenization import Tokenizer
from nqperf.training.checkpoints import resume, write_checkpoint
from nqperf.training.corpus import Batches, SamplingConfig, build_corpus
from nqperf.training.distillation import Lesson, make_student, read_teacher, require_same_input
from nqperf.training.minilm import change_vocabulary, read_wordpieces, start_from_minilm
from nqperf.training.sources import Source
from nqperf.training.targets import check_annotations
from nqperf.training.thresholds import VALIDATION_EXAMPLES, validation_examples
from nqperf.training.train import Progress, Trainer, TrainingConfig, run_steps
from nqperf.training.validation import Validation, prepare_validation
from nqperf.training.vocabulary import VocabularyConfig, carry_vocabulary

if TYPE_CHECKING:
    import keras

    from nqperf.model.bert import BertJoint
    from nqperf.training.distiller import Teacher

# A network and its weights.
_Network = tuple[BertConfig, dict[str, FloatArray]]
# Windows enough to tell in which directions a teacher's states vary.
_BATCHES_SEEN = 4
CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
LOG = "log.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One run of training: what is read, what it starts from, where it goes.

    `sources` are what is read, `out` the model folder that is written. `training` says how long and how fast it learns,
    `features` how long a window is; a step has `batch_size` windows, drawn as `SamplingConfig` says of
    `include_unknowns` and `unknown_draws`. `start` is a model folder, or None for MiniLM, which needs a `tokenizer`; a
    start that was trained from MiniLM may have one too, and goes on with that vocabulary. With a `lesson` a teacher is
    learnt from, and without a start its student is made out of it. `work` keeps the checkpoint and the log of the run;
    a run whose work folder holds a checkpoint continues from it. Every `validate_every` steps (0: never) `validation`
    held-out examples of each source that has some are answered; the weights of the best micro-F1, and of equals the
    latest, become the model. Without validation the last ones do.
    """

    sources: tuple[Source, ...]
    out: Path
    work: Path
    start: Path | None = None
    tokenizer: Path | None = None
    lesson: Lesson | None = None
    training: TrainingConfig
    features: FeatureConfig = FeatureConfig()
    batch_size: int = 12
    include_unknowns: float = 0.3
    unknown_draws: int = 1
    validation: int = VALIDATION_EXAMPLES
    validate_every: int = 0

    @property
    def makes_student(self) -> bool:
        """Whether the teacher's own network, made smaller, is what is trained."""
        return self.lesson is not None and self.start is None and self.tokenizer is None


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyJob:
    """The making of a tokenizer.model, the file `out`, from WordPieces and the texts of `sources`.

    `wordpieces` is a `vocab.txt`, None MiniLM's; `config` says how many pieces are made.
    """

    sources: tuple[Source, ...]
    out: Path
    wordpieces: Path | None = None
    config: VocabularyConfig = field(default_factory=VocabularyConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """The `micro_f1` on the held-out examples after `step` steps, at the thresholds that suit them best.

    Those are `long_threshold` and `short_threshold`, in logits.
    """

    step: int
    micro_f1: float
    long_threshold: float
    short_threshold: float


Report = Callable[[Progress | Validated], None]


def make_vocabulary(job: VocabularyJob) -> int:
    """Write the vocabulary of `job`, which carries WordPieces, whole or not at all, and return its size.

    Raises: MissingExtraError without MiniLM's package where it is needed; FormatError for a `vocab.txt` unread.
    """
    texts = (text for source in job.sources for text in source.texts())
    write_whole(job.out, carry_vocabulary(read_wordpieces(job.wordpieces), texts, job.config))
    return TokenizerFile(path=job.out, kind="sentencepiece").vocabulary_size()


def train(job: TrainingJob, report: Report) -> None:
    """Train and write a model folder as `job` says; `report` is told every step and validation, which are logged, too.

    Raises: ConfigError or FormatError before any work for data without annotations, answers outside their candidates,
    a vocabulary that lacks a symbol, or an output that cannot be written; MissingExtraError without MiniLM's package.
    """
    check_replaceable(job.out)
    refuse_links(job.work, (CHECKPOINT, BEST, LOG))
    teacher = None if job.lesson is None else open_model(job.lesson.teacher)
    file, network, weights = _starting_point(job, teacher)
    network.require_positions(job.features.max_seq_length)
    tokenizer = read_tokenizer(file)
    check_symbols(tokenizer)
    sampling = SamplingConfig(
        weights=tuple(source.share for source in job.sources),
        include_unknowns=job.include_unknowns,
        unknown_draws=job.unknown_draws,
        batch_size=job.batch_size,
        seed=job.training.seed,
    )
    sources = [_checked(source.training_examples(job.training.seed)) for source in job.sources]
    batches = Batches(
        build_corpus(sources, tokenizer, ContextConfig(), job.features), tokenizer, job.features, sampling
    )
    validation = _validation(job, tokenizer)
    if job.lesson is None or teacher is None:
        trainer = Trainer(network, weights, job.features.max_seq_length, job.training)
    else:
        taught = read_teacher(teacher, job.training.precision, job.features.max_seq_length)
        trainer = _taught(job, job.lesson, taught, (network, weights), batches)
    job.work.mkdir(parents=True, exist_ok=True)
    resume(job.work / CHECKPOINT, trainer)
    best = _run(job, trainer, batches, validation, report)
    write_folder(job.out, trainer.network.config, best, file, dtype="float16", settings=FolderSettings())


def _taught(job: TrainingJob, lesson: Lesson, teacher: Teacher, start: _Network, batches: Batches) -> Trainer:
    """Return the training of a student: of `start`, or where the lesson makes one of it, of that."""
    network, weights = start
    if job.makes_student:
        student = lesson.shape.config(network)
        seen = (batches.batch(step)[0] for step in range(_BATCHES_SEEN))
        weights, teacher = make_student(teacher, weights, student, seen)
        network = student

    def taught(network: BertJoint) -> keras.Model:
        from nqperf.training.distiller import Distiller

        return Distiller(network, teacher, lesson.config)

    return Trainer(network, weights, job.features.max_seq_length, job.training, taught)


def _run(
    job: TrainingJob, trainer: Trainer, batches: Batches, validation: Validation | None, report: Report
) -> dict[str, FloatArray]:
    """Train to the end; return the weights of the best validation, or the last ones where there was none."""
    log = _read_log(job.work / LOG, trainer.step)

    def note(what: Progress | Validated) -> None:
        log.append(what)
        report(what)

    def validate(validation: Validation) -> None:
        before = max((line.micro_f1 for line in log if isinstance(line, Validated)), default=0.0)
        with trainer.averaged() as network:
            (long, short), micro_f1 = validation.calibrated(validation.predictions(network))
        note(Validated(step=trainer.step, micro_f1=micro_f1, long_threshold=long, short_threshold=short))
        if micro_f1 >= before:
            write_arrays(job.work / BEST, trainer.weights())

    def progress(what: Progress) -> None:
        note(what)
        if validation and (what.step % job.validate_every == 0 or what.step == job.training.steps):
            validate(validation)

    def save(trainer: Trainer) -> None:
        write_checkpoint(job.work / CHECKPOINT, trainer)
        write_whole(job.work / LOG, b"".join(msgspec.json.encode(line) + b"\n" for line in log))

    run_steps(trainer, batches.batch, progress=progress, at_checkpoint=save)
    return (
        read_arrays(job.work / BEST, what="the best weights of a training run")
        if (job.work / BEST).exists()
        else trainer.weights()
    )


def _read_log(path: Path, step: int) -> list[Progress | Validated]:
    """Return the lines of a run's log up to a step, so that a resumed run's log is that of an unbroken one."""
    lines = read_whole(path, what="a training log").splitlines() if path.exists() else []
    read = [
        decode_json(line, Validated, path, expected="a training log")
        if b"micro_f1" in line
        else decode_json(line, Progress, path, expected="a training log")
        for line in lines
    ]
    return [line for line in read if line.step <= step]


def _starting_point(
    job: TrainingJob, teacher: OpenedModel | None
) -> tuple[TokenizerFile, BertConfig, dict[str, FloatArray]]:
    """Return the vocabulary, and the network that is trained, or the teacher that a student is made of."""
    if job.lesson is None or teacher is None:
        return _own_start(job)
    if job.makes_student:
        job.lesson.shape.config(teacher.config)  # refused before any work
        return teacher.require_tokenizer(), teacher.config, teacher.read_weights()
    file, network, weights = _own_start(job)
    require_same_input(teacher, file, network)
    return file, network, weights


def _own_start(job: TrainingJob) -> tuple[TokenizerFile, BertConfig, dict[str, FloatArray]]:
    if job.tokenizer is None:
        if job.start is None:
            raise ConfigError("MiniLM needs a tokenizer of our own: make one with `nqperf vocabulary`, or name a start")
        folder = open_model(job.start)
        return folder.require_tokenizer(), folder.config, folder.read_weights()
    file = TokenizerFile(path=job.tokenizer, kind="sentencepiece")
    pieces, content = file.vocabulary_size(), read_whole(job.tokenizer, what="a tokenizer.model")
    if job.start is None:
        return file, *start_from_minilm(content, pieces, job.training.seed)
    folder = open_model(job.start)
    old = folder.require_tokenizer()
    if old.kind != "sentencepiece":
        raise ConfigError(
            f"{old.path} is a WordPiece vocabulary; expected a tokenizer.model to change: leave --tokenizer out"
        )
    weights = change_vocabulary(folder.read_weights(), read_whole(old.path, what="a tokenizer.model"), content)
    return file, dataclasses.replace(folder.config, vocab_size=pieces), weights


def check_symbols(tokenizer: Tokenizer) -> None:
    """Check that the vocabulary of `tokenizer` knows the first marker of each kind that a context holds.

    Raises: ConfigError that lists the missing ones.
    """
    needed = marker_words(ContextConfig(max_position=1), max_context_id=0)
    missing = [word for word in needed if tokenizer.vocabulary.find(word) is None and not word.startswith("[Other")]
    if missing:
        raise ConfigError(
            f"the vocabulary lacks {', '.join(missing)}; expected the context markers as pieces: "
            "make one with `nqperf vocabulary`"
        )


def _checked(examples: Iterator[Example]) -> Iterator[Example]:
    for example in examples:
        check_annotations(example)
        yield example


def _validation(job: TrainingJob, tokenizer: Tokenizer) -> Validation | None:
    if not job.validate_every:
        return None
    held_out = [example for source in job.sources for example in validation_examples(source, job.validation)]
    return prepare_validation(held_out, tokenizer, job.features)
