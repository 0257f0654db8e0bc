"""What answers shards: a model that is loaded once, and takes one chunk of examples after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nqperf.engines.registry import find_engine
from nqperf.errors import FormatError
from nqperf.formats.journal import ShardRecord
from nqperf.formats.nq.chunks import Chunk
from nqperf.formats.nq.logits_npz import encode_logits
from nqperf.formats.nq.predictions_json import encode_predictions
from nqperf.formats.nq.tfrecord import encode_records
from nqperf.formats.weights.model_folder import OpenedModel, open_model
from nqperf.nq.example import Example
from nqperf.nq.features import Features
from nqperf.nq.logits import Logits
from nqperf.pipeline import PipelineConfig, answer_examples, prepare
from nqperf.shards.allocator import keep_memory
from nqperf.shards.stopwatch import Stopwatch

FEATURES, LOGITS, PREDICTIONS = "features.tfrecord", "logits.npz", "predictions.json"

Progress = Callable[[str, int], None]


def no_progress(_stage: str, _count: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """What a worker loads and how it computes; with `makes_features` off they are given to it, chunk by chunk.

    `model` is the model's folder. `identity` is that of its files: a worker that finds others in the folder refuses
    them. `engine` is the name of an engine, `settings` are its own; `pipeline` says how features and answers are made,
    and `seq_length` is the number of positions of a feature.
    """

    model: Path
    identity: Mapping[str, str]
    engine: str
    settings: Mapping[str, Any]
    pipeline: PipelineConfig
    seq_length: int
    makes_features: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One shard to be: its `number`, from 0, its examples in `chunk`, and their `features` where those are there."""

    number: int
    chunk: Chunk
    features: Features | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One shard as it is kept: its `record`, and its `files` by name."""

    record: ShardRecord
    files: dict[str, bytes]


class Worker:
    """Answers shards; the process's malloc keeps its memory from then on.

    `model` is the opened folder where this process has opened it before.
    `config` says what is loaded and how it computes. `progress` is told "windows" and "examples", and how many more of
    them are done.
    Raises: FormatError and ConfigError for a model that cannot be used.
    """

    def __init__(
        self, config: WorkerConfig, progress: Progress = no_progress, model: OpenedModel | None = None
    ) -> None:
        self._config = config
        self._progress = progress
        self._watch = Stopwatch()
        folder = model or open_model(config.model, identity=config.identity)
        self._tokenizer = folder.tokenizer if config.makes_features else None
        keep_memory()
        with self._watch.stage("load model"):
            weights = folder.read_weights()
            row = find_engine(config.engine)
            self._engine = row.load(folder.config, weights, config.settings, seq_length=config.seq_length)
        self._warm_up_windows = 0

    def answer(self, task: Task) -> Shard:
        """Answer the chunk of `task`; the seconds of loading, and of the first batch of all, are the first one's.

        The chunk's windows are batched alone, so that a shard is the same bytes whatever was answered before it.

        Raises: FormatError for a line that is no example, ConfigError for features that do not fit.
        """
        watch, warm_up_windows = self._watch, self._warm_up_windows
        with watch.stage("route"):
            answered = answer_examples(
                task.chunk.examples(),
                prepared=lambda examples: self._prepared(examples, task.features),
                predict=lambda blocks: self._predicted(watch.timed("prepare", blocks), watch),
                config=self._config.pipeline.answers,
            )
        # What the route spent outside the model's stages is the answering's.
        model = watch.seconds.get("warm up", 0.0) + watch.seconds["predict"]
        watch.seconds["answer"] = watch.seconds.pop("route") - model
        with watch.stage("encode"):
            files = {
                LOGITS: encode_logits(answered.logits),
                PREDICTIONS: encode_predictions(answered.predictions, Path(PREDICTIONS)),
            }
            if task.features is None:
                files[FEATURES] = encode_records(answered.features)
        self._progress("examples", len(answered.predictions))
        self._watch = Stopwatch()
        record = ShardRecord(
            number=task.number,
            input=task.chunk.checksum,
            examples=len(answered.predictions),
            windows=len(answered.features),
            warm_up_windows=self._warm_up_windows - warm_up_windows,
            seconds=watch.seconds,
            observed=self._engine.observed(),
        )
        return Shard(record=record, files=files)

    def _prepared(self, examples: Iterable[Example], features: Features | None) -> Iterator[Features]:
        if features is not None:
            for _ in examples:  # read for their candidates
                pass
            yield features
            return
        if self._tokenizer is None:
            raise FormatError("no features are given, and none are made", path=self._config.model)
        yield from prepare(examples, self._tokenizer, self._config.pipeline)

    def _predicted(self, blocks: Iterable[Features], watch: Stopwatch) -> Iterator[Logits]:
        found = self._engine.predict(blocks)
        for block in chain(self._warm_up(found, watch), watch.timed("predict", found)):
            self._progress("windows", len(block))
            yield block

    def _warm_up(self, found: Iterator[Logits], watch: Stopwatch) -> Iterator[Logits]:
        """Yield the first batch of all: it traces and compiles too, so that its time says nothing of the others'."""
        if not self._warm_up_windows:
            for block in islice(watch.timed("warm up", found), 1):
                self._warm_up_windows = len(block)
                yield block
