"""The micro-F1 of a network on held-out examples, and the thresholds at which it is best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nqperf.engines.batches import batched
from nqperf.errors import ConfigError
from nqperf.nq.answers import NULL_SCORE, AnswerConfig, answer
from nqperf.nq.context import ContextConfig
from nqperf.nq.evaluation import evaluate
from nqperf.nq.example import NULL_SPAN, Example, Prediction
from nqperf.nq.features import FeatureConfig, Features, build_features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import Logits
from nqperf.nq.tokenization import Tokenizer

# Nothing is refused, so that every score is seen; the heuristic itself asks for more than 0.
_ALL_ANSWERS = AnswerConfig(long_threshold=0.0, short_threshold=0.0)
# Scores are sums of two logit differences: finer steps than a half change nothing that a few examples could show.
_THRESHOLDS = np.arange(0, 20.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """Held-out `examples` with their `features`, the rows of an example beside each other."""

    examples: tuple[Example, ...]
    features: Features

    def predictions(self, model: Any, batch_size: int = 16) -> list[Prediction]:
        """Return the answers of `model`, a built network, none refused; it is given `batch_size` windows at once."""
        parts = list(_logits(model, self.features, batch_size))
        logits = Logits(unique_id=self.features.unique_id, **_joined(parts))
        inputs = [AnswerInput(example_id=one.example_id, candidates=one.candidates) for one in self.examples]
        return answer(inputs, self.features, logits, _ALL_ANSWERS)

    def micro_f1(self, predictions: Sequence[Prediction], thresholds: tuple[float, float]) -> float:
        """Return the micro-F1 of `predictions` after the `thresholds` for long and short answers."""
        gold = {example.example_id: example.annotations for example in self.examples}
        kept = [above_thresholds(prediction, *thresholds) for prediction in predictions]
        return float(evaluate(gold, kept, non_null_threshold=1)["all-answer-f1"])

    def calibrated(self, predictions: Sequence[Prediction]) -> tuple[tuple[float, float], float]:
        """Return the thresholds (long, short) of the best micro-F1 of `predictions`, and it; of equals the highest."""
        best = max(
            (self.micro_f1(predictions, (float(long), float(short))), float(long), float(short))
            for long in _THRESHOLDS
            for short in _THRESHOLDS
        )
        return best[1:], best[0]


def prepare_validation(examples: Iterable[Example], tokenizer: Tokenizer, config: FeatureConfig) -> Validation:
    """Return held-out `examples` ready for a network: cut by `tokenizer` into windows as `config` says.

    Raises: ConfigError when there are none.
    """
    held_out = tuple(examples)
    if not held_out:
        raise ConfigError("no example is held out for validation; expected at least one")
    features = [build_features(example, tokenizer, ContextConfig(), config) for example in held_out]
    return Validation(examples=held_out, features=concatenate(features))


def above_thresholds(prediction: Prediction, long_threshold: float, short_threshold: float) -> Prediction:
    """Return `prediction` without the answers that do not score above `long_threshold` or `short_threshold`."""
    if prediction.long_answer_score <= long_threshold:
        prediction = replace(prediction, long_answer=NULL_SPAN, long_answer_score=NULL_SCORE)
    if prediction.short_answers_score <= short_threshold:
        prediction = replace(prediction, short_answers=(), short_answers_score=NULL_SCORE)
    return prediction


def _logits(model: Any, features: Features, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
    for batch in batched([features], batch_size):
        outputs = model.predict_on_batch(batch.inputs())
        yield {name: np.asarray(values)[: batch.real_rows] for name, values in outputs.items()}


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
