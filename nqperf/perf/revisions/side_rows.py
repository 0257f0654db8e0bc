"""The suite's rows as builders, which run in the process of one side: by its own code, and its own table of variants.

Their arguments are plain values of the tool that was started. What they answer is plain values and arrays, which the
tool of another revision can read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nqperf.engines.engine import Engine
from nqperf.engines.registry import find_engine
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.formats.weights.model_folder import OpenedModel, open_model
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.evaluation import default_non_null_threshold, evaluate
from nqperf.nq.example import Annotation, Example, Prediction, Span
from nqperf.nq.features import FEATURE_FIELDS, MODEL_INPUTS, FeatureConfig, Features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import MODEL_OUTPUTS, Logits
from nqperf.nq.logits import concatenate as concatenate_logits
from nqperf.nq.tokenization import Tokenizer, Vocabulary
from nqperf.perf.measuring.work import WatchedWork, Work
from nqperf.perf.suite.parity import Task
from nqperf.perf.suite.task import make_task
from nqperf.perf.variants.own import read_own_variants
from nqperf.perf.variants.table import named_variants
from nqperf.pipeline import PipelineConfig, answer_examples, prepare

# Of logits that no model made: large enough for answers of every kind.
_SPREAD = 4.0
_SEED = 5


def rows(*, variants_file: str | None) -> Work:
    """Return work that lists this side's variants as plain values, with those of `variants_file`, where it is given."""

    def listed() -> dict[str, dict[str, Any]]:
        own = read_own_variants(None if variants_file is None else Path(variants_file))
        return {
            row.name: {
                "engine": row.engine,
                "environment": dict(row.environment),
                "settings": dict(row.settings),
                "tolerance": row.tolerance,
                "batch_size": row.batch_size,
            }
            for row in named_variants(None, own)
        }

    return Work(run=listed, warm_up=0)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows are made of; each builder's keyword arguments are some of these fields.

    `data` is a Natural Questions file, of which the first `limit` examples are used (None: all), or as many of them as
    fill `windows` windows of `max_seq_length` positions. `tokenizer` is a vocabulary of that `kind`, `model` a model
    folder (None: this side's packaged one), which `engine` runs with `settings`, `batch_size` windows at once.
    """

    data: str
    limit: int | None = None
    windows: int | None = None
    max_seq_length: int = 512
    tokenizer: str = ""
    kind: Any = None
    model: str | None = None
    engine: str = ""
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    batch_size: int = 1

    def examples(self, limit: int | None = None) -> list[Example]:
        """Return the examples of the file, the first `limit` alone where it is given."""
        return list(NqReader(source=self.data, selection=Selection(limit=limit or self.limit)).examples())

    def vocabulary(self) -> Vocabulary:
        """Return the vocabulary of the file."""
        return TokenizerFile(path=Path(self.tokenizer), kind=self.kind, plain=True).vocabulary

    def pipeline(self) -> PipelineConfig:
        """Return the numbers of the route."""
        return PipelineConfig(features=FeatureConfig.for_length(self.max_seq_length))

    def opened(self) -> OpenedModel:
        """Return the model."""
        if self.model is not None:
            return open_model(Path(self.model))
        from nqperf.defaults import PACKAGED_MODEL

        return open_model(PACKAGED_MODEL)

    def task(self, folder: OpenedModel) -> Task:
        """Return what the model of `folder` answers."""
        return make_task(folder, self.examples(), max_seq_length=self.max_seq_length, windows=self.windows)

    def running(self, folder: OpenedModel) -> Engine[Any]:
        """Return the model of `folder` in its engine, traced."""
        row = find_engine(self.engine)
        row.engine_type().start()
        settings = {**self.settings, "batch_size": self.batch_size}
        engine = row.load(folder.config, folder.read_weights(), settings, seq_length=self.max_seq_length)
        engine.trace()
        return engine


def variant(**arguments: Any) -> Work:
    """Return a batch of a variant; its answers are those to the first examples. `arguments` are those of Asked."""
    asked = Asked(**arguments)
    folder = asked.opened()
    task, engine = asked.task(folder), asked.running(folder)
    batch = engine.put(_batch(task.features, asked.batch_size))

    def run() -> Mapping[str, Any]:
        return engine.finish(engine.run(batch))

    engine.watch(run)

    def answers(some: Task) -> dict[str, Any]:
        logits = concatenate_logits(list(engine.predict([some.features])))
        predictions = answer(some.inputs, some.features, logits, some.answers)
        said = {name: getattr(logits, name) for name in MODEL_OUTPUTS}
        return {"predictions": [plain_prediction(one) for one in predictions], "logits": said}

    return WatchedWork(
        run=run,
        warm_up=1,
        answers=lambda: answers(task),
        again=lambda: answers(task.first(asked.batch_size)),
        count=engine.count_work,
    )


def read(**arguments: Any) -> Work:
    """Return the reading of a file's examples. `arguments` are those of Asked."""
    asked = Asked(**arguments)
    return WatchedWork(run=asked.examples, warm_up=1, answers=lambda: [_digest(one) for one in asked.examples()])


def prepared(**arguments: Any) -> Work:
    """Return the preparing of all examples by a vocabulary, whose words are all new. `arguments` are those of Asked."""
    asked = Asked(**arguments)
    examples, vocabulary, config = asked.examples(), asked.vocabulary(), asked.pipeline()

    def run() -> dict[str, Any]:
        features = concatenate(list(prepare(examples, Tokenizer(vocabulary, plain=True), config)))
        return {name: getattr(features, name) for name in FEATURE_FIELDS}

    return Work(run=run, warm_up=1)


def answered(**arguments: Any) -> Work:
    """Return the answering of all examples, by drawn logits, which are no model's. `arguments` are those of Asked."""
    asked = Asked(**arguments)
    examples = asked.examples()
    features = concatenate(list(prepare(examples, Tokenizer(asked.vocabulary(), plain=True), asked.pipeline())))
    inputs = [AnswerInput.of(one) for one in examples]
    logits, config = _drawn_logits(features), AnswerConfig()

    def run() -> list[dict[str, Any]]:
        return [plain_prediction(one) for one in answer(inputs, features, logits, config)]

    return Work(run=run, warm_up=1)


def evaluated(**arguments: Any) -> Work:
    """Return the scoring of predictions, drawn among what annotators say. `arguments` are those of Asked."""
    examples = Asked(**arguments).examples()
    gold = {one.example_id: one.annotations for one in examples}
    rng = np.random.default_rng(_SEED)
    predictions = [_drawn_prediction(one, rng) for one in examples]
    threshold = default_non_null_threshold(gold.values())
    return Work(run=lambda: evaluate(gold, predictions, non_null_threshold=threshold), warm_up=1)


def route(**arguments: Any) -> Work:
    """Return the whole route over the first examples, from the file to a score. `arguments` are those of Asked."""
    asked = Asked(**arguments)
    folder, config = asked.opened(), asked.pipeline()
    count, engine = len(asked.task(folder).inputs), asked.running(folder)
    answers, known = AnswerConfig.of(folder.settings), folder.tokenizer

    def run() -> dict[str, Any]:
        examples = asked.examples(count)
        tokenizer = Tokenizer(known.vocabulary, plain=known.question_id is None)
        found = answer_examples(
            examples,
            prepared=lambda these: prepare(these, tokenizer, config),
            predict=engine.predict,
            config=answers,
        )
        gold = {one.example_id: one.annotations for one in examples}
        evaluate(gold, found.predictions, non_null_threshold=default_non_null_threshold(gold.values()))
        return {"predictions": [plain_prediction(one) for one in found.predictions], "logits": {}}

    return Work(run=run, warm_up=2)


def plain_prediction(one: Prediction) -> dict[str, Any]:
    """Return the prediction `one` as plain values: spans by their tokens."""
    return {
        "example_id": one.example_id,
        "long_answer": (one.long_answer.start_token, one.long_answer.end_token),
        "long_score": one.long_answer_score,
        "short_answers": [(span.start_token, span.end_token) for span in one.short_answers],
        "short_score": one.short_answers_score,
        "yes_no": one.yes_no_answer,
    }


def _batch(features: Features, batch_size: int) -> dict[str, Any]:
    """Return the first batch of the features, filled up with empty rows."""
    found = {}
    for name in MODEL_INPUTS:
        array = getattr(features, name)[:batch_size]
        found[name] = np.pad(array, ((0, batch_size - len(array)), (0, 0)))
    return found


def _drawn_logits(features: Features) -> Logits:
    rng, shape = np.random.default_rng(_SEED), features.token_map.shape

    def drawn(*size: int) -> Any:
        return rng.normal(0, _SPREAD, size).astype(np.float32)

    return Logits(
        unique_id=features.unique_id,
        start_logits=drawn(*shape),
        end_logits=drawn(*shape),
        answer_type_logits=drawn(shape[0], 5),
    )


def _drawn_prediction(example: Example, rng: np.random.Generator) -> Prediction:
    """Return what one of the annotators says, at times with another span."""
    chosen: Annotation = example.annotations[int(rng.integers(len(example.annotations)))]
    shift = int(rng.integers(2))
    shorts = tuple(
        Span(start_token=span.start_token, end_token=span.end_token + shift) for span in chosen.short_answers[:1]
    )
    return Prediction(
        example_id=example.example_id,
        long_answer=dataclasses.replace(chosen.long_answer, start_byte=-1, end_byte=-1),
        long_answer_score=float(rng.normal(5, 4)),
        short_answers=shorts,
        short_answers_score=float(rng.normal(5, 4)),
        yes_no_answer=chosen.yes_no_answer,
    )


def _digest(example: Example) -> str:
    """Return a checksum of what was read of an example."""
    candidates = example.candidates
    values = {
        "example_id": example.example_id,
        "question": example.question,
        "tokens": list(example.tokens),
        "is_html": np.flatnonzero(example.is_html).tolist(),
        "candidates": [candidates.start_token.tolist(), candidates.end_token.tolist(), candidates.top_level.tolist()],
        "annotations": [
            [_plain_span(one.long_answer), [_plain_span(span) for span in one.short_answers], one.yes_no_answer]
            for one in example.annotations
        ],
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _plain_span(span: Span) -> list[int]:
    return [span.start_token, span.end_token]
