"""The official Natural Questions metrics, number for number, and the thesis's micro-F1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqperf.errors import ConfigError
from nqperf.nq.example import Annotation, BoolArray, Prediction, Span, YesNo

PRECISION_TARGETS = (0.5, 0.75, 0.9)

_IDS_SHOWN = 3  # enough to look them up, few enough for one line

_DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NonNullThresholds:
    """How many annotators must have given an answer for an example to have one: for the `long`, and for the `short`."""

    long: int
    short: int

    def __str__(self) -> str:
        return str(self.long) if self.long == self.short else f"{self.long} (long) and {self.short} (short)"

    def brief(self) -> int | NonNullThresholds:
        """Return the one number where both are the same."""
        return self.long if self.long == self.short else self

    @classmethod
    def of(cls, given: int | NonNullThresholds) -> NonNullThresholds:
        """Return the two of `given`; one number stands for both."""
        return cls(long=given, short=given) if isinstance(given, int) else given


def evaluate(
    gold: Mapping[int, Sequence[Annotation]],
    predictions: Sequence[Prediction],
    *,
    non_null_threshold: int | NonNullThresholds,
) -> dict[str, float | int]:
    """Return every metric of nq_eval under its official name, and `all-answer-*`: long and short pooled (micro-F1).

    `gold` holds the annotators' answers by example id; an example has a gold answer when at least `non_null_threshold`
    of its annotators gave one; nq_eval has one such number for long answers and one for short ones. The order of `gold`
    and of `predictions` does not matter.

    Raises: ConfigError when the ids of the two sides differ, a score is NaN, or no example has that many annotators.
    Source: nq_eval.py of google-research-datasets/natural-questions. As there, spans are equal when their byte offsets
    or their token offsets are, and a ratio to nothing is the integer 0.
    """
    ordered = _in_gold_order(gold, predictions)
    labels = list(gold.values())
    thresholds = _checked(non_null_threshold, most_annotations=max(map(len, labels)))
    long, short = _decide(labels, ordered, thresholds)
    return {
        **_f1_metrics("long-answer-", long),
        **_f1_metrics("short-answer-", short),
        **_f1_metrics("all-answer-", long, short),
        **_threshold_metrics("long-", long),
        **_threshold_metrics("short-", short),
    }


def answer_counts(
    gold: Mapping[int, Sequence[Annotation]],
    predictions: Sequence[Prediction],
    *,
    non_null_threshold: int | NonNullThresholds,
) -> npt.NDArray[np.int64]:
    """Return what micro-F1 counts of each example, in the order of `gold`: answers that are right, given, and gold.

    `predictions` and `non_null_threshold` are as in `evaluate`. Long and short answers are pooled, so each is 0, 1 or
    2.

    Shapes: -> int64[n, 3]. Raises: ConfigError as `evaluate` does.
    """
    ordered, labels = _in_gold_order(gold, predictions), list(gold.values())
    parts = _decide(labels, ordered, _checked(non_null_threshold, most_annotations=max(map(len, labels))))
    columns = (
        [part.is_correct for part in parts],
        [part.has_prediction for part in parts],
        [part.has_gold for part in parts],
    )
    return np.stack([np.sum(column, axis=0, dtype=np.int64) for column in columns], axis=1)


def default_non_null_threshold(gold: Iterable[Sequence[Annotation]]) -> int:
    """Return 2 where every example of `gold` has several annotators, as in the five-way set, else 1."""
    counts = [len(annotations) for annotations in gold]
    return 2 if counts and min(counts) > 1 else 1


def _in_gold_order(gold: Mapping[int, Sequence[Annotation]], predictions: Sequence[Prediction]) -> list[Prediction]:
    by_id = {prediction.example_id: prediction for prediction in predictions}
    if len(by_id) < len(predictions):
        raise ConfigError(
            f"{len(predictions) - len(by_id)} of {len(predictions)} predictions repeat an example id; "
            "expected one prediction an example: drop the repeated ones"
        )
    if gold.keys() != by_id.keys():
        sides = {"the gold": gold.keys() - by_id.keys(), "the predictions": by_id.keys() - gold.keys()}
        found = " and ".join(f"{len(ids)} only in {side} ({_some(ids)})" for side, ids in sides.items() if ids)
        raise ConfigError(
            f"example ids differ: {found}; expected the same ids on both sides: evaluate against the examples that the "
            "predictions were made from"
        )
    if not gold:
        raise ConfigError("nothing to evaluate: got 0 gold examples and 0 predictions; check that both files hold any")
    ordered = [by_id[example_id] for example_id in gold]
    if faulty := [
        p.example_id for p in ordered if p.yes_no_answer != "NONE" and not all(s.is_null for s in p.short_answers)
    ]:
        raise ConfigError(
            f"{len(faulty)} predictions give yes/no together with short answers (example ids {_some(faulty)}); "
            "expected one or the other: drop one of them"
        )
    return ordered


def _some(ids: Iterable[int]) -> str:
    ascending = sorted(ids)
    return ", ".join(map(str, ascending[:_IDS_SHOWN])) + (", ..." if len(ascending) > _IDS_SHOWN else "")


def _checked(given: int | NonNullThresholds, *, most_annotations: int) -> NonNullThresholds:
    thresholds = NonNullThresholds.of(given)
    if not 1 <= min(thresholds.long, thresholds.short) <= max(thresholds.long, thresholds.short) <= most_annotations:
        raise ConfigError(
            f"non_null_threshold is {thresholds}, and no gold example has more than {most_annotations} "
            "annotations; expected 1 for gold by one annotator, 2 for the five-way set, never more than the annotations"
        )
    return thresholds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Decisions:
    """What the metrics count, example by example: bool[n] three times, float64[n]."""

    has_gold: BoolArray
    has_prediction: BoolArray
    is_correct: BoolArray
    score: _DoubleArray


def _decide(
    gold: Sequence[Sequence[Annotation]], predictions: Sequence[Prediction], thresholds: NonNullThresholds
) -> tuple[_Decisions, _Decisions]:
    """Judge the long and the short answers of every example."""
    # A plain loop on purpose: taking the offsets of every span out of its object into arrays costs twice as much as
    # comparing them where they are. For speed it visits each annotation once and spells out Span.is_null.
    long_gold, long_given, long_correct = [], [], []
    short_gold, short_given, short_correct = [], [], []
    for labels, prediction in zip(gold, predictions, strict=True):
        predicted = prediction.long_answer
        given = searching = predicted.start_token >= 0 or predicted.start_byte >= 0
        long_votes = short_votes = 0
        for label in labels:
            answer = label.long_answer
            if answer.start_token >= 0 or answer.start_byte >= 0:
                long_votes += 1
                if searching and _same_span(answer, predicted):
                    searching = False
            if label.short_answers or label.yes_no_answer != "NONE":
                short_votes += 1
        long_gold.append(long_votes >= thresholds.long)
        long_given.append(given)
        long_correct.append(given and not searching and long_votes >= thresholds.long)

        spans = prediction.short_answers
        for span in spans:
            if span.start_token < 0 and span.start_byte < 0:
                spans = _without_nulls(spans)
                break
        given = bool(spans) or prediction.yes_no_answer != "NONE"
        has_gold = short_votes >= thresholds.short
        short_gold.append(has_gold)
        short_given.append(given)
        short_correct.append(given and has_gold and _any_agrees(labels, spans, prediction.yes_no_answer))
    long_score = [prediction.long_answer_score for prediction in predictions]
    short_score = [prediction.short_answers_score for prediction in predictions]
    return (
        _decisions(long_gold, long_given, long_correct, _scores(long_score, "long_answer_score", predictions)),
        _decisions(short_gold, short_given, short_correct, _scores(short_score, "short_answers_score", predictions)),
    )


def _decisions(gold: list[bool], given: list[bool], correct: list[bool], score: _DoubleArray) -> _Decisions:
    return _Decisions(
        has_gold=np.fromiter(gold, np.bool_, len(gold)),
        has_prediction=np.fromiter(given, np.bool_, len(given)),
        is_correct=np.fromiter(correct, np.bool_, len(correct)),
        score=score,
    )


def _without_nulls(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(span for span in spans if not span.is_null)


def _same_span(a: Span, b: Span) -> bool:
    # As the official script: bytes that differ are forgiven where the tokens agree, and the other way round.
    return (a.start_token == b.start_token and a.end_token == b.end_token and a.start_token >= 0) or (
        a.start_byte == b.start_byte and a.end_byte == b.end_byte and a.start_byte >= 0
    )


def _any_agrees(labels: Sequence[Annotation], spans: Sequence[Span], yes_no: YesNo) -> bool:
    """Return whether an annotator gave the same set of spans or, where there are none, the same yes or no."""
    if not spans:
        return any(label.yes_no_answer == yes_no for label in labels)
    for label in labels:
        answer = label.short_answers
        if answer and _within(answer, spans) and (len(answer) == len(spans) == 1 or _within(spans, answer)):
            return True
    return False


def _within(part: Sequence[Span], whole: Sequence[Span]) -> bool:
    for span in part:
        for other in whole:
            if _same_span(span, other):
                break
        else:
            return False
    return True


def _scores(values: list[float], field: str, predictions: Sequence[Prediction]) -> _DoubleArray:
    score = np.array(values, np.float64)
    if np.isnan(score).any():
        faulty = [predictions[row].example_id for row in np.flatnonzero(np.isnan(score)).tolist()]
        raise ConfigError(
            f"{field} is NaN in {len(faulty)} predictions (example ids {_some(faulty)}); "
            "expected numbers: check the model's logits"
        )
    return score + 0.0  # -0.0 becomes 0.0, so that equal scores are one threshold however they were written


def _f1_metrics(prefix: str, *parts: _Decisions) -> dict[str, float | int]:
    correct = sum(int(part.is_correct.sum()) for part in parts)
    precision = _ratio(correct, sum(int(part.has_prediction.sum()) for part in parts))
    recall = _ratio(correct, sum(int(part.has_gold.sum()) for part in parts))
    return {
        f"{prefix}n": sum(len(part.score) for part in parts),
        f"{prefix}f1": _ratio(2 * precision * recall, precision + recall),
        f"{prefix}precision": precision,
        f"{prefix}recall": recall,
    }


def _ratio(part: float, whole: float) -> float | int:
    return part / whole if whole else 0


def _threshold_metrics(prefix: str, decisions: _Decisions) -> dict[str, float | int]:
    """Return the metrics over every threshold: only predictions that score at least as much count as given."""
    order = np.argsort(-decisions.score)
    score = decisions.score[order]
    counts = np.append(score[1:] != score[:-1], True)  # equal scores are one threshold: all of them or none
    threshold = score[counts]
    correct = np.cumsum(decisions.is_correct[order])[counts]
    precision = _ratios(correct, np.cumsum(decisions.has_prediction[order])[counts])
    recall = _ratios(correct, np.full(len(correct), decisions.has_gold.sum()))
    f1 = _ratios(2 * precision * recall, precision + recall)

    best = int(f1.argmax())  # the first of equals, the highest threshold, as the official script
    found = bool(f1[best] > 0)
    metrics: dict[str, float | int] = {
        f"{prefix}best-threshold-f1": float(f1[best]),
        f"{prefix}best-threshold-precision": float(precision[best]) if found else 0.0,
        f"{prefix}best-threshold-recall": float(recall[best]) if found else 0.0,
        f"{prefix}best-threshold": float(threshold[best]) if found else 0.0,
    }
    for target in PRECISION_TARGETS:
        reachable = np.where(precision >= target, recall, 0.0)
        at = int(reachable.argmax())
        found = bool(reachable[at] > 0)
        metrics[f"{prefix}recall-at-precision>={target}"] = float(recall[at]) if found else 0
        metrics[f"{prefix}precision-at-precision>={target}"] = float(precision[at]) if found else 0
    return metrics


def _ratios(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> _DoubleArray:
    ratios: _DoubleArray = np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)
    return ratios
