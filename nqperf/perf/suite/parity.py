"""Parity: whether a variant still gives the baseline's answers, settled before anything is timed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nqperf.errors import ParityError
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.evaluation import answer_counts, evaluate
from nqperf.nq.example import Annotation, Example, IntArray, Prediction
from nqperf.nq.features import Features
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import MODEL_OUTPUTS, Logits
from nqperf.nq.ranking import rank_spans
from nqperf.perf.suite.differences import difference
from nqperf.perf.variants.variant import Tolerance
from nqperf.records.results import LOGIT_DIFFERENCE, UNDECIDED, Agreement
from nqperf.statistics.answers import Answered, AnswerLimits, AnswersVerdict, judge_answers

MICRO_F1 = "all-answer-f1"
# So many changed answers a record keeps in words: enough to see what went wrong, and no second predictions file.
_DIFFERENCES = 20
# A further detail of an agreement: the share of examples whose best span is the same.
SPAN_AGREEMENT = "span_agreement"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What every variant is asked: the features of whole examples, and what is needed to score the answers.

    Fields:
        features: The rows, those of an example beside each other.
        starts: int32[m + 1], the first row of each of the m examples and the number of rows.
        inputs: What answering reads of each example beside its rows.
        examples: The examples by id.
        gold: Their annotations by id.
        answers: How answers are made of logits.
        non_null_threshold: How many annotators must have given an answer for an example to have one.
        is_cut: Whether further examples were left out, for they had more windows than were asked for.
    """

    features: Features
    starts: IntArray
    inputs: list[AnswerInput]
    examples: Mapping[int, Example]
    gold: Mapping[int, tuple[Annotation, ...]]
    answers: AnswerConfig
    non_null_threshold: int
    is_cut: bool = False

    def first(self, windows: int) -> Task:
        """Return the task of the first examples, as many as have `windows` windows, but at least one."""
        return self.first_examples(max(1, int(np.searchsorted(self.starts, windows, side="right")) - 1))

    def first_examples(self, examples: int) -> Task:
        """Return the task of so many of the first `examples`, all of them where there are no more."""
        if examples >= len(self.inputs):
            return self
        inputs = self.inputs[:examples]
        return dataclasses.replace(
            self,
            features=self.features.rows(0, int(self.starts[examples])),
            starts=self.starts[: examples + 1],
            inputs=inputs,
            gold={one.example_id: self.gold[one.example_id] for one in inputs},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What a variant said to a task, and its score.

    `logits` are of all rows of the task, `predictions` of its examples, both in its order; `metrics` are those of
    nq_eval.
    """

    logits: Logits
    predictions: list[Prediction]
    metrics: dict[str, float | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far answers may differ: `micro_f1` and `spans` are the least shares of the baseline's that must be left.

    At most `changed_predictions` answers may be other ones, any number where it is None. A difference of logits above
    `logits` is a defect even where no answer changes; None where the type's own rounding is as large as any bound worth
    having.
    """

    micro_f1: float
    spans: float
    changed_predictions: int | None = None
    logits: float | None = None


# Exact rows compute in float32 and may add in another order, which moves a logit by about 1e-5.
LIMITS: Mapping[Tolerance, Limits] = {
    "exact": Limits(micro_f1=1.0, spans=1.0, changed_predictions=0, logits=1e-3),
    "sixteen_bit": Limits(micro_f1=0.999, spans=0.995),
    "eight_bit": Limits(micro_f1=0.99, spans=0.95),
}


# What may change of the answers of narrower types: a share of them, and a share of the baseline's micro-F1 that must
# stay. Few examples cannot tell: then nothing is decided.
ANSWER_LIMITS: Mapping[Tolerance, AnswerLimits] = {
    "sixteen_bit": AnswerLimits(changed=0.005, micro_f1=0.999),
    "eight_bit": AnswerLimits(changed=0.05, micro_f1=0.99),
}


def answered(task: Task, baseline: Answers, variant: Answers) -> Answered:
    """Return the answers of a `variant` to a `task` beside the `baseline`'s, example by example."""
    pairs = zip(baseline.predictions, variant.predictions, strict=True)
    counts = [
        answer_counts(task.gold, answers.predictions, non_null_threshold=task.non_null_threshold)
        for answers in (baseline, variant)
    ]
    changed = np.array([not one.agrees(other) for one, other in pairs])
    return Answered(baseline=counts[0], row=counts[1], changed=changed)


def require_answers(found: AnswersVerdict, limits: AnswerLimits) -> str | None:
    """Return what cannot be told yet of answers with such `limits`, None where they hold, by what was `found`.

    Raises: ParityError with what is surely broken.
    """
    low, high = found.changed_interval
    said = (
        f"{found.changed} of {found.compared} answers changed ({found.wins} better, {found.losses} worse; "
        f"{low:.2%} to {high:.2%} of all), micro-F1 {found.micro_f1:.4f} against {found.baseline_micro_f1:.4f}; "
        f"at most {limits.changed:.1%} may change, and {limits.micro_f1:.1%} of micro-F1 must stay"
    )
    if found.outcome == "FAILS":
        raise ParityError(f"parity: {said}")
    if found.outcome == "HOLDS":
        return None
    more = "" if found.more_examples is None else f"; about {found.more_examples} more examples would tell"
    return f"{UNDECIDED}: {said}{more}"


def check_answers(
    task: Task,
    baseline: Answers,
    variant: Answers,
    agreed: Agreement,
    tolerance: Tolerance,
    *,
    most: int | None = None,
) -> str | None:
    """Raise where a variant's answers surely differ by more than its `tolerance`; return what cannot be told yet.

    `baseline` and `variant` are the answers of both to `task`, and `agreed` is how far they agree. Exact rows have to
    be exact. The answers of others are judged by the share that changed and by micro-F1, paired by example, with error
    rates: one or two flips among few examples prove nothing, either way. `most` is how many examples there will be in
    all, None where there are no more.
    Raises: ParityError with what is surely broken.
    """
    limits = ANSWER_LIMITS.get(tolerance)
    if limits is None:
        check_parity(agreed, tolerance)
        return None
    return require_answers(judge_answers(answered(task, baseline, variant), limits, most=most), limits)


def score_predictions(task: Task, logits: Logits) -> Answers:
    """Return the answers to `task` that `logits` give.

    Raises: ParityError when a logit is not a finite number: then there is nothing to answer with.
    """
    for name in MODEL_OUTPUTS:
        wrong = int(np.count_nonzero(~np.isfinite(getattr(logits, name))))
        if wrong:
            raise ParityError(f"parity: {wrong} of the {name} are NaN or infinite; expected finite numbers")
    predictions = answer(task.inputs, task.features, logits, task.answers)
    metrics = evaluate(task.gold, predictions, non_null_threshold=task.non_null_threshold)
    return Answers(logits=logits, predictions=predictions, metrics=metrics)


def agreement(task: Task, baseline: Answers, variant: Answers) -> Agreement:
    """Return how far the answers of `variant` to `task` agree with those of `baseline`.

    A prediction has changed when its long answer, its short answers or its yes/no did, whatever the scores. Spans agree
    where an example's best span is the same in both, or neither has one.
    """
    pairs = zip(baseline.predictions, variant.predictions, strict=True)
    changed = [(one, other) for one, other in pairs if not one.agrees(other)]
    ours, theirs = (_best_spans(task, answers) for answers in (baseline, variant))
    return Agreement(
        metric=MICRO_F1,
        value=float(variant.metrics[MICRO_F1]),
        baseline_value=float(baseline.metrics[MICRO_F1]),
        compared=len(baseline.predictions),
        changed=len(changed),
        details={
            SPAN_AGREEMENT: sum(one == other for one, other in zip(ours, theirs, strict=True)) / len(ours),
            LOGIT_DIFFERENCE: max(
                float(np.max(np.abs(getattr(baseline.logits, name) - getattr(variant.logits, name))))
                for name in MODEL_OUTPUTS
            ),
        },
        differences=tuple(
            difference(task.examples[one.example_id], one, other) for one, other in changed[:_DIFFERENCES]
        ),
    )


def check_parity(agreed: Agreement, tolerance: Tolerance) -> None:
    """Raise unless the answers that `agreed` tells of are the same within the row's `tolerance`.

    Raises: ParityError with every limit that was broken.
    """
    broken = list(_broken(agreed, LIMITS[tolerance]))
    if broken:
        raise ParityError(f"parity: {'; '.join(broken)}")


def _broken(agreed: Agreement, limits: Limits) -> Iterator[str]:
    micro_f1, baseline = agreed.value, agreed.baseline_value
    least = limits.micro_f1 * baseline
    too_low = micro_f1 < least
    other = limits.micro_f1 == 1.0 and micro_f1 != baseline
    if too_low or other:
        relation = "expected the same" if limits.micro_f1 == 1.0 else f"expected {least:.4f} or more"
        yield f"micro-F1 {micro_f1:.4f} against {baseline:.4f}, {relation}"
    if limits.changed_predictions is not None and agreed.changed > limits.changed_predictions:
        yield (
            f"{agreed.changed} of {agreed.compared} predictions changed, expected at most {limits.changed_predictions}"
        )
    spans, logits = agreed.details[SPAN_AGREEMENT], agreed.details[LOGIT_DIFFERENCE]
    if spans < limits.spans:
        yield f"{spans:.2%} of the best spans agree, expected {limits.spans:.1%} or more"
    if limits.logits is not None and logits > limits.logits:
        yield f"logits differ by up to {logits:.2g}, expected {limits.logits:g} or less"


def _best_spans(task: Task, answers: Answers) -> Sequence[tuple[int, int] | None]:
    """Return each example's best span, None where it has none above the null score."""
    ranked = rank_spans(task.features, answers.logits, task.starts, task.answers.ranking)
    spans = list(zip(ranked.start_token.tolist(), ranked.end_token.tolist(), strict=True))
    return [
        spans[first] if first < end else None
        for first, end in zip(ranked.starts[:-1].tolist(), ranked.starts[1:].tolist(), strict=True)
    ]
