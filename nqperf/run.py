"""The main job: a data file and a model folder in, the five files of a run out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import platform
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from nqperf import __version__
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import refuse_links, sha256_of, write_whole
from nqperf.formats.journal import Identity, Journal, opened_journal
from nqperf.formats.json_object import encode_json
from nqperf.formats.nq.chunks import ChunkSource
from nqperf.formats.nq.predictions_json import write_predictions
from nqperf.formats.nq.tfrecord import read_features
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.evaluation import NonNullThresholds
from nqperf.nq.example import Prediction
from nqperf.nq.scoring import Score, Thresholds, score
from nqperf.pipeline import REFERENCE, PipelineConfig
from nqperf.plain_text import without_secrets
from nqperf.shards.cluster import ClusterConfig, answered_by_cluster
from nqperf.shards.join import join_features, join_logits, joined_predictions, joined_states
from nqperf.shards.stopwatch import Stopwatch
from nqperf.shards.tasks import Tally, unfinished
from nqperf.shards.versions import versions
from nqperf.shards.worker import FEATURES, LOGITS, PREDICTIONS, Progress, Shard, Task, Worker, WorkerConfig, no_progress

RUN_SCHEMA = 3
METRICS, RECORD = "metrics.json", "run.json"
WORK = "work"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """What one run reads, how it computes, and where its files go.

    `model` is the opened model folder, `out` the folder that takes the files. `engine` is a row of the engines' table
    and `settings` what it is told beside its defaults. `features` names features to use again instead of making them;
    `pipeline` has the numbers of the route. `long_threshold` and `short_threshold` are the scores above which there is
    an answer, None leaves them to the model, and `non_null_thresholds` leave the rest to the annotations. Without a
    batch size there, it is chosen by the device of this process, or of the cluster's workers. Of `shard_examples`
    examples each shard is made; it ends with a batch that is filled up with empty rows, so that small shards cost more
    (half a batch each on average), and a run that is broken off loses at most one a worker. A `cluster` answers them in
    place of this process. `fresh` throws away what an earlier start has done.
    Raises: ConfigError when `shard_examples` is below 1.
    """

    model: OpenedModel
    out: Path
    features: Path | None = None
    pipeline: PipelineConfig = REFERENCE
    engine: str = DEFAULT_ENGINE
    settings: Mapping[str, Any] = field(default_factory=dict)
    long_threshold: float | None = None
    short_threshold: float | None = None
    non_null_thresholds: Thresholds = Thresholds()
    shard_examples: int = 128
    cluster: ClusterConfig | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.shard_examples < 1:
            raise ConfigError(f"shard_examples is {self.shard_examples}; expected at least 1")

    @property
    def work(self) -> Path:
        """The folder of the shards, while the run is not at its end."""
        return self.out / WORK


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run found: metrics (None where the data has no annotations), seconds a stage, and its counts.

    `metrics` are those of the `annotated` examples, and `notes` say what a reader must know of them; an example has an
    answer where `non_null_threshold` annotators gave one. `skipped` are the lines that could not be read.

    `windows` are those of all `examples`. `seconds` are those of each stage in all starts of the run, "total" is this
    one's; of the `shards`, `resumed_shards` were done before it. "warm up" is each worker's first batch, of
    `warm_up_windows` windows together, and no part of "predict".
    """

    metrics: dict[str, float | int] | None
    non_null_threshold: int | NonNullThresholds | None
    annotated: int
    notes: list[str]
    seconds: dict[str, float]
    examples: int
    windows: int
    warm_up_windows: int
    shards: int
    resumed_shards: int
    skipped: list[FormatError]


def run(
    source: ChunkSource,
    config: RunConfig,
    progress: Progress = no_progress,
    between_shards: Callable[[], None] = lambda: None,
) -> RunResult:
    """Answer the examples of `source`, score the answers, and leave the five files of the run in `config.out`.

    Shards that are done stand in `config.work` until all are: the same run goes on from there when it is started again.
    `progress` is told the stage ("examples", "windows") and how many more of it are done; what `between_shards` raises
    ends the run.

    Raises: FormatError and ConfigError for input that cannot be used; then no output appears.
    """
    started = time.perf_counter()
    config = dataclasses.replace(config, settings=_settings(config))
    worker_config = _worker_config(config)
    with (
        _output_folder(config.out),
        opened_journal(config.work, _identity(source, config, worker_config), fresh=config.fresh) as journal,
    ):
        tally, resumed = Tally(), len(journal.done)
        features = None if config.features is None else read_features(config.features)
        tasks = unfinished(source.chunks(config.shard_examples), features, journal, tally, progress)
        shards = (
            _answered_here(tasks, worker_config, config.model, progress)
            if config.cluster is None
            else answered_by_cluster(tasks, worker_config, config.cluster, progress)
        )
        with contextlib.closing(shards):  # a cluster's workers end with it, whatever happens
            for shard in shards:
                journal.add(shard.record, shard.files)
                between_shards()
        result = _finished(source, config, journal, tally, resumed)
        result.seconds["total"] = time.perf_counter() - started
        used = dataclasses.replace(config, pipeline=worker_config.pipeline)
        write_whole(config.out / RECORD, to_json(_record(source, used, journal, result)))
    return result


def to_json(value: object) -> bytes:
    """Return `value` as indented JSON that ends with a newline."""
    return msgspec.json.format(encode_json(value), indent=2) + b"\n"


def _settings(config: RunConfig) -> dict[str, Any]:
    """Return the engine's settings with a batch size, which belongs to the journal: by the device where none is set."""
    cluster = config.cluster  # what stands here says nothing of its workers' devices
    return find_engine(config.engine).with_batch_size(
        config.settings, gpu=None if cluster is None else cluster.worker_gpus > 0
    )


def _worker_config(config: RunConfig) -> WorkerConfig:
    if config.features is None:
        seq_length = config.pipeline.features.max_seq_length
        config.model.config.require_positions(seq_length)
    else:
        seq_length = next(read_features(config.features)).input_ids.shape[1]
    answers = AnswerConfig.of(config.model.settings, config.pipeline.answers)
    answers = answers.with_thresholds(config.long_threshold, config.short_threshold)
    return WorkerConfig(
        model=config.model.path.resolve(),
        identity=config.model.identity,
        engine=config.engine,
        settings=config.settings,
        pipeline=dataclasses.replace(config.pipeline, answers=answers),
        seq_length=seq_length,
        makes_features=config.features is None,
    )


def _identity(source: ChunkSource, config: RunConfig, worker: WorkerConfig) -> Identity:
    """Return what decides about the bytes of a shard, but for its examples, which each shard has a checksum of."""
    return {
        "command": "run",
        "nqperf": __version__,
        "versions": versions(config.engine),
        "model": worker.identity,
        "engine": config.engine,
        "settings": dataclasses.asdict(find_engine(config.engine).config(config.settings)),
        "pipeline": dataclasses.asdict(worker.pipeline),
        "seq_length": worker.seq_length,
        "features": None if config.features is None else sha256_of(config.features),
        "selection": dataclasses.asdict(source.selection),
        "shard_examples": config.shard_examples,
    }


def _answered_here(
    tasks: Iterator[Task], config: WorkerConfig, model: OpenedModel, progress: Progress
) -> Generator[Shard, None, None]:
    """Answer tasks in this process, in order; the model is loaded when there is one."""
    worker = None
    for task in tasks:
        worker = worker or Worker(config, progress, model)
        yield worker.answer(task)


def _finished(source: ChunkSource, config: RunConfig, journal: Journal, tally: Tally, resumed: int) -> RunResult:
    """Join the shards to the files of the run but its record, and score the answers."""
    watch = Stopwatch()
    for record in journal.done.values():
        watch.add(record.seconds)
    with watch.stage("join"):
        join_features(journal, config.out / FEATURES, again=config.features)
        join_logits(journal, config.out / LOGITS)
        predictions = joined_predictions(journal)
        write_predictions(config.out / PREDICTIONS, predictions)
    found: Score | None = None
    notes: list[str] = []
    if tally.gold:
        with watch.stage("evaluate"):
            found, notes = _scored(tally, predictions, config)
        if found is not None:
            write_whole(config.out / METRICS, to_json(found.figures()))
    return RunResult(
        metrics=None if found is None else found.figures(),
        non_null_threshold=None if found is None else found.thresholds.brief(),
        annotated=len(tally.gold),
        notes=notes,
        seconds=watch.seconds,
        examples=len(predictions),
        windows=sum(record.windows for record in journal.done.values()),
        warm_up_windows=sum(record.warm_up_windows for record in journal.done.values()),
        shards=len(journal.done),
        resumed_shards=resumed,
        skipped=list(source.skipped),
    )


def _scored(tally: Tally, predictions: list[Prediction], config: RunConfig) -> tuple[Score | None, list[str]]:
    """Return the score, and what to know of it; without a score the answers are left all the same."""
    try:
        found = score(tally.gold, predictions, thresholds=config.non_null_thresholds, unannotated=tally.unannotated)
    except ConfigError as error:
        return None, [f"not scored: {error}; `nqperf evaluate` scores the predictions again"]
    return found, found.notes()


@contextlib.contextmanager
def _output_folder(out: Path) -> Iterator[None]:
    """Make the folder if need be, and take it away again when the run fails and leaves it empty."""
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot be made a folder ({error.strerror}): name another --out", path=out) from error
    refuse_links(out, (FEATURES, LOGITS, PREDICTIONS, METRICS, RECORD))
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()
        raise


def _record(source: ChunkSource, config: RunConfig, journal: Journal, result: RunResult) -> dict[str, object]:
    engine = find_engine(config.engine).config(config.settings)
    configuration = {one.name: getattr(config, one.name) for one in dataclasses.fields(config)}
    # What was asked for and what is so by default, in one place.
    del configuration["settings"]
    configuration["engine"] = {"name": config.engine, **dataclasses.asdict(engine)}
    configuration["model"] = config.model.path
    return {
        "schema_version": RUN_SCHEMA,
        "created": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "nqperf": __version__,
        "data": {"source": without_secrets(source.source), **dataclasses.asdict(source.selection)},
        "configuration": configuration,
        "versions": {"python": platform.python_version(), **versions(config.engine)},
        "device": {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count()},
        **joined_states(journal),
        "seconds": result.seconds,
        "examples": result.examples,
        "windows": result.windows,
        "warm_up_windows": result.warm_up_windows,
        "shards": result.shards,
        "resumed_shards": result.resumed_shards,
        "skipped": [str(error) for error in result.skipped],
        "annotated": result.annotated,
        "notes": result.notes,
        "non_null_threshold": result.non_null_threshold,
    }
