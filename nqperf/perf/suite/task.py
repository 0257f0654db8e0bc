"""From a model folder and a data file to the task that every variant is given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.context import ContextConfig
from nqperf.nq.evaluation import default_non_null_threshold
from nqperf.nq.example import Example
from nqperf.nq.features import MODEL_INPUTS, FeatureConfig, Features, build_features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.parity import Task
from nqperf.perf.variants.floors import SIZES
from nqperf.perf.variants.variant import Variant
from nqperf.perf.workers import protocol
from nqperf.plain_text import counted, without_secrets
from nqperf.records.results import Size, Subject
from nqperf.records.verdict import QUICK_GATE


def make_task(folder: OpenedModel, examples: Iterable[Example], *, max_seq_length: int, windows: int | None) -> Task:
    """Return the task of the first of `examples`, as many as fill `windows` windows (None: all), but at least one.

    `folder` is the opened model, whose tokenizer makes the features; windows have `max_seq_length` positions.

    Raises: FormatError for data that cannot be read, ConfigError for an example without annotations.
    """
    folder.config.require_positions(max_seq_length)
    tokenizer = folder.tokenizer
    config = FeatureConfig.for_length(max_seq_length)
    blocks, inputs, rows = [], [], 0
    asked: dict[int, Example] = {}
    is_cut = False
    for example in examples:
        if not example.annotations:
            raise ConfigError(
                f"example {example.example_id} has no annotations, and answers cannot be scored: name annotated data"
            )
        block = build_features(example, tokenizer, ContextConfig(), config)
        if rows and windows is not None and rows + len(block) > windows:
            is_cut = True
            break
        blocks.append(block)
        rows += len(block)
        asked[example.example_id] = example
        inputs.append(AnswerInput.of(example))
    gold = {number: example.annotations for number, example in asked.items()}
    return Task(
        features=concatenate(blocks),
        starts=np.cumsum([0, *map(len, blocks)], dtype=np.int32),
        inputs=inputs,
        examples=asked,
        gold=gold,
        answers=AnswerConfig.of(folder.settings),
        non_null_threshold=default_non_null_threshold(gold.values()),
        is_cut=is_cut,
    )


def cut_text(task: Task, config: SuiteConfig) -> tuple[str, ...]:
    """Return a line on the examples that the `task` of a run by `config` leaves out for its windows; none if none."""
    if not task.is_cut:
        return ()
    first = f"examples behind the first {len(task.inputs)} ({counted(len(task.features), 'window')})"
    asked = "" if config.limit is None else f", of the {config.limit} of --limit"
    quick = " with --quick" if config.gate == QUICK_GATE else ""
    fill = f"each row answers as many as fill {config.windows} windows{quick}"
    more = "a row of 16 or 8 bits that is undecided then is asked more in the time that is left after the sets"
    return (f"{first}{asked}: {fill}; {more}",)


def model_record(folder: OpenedModel) -> Subject:
    """Return what a run's record says of the model in `folder`; the hash is that of its weights file."""
    return Subject(name=folder.path.resolve().name, sha256=folder.weights_sha256)


def data_record(task: Task, source: str) -> Subject:
    """Return what a run's record says of the data of `task`, read from `source`; the hash is that of the features."""
    features = task.features
    digest = hashlib.sha256()
    for name in ("unique_id", *MODEL_INPUTS):
        digest.update(np.ascontiguousarray(getattr(features, name)).tobytes())
    return Subject(
        name=Path(without_secrets(source)).name,
        sha256=digest.hexdigest(),
        counts={"examples": len(task.inputs), "features": len(features)},
    )


def workload(folder: OpenedModel, task: Task, batch_size: int) -> dict[str, Size]:
    """Return the SIZES of the model in `folder` and its `task`, run by `batch_size` windows at once."""
    network = folder.config
    sizes = (network.hidden_size, network.num_hidden_layers, batch_size, task.features.input_ids.shape[1])
    return dict(zip(SIZES, sizes, strict=True))


def features_request(features: Features) -> Callable[[Variant, OpenedModel, int], protocol.Load]:
    """Return what asks a process to load a model folder: each gets the same `features`, so all time the same."""

    def request(variant: Variant, model: OpenedModel, batch_size: int) -> protocol.Load:
        return protocol.Load(
            model=str(model.path),
            identity=model.identity,
            engine=variant.engine_row(),
            settings=dict(variant.settings),
            inputs=protocol.packed(features),
            seq_length=features.input_ids.shape[1],
            batch_size=batch_size,
        )

    return request
