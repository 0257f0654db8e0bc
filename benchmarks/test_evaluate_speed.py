"""nq_eval over five-way annotated examples: ours against the straightforward reference, in one group."""

from __future__ import annotations

import numpy as np
import pytest

from nqperf.nq.evaluation import evaluate
from nqperf.nq.example import NULL_SPAN, Annotation, Prediction, Span
from tests.references import nq_eval

EXAMPLES = 8_000  # about the five-way development set
ANNOTATORS = 5


def make_span(rng):
    start, length = int(rng.integers(0, 8_000)), int(rng.integers(1, 200))
    return Span(start_token=start, end_token=start + length, start_byte=6 * start, end_byte=6 * (start + length))


def make_annotation(rng, candidates):
    """Draw one annotator's answer: about half give a long answer, most of these a short one, a few yes or no."""
    if rng.random() < 0.5:
        return Annotation(long_answer=NULL_SPAN, short_answers=(), yes_no_answer="NONE")
    long_answer = candidates[rng.integers(len(candidates))]
    kind = rng.random()
    if kind < 0.05:
        return Annotation(long_answer=long_answer, short_answers=(), yes_no_answer="YES" if kind < 0.03 else "NO")
    picked = rng.integers(len(candidates), size=rng.choice([0, 1, 2], p=[0.3, 0.6, 0.1]))
    return Annotation(long_answer=long_answer, short_answers=tuple(candidates[i] for i in picked), yes_no_answer="NONE")


@pytest.fixture(scope="module")
def gold_and_predictions():
    rng = np.random.default_rng(20200607)
    gold, predictions = {}, []
    for example_id in range(EXAMPLES):
        candidates = [make_span(rng) for _ in range(3)]
        gold[example_id] = [make_annotation(rng, candidates) for _ in range(ANNOTATORS)]
        answer = make_annotation(rng, candidates)
        predictions.append(
            Prediction(
                example_id=example_id,
                long_answer=answer.long_answer,
                long_answer_score=float(np.float32(rng.normal(5, 4))),
                short_answers=answer.short_answers,
                short_answers_score=float(np.float32(rng.normal(5, 4))),
                yes_no_answer=answer.yes_no_answer,
            )
        )
    return gold, predictions


@pytest.mark.benchmark(group="evaluate")
@pytest.mark.parametrize("implementation", [evaluate, nq_eval.evaluate], ids=["nqperf", "straightforward"])
def test_evaluate(benchmark, gold_and_predictions, implementation):
    gold, predictions = gold_and_predictions
    metrics = benchmark(implementation, gold, predictions, non_null_threshold=2)
    assert metrics == nq_eval.evaluate(gold, predictions, non_null_threshold=2)
    assert metrics["all-answer-f1"] > 0
