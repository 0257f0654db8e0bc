"""What drift and bisection run on: the windows of real examples, or seeded random inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.casts.targets import Target
from nqperf.casts.task_drift import TaskDrift, task_drift
from nqperf.casts.twins import Twins, call, outputs_of, random_batch
from nqperf.errors import ConfigError
from nqperf.formats.nq.jsonl import NqReader, Selection
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.context import ContextConfig
from nqperf.nq.features import MODEL_INPUTS, FeatureConfig, Features, build_features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import MODEL_OUTPUTS, Logits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """Batches for a model; for real examples also the features and what answering needs.

    `batches` are what the model is called with, `features` the same as rows, None for random inputs; `examples` are
    what is answered, and `answers` says how.
    """

    batches: list[Any]
    features: Features | None = None
    examples: tuple[AnswerInput, ...] = ()
    answers: AnswerConfig = AnswerConfig()

    def task_drift(self, twins: Twins) -> TaskDrift | None:
        """Return what the twin of `twins` changes in span distributions and answers; None for random inputs."""
        if self.features is None:
            return None
        logits = tuple(self._logits(model, self.features) for model in (twins.reference, twins.twin))
        return task_drift(self.features, (logits[0], logits[1]), self.examples, self.answers)

    def _logits(self, model: Any, features: Features) -> Logits:
        outputs = [outputs_of(call(model, batch)) for batch in self.batches]
        joined = {
            name: np.concatenate([output[name] for output in outputs]).astype(np.float32) for name in MODEL_OUTPUTS
        }
        return Logits(unique_id=features.unique_id, **joined)


def inputs_for(target: Target, *, data: str | None, limit: int, max_seq_length: int, batch_size: int) -> Inputs:
    """Return the windows of `limit` examples of `data`, or one seeded random batch where no data is named.

    `target` is what they are for; windows have `max_seq_length` positions, and batches `batch_size` of them (a random
    batch two at most).

    Raises: ConfigError when there is data but the model has no tokenizer, FormatError for data that cannot be read.
    """
    if target.sealed is not None:
        raise ConfigError("a SavedModel is sealed: drift and bisect need a model that can be built in two precisions")
    if data is None:
        specs = target.inputs
        if specs is None:
            built = target.build()
            specs = built[1] if isinstance(built, tuple) else _known_specs(built)
        return Inputs(batches=[random_batch(target, specs, rows=min(batch_size, 2))])
    if target.folder is None:
        raise ConfigError(f"{target.name} is no model folder: --data needs the folder's tokenizer")
    if limit < 1 or batch_size < 1:
        raise ConfigError(f"--limit {limit}, --batch-size {batch_size}; expected both to be at least 1")
    target.folder.config.require_positions(max_seq_length)
    tokenizer = target.folder.tokenizer
    config = FeatureConfig.for_length(max_seq_length)
    parts, examples = [], []
    for example in NqReader(source=data, selection=Selection(limit=limit)).examples():
        parts.append(build_features(example, tokenizer, ContextConfig(), config))
        examples.append(AnswerInput.of(example))
    if not parts:
        raise ConfigError(f"{data} holds no examples")
    features = concatenate(parts)
    blocks = [features.rows(start, start + batch_size) for start in range(0, len(features), batch_size)]
    return Inputs(
        batches=[{name: getattr(block, name) for name in MODEL_INPUTS} for block in blocks],
        features=features,
        examples=tuple(examples),
        answers=AnswerConfig.of(target.folder.settings),
    )


def _known_specs(model: Any) -> Any:
    from nqperf.casts.trace.tracing import specs_of

    return specs_of(model, None)[0]
