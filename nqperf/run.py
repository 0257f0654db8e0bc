"""The main job: a data file and a model folder in, the five files of a run out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from nqperf import __version__
from nqperf.engines.engine import Engine
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.files import write_whole
from nqperf.formats.nq.jsonl import Selection
from nqperf.formats.nq.logits_npz import logits_writer
from nqperf.formats.nq.predictions_json import write_predictions
from nqperf.formats.nq.tfrecord import features_writer, read_features
from nqperf.formats.weights.model_folder import ModelFolder, read_model_folder, read_weights
from nqperf.formats.weights.tokenizers import read_tokenizer
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.evaluation import default_non_null_threshold, evaluate
from nqperf.nq.example import Annotation, Example, Prediction
from nqperf.nq.features import Features
from nqperf.nq.logits import Logits
from nqperf.pipeline import REFERENCE, PipelineConfig, Route

RUN_SCHEMA = 1
FEATURES, LOGITS, PREDICTIONS, METRICS, RECORD = (
    "features.tfrecord",
    "logits.npz",
    "predictions.json",
    "metrics.json",
    "run.json",
)
_VERSIONED = ("tensorflow", "keras", "numpy", "sentencepiece", "tokenizers", "safetensors", "msgspec")
_Item = TypeVar("_Item")


class ExampleSource(Protocol):
    """Where examples come from: `NqReader` for files, `DevelopmentSet` where none is named."""

    source: str
    selection: Selection
    skipped: list[FormatError]

    def examples(self) -> Iterator[Example]:
        """Yield the selected examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """What one run reads, how it computes, and where its files go.

    `engine` is a row of the engines' table and `settings` what it is told beside its defaults. `features` names
    features to use again instead of making them. None leaves a threshold to the model, and
    non_null_threshold to the data.
    """

    model: Path
    out: Path
    features: Path | None = None
    pipeline: PipelineConfig = REFERENCE
    engine: str = DEFAULT_ENGINE
    settings: Mapping[str, Any] = field(default_factory=dict)
    long_threshold: float | None = None
    short_threshold: float | None = None
    non_null_threshold: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run found: metrics (None where the data has no annotations), seconds a stage, and its counts."""

    metrics: dict[str, float | int] | None
    non_null_threshold: int | None
    seconds: dict[str, float]
    examples: int
    windows: int
    skipped: list[FormatError]


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in each stage; a stage that others feed is charged for its own waiting alone."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def timed(self, name: str, items: Iterable[_Item]) -> Iterator[_Item]:
        """Charge the making of each item to a stage."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item


def run(
    reader: ExampleSource,
    config: RunConfig,
    progress: Callable[[str, int], None] = lambda _stage, _count: None,
) -> RunResult:
    """Answer a data file, score the answers, and leave the five files of the run in `config.out`.

    `progress` is told the stage ("examples", "windows") and how many more of it are done.

    Raises: FormatError and ConfigError for input that cannot be used; then no output appears.
    """
    started = time.perf_counter()
    watch = Stopwatch()
    folder = read_model_folder(config.model)
    if config.features is None:
        folder.config.require_positions(config.pipeline.features.max_seq_length)
    answers = config.pipeline.answers.with_thresholds(
        folder.settings.long_threshold, folder.settings.short_threshold
    ).with_thresholds(config.long_threshold, config.short_threshold)
    with _output_folder(config.out):
        with watch.stage("load model"):
            engine = _engine(folder, config)
        with watch.stage("warm up"):
            engine.warm_up()
        predictions, gold, windows = _answered(reader, config, (folder, engine, answers), (watch, progress))
        metrics, threshold = None, None
        if gold:
            with watch.stage("evaluate"):
                threshold = _threshold(gold, config.non_null_threshold)
                metrics = evaluate(gold, predictions, non_null_threshold=threshold)
        write_predictions(config.out / PREDICTIONS, predictions)
        if metrics is not None:
            write_whole(config.out / METRICS, to_json(metrics))
        watch.seconds["total"] = time.perf_counter() - started
        result = RunResult(
            metrics=metrics,
            non_null_threshold=threshold,
            seconds=watch.seconds,
            examples=len(predictions),
            windows=windows,
            skipped=list(reader.skipped),
        )
        used = dataclasses.replace(config, pipeline=dataclasses.replace(config.pipeline, answers=answers))
        write_whole(config.out / RECORD, to_json(_record(reader, used, engine, result)))
    return result


def to_json(value: object) -> bytes:
    """Return indented JSON that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"


def _engine(folder: ModelFolder, config: RunConfig) -> Engine[Any]:
    seq_length = config.pipeline.features.max_seq_length
    if config.features is not None:
        seq_length = next(read_features(config.features)).input_ids.shape[1]
    return find_engine(config.engine).load(folder.config, read_weights(folder), config.settings, seq_length=seq_length)


def _answered(
    reader: ExampleSource,
    config: RunConfig,
    parts: tuple[ModelFolder, Engine[Any], AnswerConfig],
    watching: tuple[Stopwatch, Callable[[str, int], None]],
) -> tuple[list[Prediction], dict[int, tuple[Annotation, ...]], int]:
    """Take every example through the route; return predictions, annotations and the number of windows."""
    folder, engine, answers = parts
    watch, progress = watching
    with contextlib.ExitStack() as files:
        write_logits = files.enter_context(logits_writer(config.out / LOGITS))
        write_features = None
        if config.features is None or config.features.resolve() != (config.out / FEATURES).resolve():
            write_features = files.enter_context(features_writer(config.out / FEATURES))

        def on_features(block: Features) -> None:
            if write_features is not None:
                write_features.add(block)

        def on_logits(block: Logits) -> None:
            write_logits.add(block)
            progress("windows", len(block))

        route = Route(
            predict=lambda blocks: watch.timed("predict", engine.predict(watch.timed("prepare", blocks))),
            config=answers,
            on_features=on_features,
            on_logits=on_logits,
        )
        examples = reader.examples()
        if config.features is None:
            stream = route.from_examples(examples, read_tokenizer(folder.require_tokenizer()), config.pipeline)
        else:
            stream = route.from_features(examples, read_features(config.features))
        predictions = []
        for prediction in watch.timed("route", stream):
            predictions.append(prediction)
            progress("examples", 1)
        # What the route spent outside the model's stage is the answering's.
        watch.seconds["answer"] = watch.seconds.pop("route") - watch.seconds.get("predict", 0.0)
        return predictions, _all_or_none(route.gold, predictions), write_logits.count


def _all_or_none(
    gold: dict[int, tuple[Annotation, ...]], predictions: list[Prediction]
) -> dict[int, tuple[Annotation, ...]]:
    if gold and len(gold) < len(predictions):
        missing = next(one.example_id for one in predictions if one.example_id not in gold)
        raise ConfigError(
            f"{len(predictions) - len(gold)} of {len(predictions)} examples have no annotations, the first is "
            f"{missing}; expected all of them (to score) or none (only to predict)"
        )
    return gold


def _threshold(gold: dict[int, tuple[Annotation, ...]], requested: int | None) -> int:
    return default_non_null_threshold(gold.values()) if requested is None else requested


@contextlib.contextmanager
def _output_folder(out: Path) -> Iterator[None]:
    """Make the folder if need be, and take it away again when the run fails and leaves it empty."""
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot be made a folder ({error.strerror}): name another --out", path=out) from error
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                out.rmdir()
        raise


def _record(reader: ExampleSource, config: RunConfig, engine: Engine[Any], result: RunResult) -> dict[str, object]:
    configuration = dataclasses.asdict(config)
    del configuration["settings"]  # the engine's config has them, and its defaults
    configuration["engine"] = {"name": config.engine, **dataclasses.asdict(engine.config)}
    return {
        "schema_version": RUN_SCHEMA,
        "created": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "nqperf": __version__,
        "data": {"source": reader.source, **dataclasses.asdict(reader.selection)},
        "configuration": configuration,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONED}},
        "device": {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count()},
        "observed": engine.observed(),
        "seconds": result.seconds,
        "examples": result.examples,
        "windows": result.windows,
        "skipped": [str(error) for error in result.skipped],
        "non_null_threshold": result.non_null_threshold,
    }
