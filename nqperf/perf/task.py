"""From a model folder and a data file to the task that every variant is given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nqperf.errors import ConfigError
from nqperf.formats.files import read_whole
from nqperf.formats.results.results_json import Data, Model
from nqperf.formats.weights.model_folder import WEIGHTS, ModelFolder
from nqperf.formats.weights.tokenizers import read_tokenizer
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.context import ContextConfig
from nqperf.nq.evaluation import default_non_null_threshold
from nqperf.nq.example import Annotation, Example
from nqperf.nq.features import MODEL_INPUTS, FeatureConfig, build_features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.perf.parity import Task


def make_task(folder: ModelFolder, examples: Iterable[Example], *, max_seq_length: int, windows: int | None) -> Task:
    """Return the task of the first examples, as many as fill `windows` windows (None: all).

    Raises: FormatError for data that cannot be read, ConfigError for an example without annotations.
    """
    folder.config.require_positions(max_seq_length)
    tokenizer = read_tokenizer(folder.require_tokenizer())
    reference = FeatureConfig()
    config = FeatureConfig(
        max_seq_length=max_seq_length,
        # The reference lengths at 512 positions, and a fourth of shorter inputs.
        max_query_length=min(reference.max_query_length, max_seq_length // 4),
        doc_stride=min(reference.doc_stride, max_seq_length // 4),
    )
    blocks, inputs, rows = [], [], 0
    gold: dict[int, tuple[Annotation, ...]] = {}
    for example in examples:
        if not example.annotations:
            raise ConfigError(
                f"example {example.example_id} has no annotations, and answers cannot be scored: name annotated data"
            )
        block = build_features(example, tokenizer, ContextConfig(), config)
        if rows and windows is not None and rows + len(block) > windows:
            break
        blocks.append(block)
        rows += len(block)
        gold[example.example_id] = example.annotations
        inputs.append(AnswerInput.of(example))
    return Task(
        features=concatenate(blocks),
        starts=np.cumsum([0, *map(len, blocks)], dtype=np.int32),
        inputs=inputs,
        gold=gold,
        answers=AnswerConfig().with_thresholds(folder.settings.long_threshold, folder.settings.short_threshold),
        non_null_threshold=default_non_null_threshold(gold.values()),
    )


def model_record(folder: ModelFolder) -> Model:
    """Return what the results file says of a model."""
    return Model(
        name=folder.path.resolve().name,
        hidden_size=folder.config.hidden_size,
        num_hidden_layers=folder.config.num_hidden_layers,
        sha256=hashlib.sha256(read_whole(folder.path / WEIGHTS, what="a model's weights")).hexdigest(),
    )


def data_record(task: Task, source: str, *, batch_size: int) -> Data:
    """Return what the results file says of a task's data; the hash is that of the features."""
    features = task.features
    digest = hashlib.sha256()
    for name in ("unique_id", *MODEL_INPUTS):
        digest.update(np.ascontiguousarray(getattr(features, name)).tobytes())
    return Data(
        name=Path(source).name,
        examples=len(task.inputs),
        features=len(features),
        batch_size=batch_size,
        max_seq_length=features.input_ids.shape[1],
        sha256=digest.hexdigest(),
    )
