"""Logits of a features file, in shards of some batches: the bits are those of one pass, batch for batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nqperf import __version__
from nqperf.engines.batches import batched
from nqperf.engines.engine import Engine
from nqperf.engines.registry import DEFAULT_ENGINE, find_engine
from nqperf.formats.files import sha256_of
from nqperf.formats.journal import Identity, Journal, ShardRecord, opened_journal
from nqperf.formats.nq.logits_npz import encode_logits
from nqperf.formats.nq.tfrecord import count_records, read_features
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.nq.features import Features
from nqperf.nq.logits import concatenate
from nqperf.shards.allocator import keep_memory
from nqperf.shards.join import join_logits
from nqperf.shards.stopwatch import Stopwatch
from nqperf.shards.versions import versions
from nqperf.shards.worker import LOGITS, Progress, no_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictConfig:
    """What is predicted, with what, and where the logits go; a shard is `shard_batches` batches.

    `features` is the file that `nqperf prepare` has made, `model` the opened model folder, and `out` the .npz of
    logits. `engine` is the name of an engine, `settings` are its own; without a batch size one that suits the device is
    taken. `fresh` removes what an earlier start has done.
    """

    features: Path
    model: OpenedModel
    out: Path
    engine: str = DEFAULT_ENGINE
    settings: Mapping[str, Any] = field(default_factory=dict)
    shard_batches: int = 64
    fresh: bool = False

    @property
    def work(self) -> Path:
        """The folder of the shards, while the run is not at its end."""
        return self.out.with_name(f"{self.out.name}.work")

    @property
    def shard_rows(self) -> int:
        """The windows of a shard."""
        return self.shard_batches * find_engine(self.engine).config(self.settings).batch_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictResult:
    """The number of rows in `windows`, and the engine's switches as they were seen in the last shard, in `observed`."""

    windows: int
    observed: dict[str, Any]


def predict_features(
    config: PredictConfig, progress: Progress = no_progress, between_shards: Callable[[], None] = lambda: None
) -> PredictResult:
    """Run a model over a features file and leave its logits, row for row; what is done is kept until all is.

    `config` says of what, by what and to where. `progress` is told the stage ("windows") and how many more of it are
    done; `between_shards` is called after each shard, and what it raises ends the run.

    Raises: FormatError and ConfigError for input that cannot be used; then no output appears.
    """
    folder, row = config.model, find_engine(config.engine)
    # It belongs to the journal: another batch size is another order of additions.
    config = dataclasses.replace(config, settings=row.with_batch_size(config.settings))
    seq_length = next(read_features(config.features)).input_ids.shape[1]
    engine = None
    keep_memory()
    with opened_journal(config.work, _identity(config), fresh=config.fresh) as journal:
        for record in journal.done.values():
            progress("windows", record.windows)
        for number, rows in _missing(config, journal):
            engine = engine or row.load(folder.config, folder.read_weights(), config.settings, seq_length=seq_length)
            record, logits = _predicted(number, rows, engine, progress)
            journal.add(record, {LOGITS: logits})
            between_shards()
        join_logits(journal, config.out)
        return PredictResult(
            windows=sum(record.windows for record in journal.done.values()),
            observed=journal.done[max(journal.done)].observed,
        )


def _missing(config: PredictConfig, journal: Journal) -> Iterator[tuple[int, Features]]:
    """Yield the number and the rows of each shard that is not done; those before the first such one are not read."""
    total, size = count_records(config.features), config.shard_rows
    first = next((number for number in range(-(-total // size)) if number not in journal.done), None)
    if first is None:
        return
    shards = batched(read_features(config.features, skip=first * size), size)
    for number, shard in enumerate(shards, start=first):
        if number not in journal.done:
            yield number, shard.features.rows(0, shard.real_rows)


def _predicted(number: int, rows: Features, engine: Engine[Any], progress: Progress) -> tuple[ShardRecord, bytes]:
    watch, blocks = Stopwatch(), []
    for block in watch.timed("predict", engine.predict([rows])):
        progress("windows", len(block))
        blocks.append(block)
    record = ShardRecord(number=number, windows=len(rows), seconds=watch.seconds, observed=engine.observed())
    return record, encode_logits(concatenate(blocks))


def _identity(config: PredictConfig) -> Identity:
    return {
        "command": "predict",
        "nqperf": __version__,
        "versions": versions(config.engine),
        "model": config.model.identity,
        "engine": config.engine,
        "settings": dataclasses.asdict(find_engine(config.engine).config(config.settings)),
        "features": sha256_of(config.features),
        "shard_batches": config.shard_batches,
    }
