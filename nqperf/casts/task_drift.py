"""Drift on the task itself: what 16 bits change in the span distributions and in the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.example import FloatArray
from nqperf.nq.features import Features
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import Logits

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDrift:
    """What a twin changes in span distributions and answers, beside its float32 reference.

    Fields:
        features: The windows that were compared.
        start_kl_mean: The mean KL divergence of the start distributions, from the reference to the twin; units: nats.
        start_kl_max: The largest one.
        end_kl_mean: The mean of the end distributions.
        end_kl_max: The largest one.
        start_flips: The windows whose best legal start is another position.
        end_flips: The windows whose best legal end is.
        examples: The examples that were answered.
        changed_predictions: Those whose answer is another one.
    """

    features: int
    start_kl_mean: float
    start_kl_max: float
    end_kl_mean: float
    end_kl_max: float
    start_flips: int
    end_flips: int
    examples: int
    changed_predictions: int


def task_drift(
    features: Features,
    logits: tuple[Logits, Logits],
    examples: Sequence[AnswerInput] = (),
    config: AnswerConfig | None = None,
) -> TaskDrift:
    """Compare the `logits` of a reference and of its twin over the same `features`, and the answers to `examples`.

    Legal are the positions that spans can use: those on the document, and [CLS], the null answer.
    `config` says how examples are answered, as by default where it is None.
    """
    reference, twin = logits
    legal = features.token_map >= 0
    legal[:, 0] = True
    start = _divergence(reference.start_logits, twin.start_logits, legal)
    end = _divergence(reference.end_logits, twin.end_logits, legal)
    changed = 0
    if examples:
        chosen = config or AnswerConfig()
        answers = [answer(list(examples), features, each, chosen) for each in logits]
        changed = sum(not one.agrees(other) for one, other in zip(*answers, strict=True))
    return TaskDrift(
        features=len(features),
        start_kl_mean=float(start.mean()),
        start_kl_max=float(start.max()),
        end_kl_mean=float(end.mean()),
        end_kl_max=float(end.max()),
        start_flips=_flips(reference.start_logits, twin.start_logits, legal),
        end_flips=_flips(reference.end_logits, twin.end_logits, legal),
        examples=len(examples),
        changed_predictions=changed,
    )


def _divergence(reference: FloatArray, twin: FloatArray, legal: npt.NDArray[np.bool_]) -> _Array:
    """Return KL(reference || twin) of each row's softmax over its legal positions."""
    p, q = _log_softmax(reference, legal), _log_softmax(twin, legal)
    with np.errstate(invalid="ignore"):
        terms = np.where(legal, np.exp(p) * (p - q), 0.0)
    divergence: _Array = np.nan_to_num(terms, nan=np.inf).sum(axis=1)
    return np.maximum(divergence, 0.0)  # rounding takes equal distributions below 0


def _log_softmax(logits: FloatArray, legal: npt.NDArray[np.bool_]) -> _Array:
    masked = np.where(legal, logits.astype(np.float64), -np.inf)
    with np.errstate(invalid="ignore"):
        shifted = masked - masked.max(axis=1, keepdims=True)
        result: _Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _flips(reference: FloatArray, twin: FloatArray, legal: npt.NDArray[np.bool_]) -> int:
    best = [np.where(legal, each, -np.inf).argmax(axis=1) for each in (reference, twin)]
    return int(np.count_nonzero(best[0] != best[1]))
