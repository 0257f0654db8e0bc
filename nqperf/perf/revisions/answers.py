"""Whether the same row answers the same in two revisions, scored by the tool that was started alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nqperf.errors import ParityError
from nqperf.nq.evaluation import answer_counts, default_non_null_threshold, evaluate
from nqperf.nq.example import NULL_SPAN, Example, Prediction, Span
from nqperf.perf.pairs.sameness import Close, agree
from nqperf.perf.suite.differences import difference
from nqperf.perf.suite.parity import ANSWER_LIMITS, LIMITS, MICRO_F1
from nqperf.perf.variants.variant import Tolerance
from nqperf.records.results import LOGIT_DIFFERENCE, UNDECIDED, Agreement
from nqperf.statistics.answers import Answered, judge_answers

_EXACT = Close(rtol=0, atol=0)
_DIFFERENCES = 20
_Found = tuple[Agreement, "str | None", "str | None"]


def equal_values(base: Any, change: Any) -> _Found:
    """Return how far the outputs `base` and `change` are equal, bit for bit, and why they are not (None: they are)."""
    return (*agree(_EXACT, base, change), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamePredictions:
    """Compares what both sides answered to the `examples`, in order: exactly, or within the row's `tolerance`.

    Called with what `side_rows.variant` answers on both sides.
    """

    examples: Sequence[Example]
    tolerance: Tolerance

    def __call__(self, base: Any, change: Any) -> _Found:
        """Return how far they agree, why they are not the same (None: they are), and what cannot be told.

        Raises: ParityError for answers of another form, or to other examples than the data's.
        """
        ours, theirs = (self._predictions(answers) for answers in (base, change))
        if len(ours) != len(theirs):
            counts = f"{len(ours)} examples of the base and {len(theirs)} of the change"
            return _nothing(len(ours)), f"answers to {counts}; expected as many", None
        if shapes := _other_shapes(base["logits"], change["logits"]):
            return _nothing(len(ours)), shapes, None
        agreed = self._agreement(ours, theirs, base["logits"], change["logits"])
        return (agreed, *self._fault(ours, theirs, agreed))

    def _predictions(self, answers: Any) -> list[Prediction]:
        try:
            found = [_prediction(one) for one in answers["predictions"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ParityError(
                f"answers of another form ({type(error).__name__}: {error}); expected predictions"
            ) from None
        if not found or [one.example_id for one in found] != [one.example_id for one in self.examples[: len(found)]]:
            raise ParityError("answers to other examples than those of the data, or to none; expected these in order")
        return found

    def _agreement(
        self, ours: list[Prediction], theirs: list[Prediction], logits: Mapping[str, Any], others: Mapping[str, Any]
    ) -> Agreement:
        """Return how far predictions agree; scores are this tool's own."""
        known = {one.example_id: one for one in self.examples}
        gold = {one.example_id: known[one.example_id].annotations for one in ours}
        threshold = default_non_null_threshold(gold.values())
        before, now = (float(evaluate(gold, found, non_null_threshold=threshold)[MICRO_F1]) for found in (ours, theirs))
        pairs = zip(ours, theirs, strict=True)
        changed = [(one, other) for one, other in pairs if not one.agrees(other)]
        apart = [float(np.max(np.abs(logits[name] - others[name]), initial=0.0)) for name in logits]
        return Agreement(
            metric=MICRO_F1,
            value=now,
            baseline_value=before,
            compared=len(ours),
            changed=len(changed),
            details={LOGIT_DIFFERENCE: max(apart)} if apart else {},
            differences=tuple(difference(known[one.example_id], one, other) for one, other in changed[:_DIFFERENCES]),
        )

    def _fault(
        self, ours: list[Prediction], theirs: list[Prediction], agreed: Agreement
    ) -> tuple[str | None, str | None]:
        """Return what is surely wrong, and what cannot be told yet."""
        limits = ANSWER_LIMITS.get(self.tolerance)
        if limits is None or not agreed.changed:
            return _exact_fault(agreed, LIMITS[self.tolerance].logits), None
        gold = {one.example_id: one.annotations for one in self.examples[: len(ours)]}
        threshold = default_non_null_threshold(gold.values())
        counts = [answer_counts(gold, found, non_null_threshold=threshold) for found in (ours, theirs)]
        changed = np.array([not one.agrees(other) for one, other in zip(ours, theirs, strict=True)])
        found = judge_answers(Answered(baseline=counts[0], row=counts[1], changed=changed), limits)
        said = (
            f"{_changed(agreed)}; at most {limits.changed:.1%} may change, and {limits.micro_f1:.1%} of micro-F1 stays"
        )
        if found.outcome == "FAILS":
            return said, None
        return None, None if found.outcome == "HOLDS" else f"{UNDECIDED}: {said}"


def _changed(agreed: Agreement) -> str:
    return (
        f"{agreed.changed} of {agreed.compared} predictions changed, micro-F1 {agreed.value:.4f} against "
        f"{agreed.baseline_value:.4f}"
    )


def _exact_fault(agreed: Agreement, bound: float | None) -> str | None:
    if agreed.changed or agreed.value != agreed.baseline_value:
        return _changed(agreed)
    apart = agreed.details.get(LOGIT_DIFFERENCE, 0.0)
    if not apart <= (np.inf if bound is None else bound):
        return f"logits differ by up to {apart:.2g}, expected {bound:g} or less"
    return None


def _other_shapes(base: Mapping[str, Any], change: Mapping[str, Any]) -> str | None:
    """Return which outputs have other shapes, None where all have the same."""
    names = sorted({*base, *change})
    shapes = {name: tuple(np.shape(side.get(name, ())) for side in (base, change)) for name in names}
    wrong = [f"{name} {list(one)} and {list(other)}" for name, (one, other) in shapes.items() if one != other]
    return f"outputs of other shapes: {', '.join(wrong)}; expected the same in both" if wrong else None


def _nothing(compared: int) -> Agreement:
    """Return the agreement of answers that cannot be held to each other: all of them differ."""
    return Agreement(metric=MICRO_F1, value=0.0, baseline_value=1.0, compared=compared, changed=compared)


def _prediction(plain: Any) -> Prediction:
    return Prediction(
        example_id=int(plain["example_id"]),
        long_answer=_span(plain["long_answer"]),
        long_answer_score=float(plain["long_score"]),
        short_answers=tuple(_span(span) for span in plain["short_answers"]),
        short_answers_score=float(plain["short_score"]),
        yes_no_answer=plain["yes_no"],
    )


def _span(tokens: Any) -> Span:
    start, end = map(int, tokens)
    return NULL_SPAN if start < 0 else Span(start_token=start, end_token=end)
