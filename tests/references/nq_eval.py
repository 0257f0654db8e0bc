"""nq_eval as a reader would write it down: one example after the other, one threshold after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nqperf.nq.example import Annotation, Prediction, Span


def evaluate(
    gold: Mapping[int, Sequence[Annotation]],
    predictions: Sequence[Prediction],
    *,
    non_null_threshold: int,
    short_non_null_threshold: int | None = None,
):
    long_rows, short_rows = [], []
    short_threshold = non_null_threshold if short_non_null_threshold is None else short_non_null_threshold
    for prediction in predictions:
        annotations = gold[prediction.example_id]
        long_rows.append(judge_long(annotations, prediction, non_null_threshold))
        short_rows.append(judge_short(annotations, prediction, short_threshold))
    metrics = {}
    for name, rows in (("long", long_rows), ("short", short_rows), ("all", long_rows + short_rows)):
        f1, precision, recall = f1_of(*(sum(row[column] for row in rows) for column in range(3)))
        metrics[f"{name}-answer-n"] = len(rows)
        metrics[f"{name}-answer-f1"] = f1
        metrics[f"{name}-answer-precision"] = precision
        metrics[f"{name}-answer-recall"] = recall
    for name, rows in (("long", long_rows), ("short", short_rows)):
        metrics.update(over_thresholds(f"{name}-", rows))
    return metrics


def judge_long(annotations, prediction, non_null_threshold):
    answers = [a.long_answer for a in annotations if not a.long_answer.is_null]
    has_gold = len(answers) >= non_null_threshold
    has_prediction = not prediction.long_answer.is_null
    is_correct = has_gold and has_prediction and any(same_span(answer, prediction.long_answer) for answer in answers)
    return has_gold, has_prediction, is_correct, prediction.long_answer_score


def judge_short(annotations, prediction, non_null_threshold):
    spans = without_nulls(prediction.short_answers)
    said = prediction.yes_no_answer
    votes = sum(bool(without_nulls(a.short_answers)) or a.yes_no_answer != "NONE" for a in annotations)
    has_gold = votes >= non_null_threshold
    has_prediction = bool(spans) or said != "NONE"
    is_correct = False
    if has_gold and has_prediction:
        if said == "NONE":
            is_correct = any(same_set(without_nulls(a.short_answers), spans) for a in annotations)
        else:
            is_correct = any(a.yes_no_answer == said for a in annotations)
    return has_gold, has_prediction, is_correct, prediction.short_answers_score


def without_nulls(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if not span.is_null]


def same_span(a: Span, b: Span) -> bool:
    if a.start_byte >= 0 and b.start_byte >= 0 and (a.start_byte, a.end_byte) == (b.start_byte, b.end_byte):
        return True
    return a.start_token >= 0 and b.start_token >= 0 and (a.start_token, a.end_token) == (b.start_token, b.end_token)


def same_set(gold: Sequence[Span], predicted: Sequence[Span]) -> bool:
    return all(any(same_span(g, p) for g in gold) for p in predicted) and all(
        any(same_span(g, p) for p in predicted) for g in gold
    )


def f1_of(gold: int, predicted: int, correct: int):
    precision = correct / predicted if predicted else 0
    recall = correct / gold if gold else 0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return f1, precision, recall


def over_thresholds(prefix, rows):
    gold = sum(row[0] for row in rows)
    points = {}
    predicted = correct = 0
    for _, has_prediction, is_correct, score in sorted(rows, key=lambda row: row[3], reverse=True):
        predicted += has_prediction
        correct += is_correct
        points[score] = f1_of(gold, predicted, correct)  # the last of equal scores has counted them all
    best = (0.0, 0.0, 0.0)
    best_threshold = 0.0
    reached = dict.fromkeys((0.5, 0.75, 0.9), (0, 0))
    for threshold, (f1, precision, recall) in points.items():
        if f1 > best[0]:
            best, best_threshold = (f1, precision, recall), threshold
        for target in reached:
            if precision >= target and recall > reached[target][0]:
                reached[target] = (recall, precision)
    metrics = dict(zip(("f1", "precision", "recall"), best, strict=True))
    metrics = {f"{prefix}best-threshold-{name}": value for name, value in metrics.items()}
    metrics[f"{prefix}best-threshold"] = best_threshold
    for target, (recall, precision) in reached.items():
        metrics[f"{prefix}recall-at-precision>={target}"] = recall
        metrics[f"{prefix}precision-at-precision>={target}"] = precision
    return metrics
