"""A score and what it is of: the examples that have annotations, and how many annotators an answer takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from nqperf.nq.evaluation import NonNullThresholds, default_non_null_threshold, evaluate
from nqperf.nq.example import Annotation, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How many annotators must have given an answer, as far as it was asked for.

    `long` and `short` are for one kind of answer; None leaves one to `both`, and `both` to the annotations.
    """

    both: int | None = None
    long: int | None = None
    short: int | None = None

    def of(self, gold: Iterable[Sequence[Annotation]]) -> NonNullThresholds:
        """Return the thresholds for the annotations of `gold`, one entry an example."""
        both = default_non_null_threshold(gold) if self.both is None else self.both
        return NonNullThresholds(
            long=both if self.long is None else self.long, short=both if self.short is None else self.short
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """nq_eval's `metrics` of the annotated examples, with what they were counted by.

    `thresholds` are how many annotators must have given an answer. `examples` is the number of all, `annotated` of
    those that have annotations; `annotators` says how many examples have so many annotators, by that number.
    """

    metrics: dict[str, float | int]
    thresholds: NonNullThresholds
    examples: int
    annotated: int
    annotators: dict[int, int]

    def notes(self) -> list[str]:
        """Return what a reader of the figures must know of them, in words; nothing where all is plain."""
        found = []
        if self.annotated < self.examples:
            left = self.examples - self.annotated
            found.append(
                f"the score is of {self.annotated} of {self.examples} examples: {left} "
                f"{'has' if left == 1 else 'have'} no annotations"
            )
        if len(self.annotators) > 1:
            counts = ", ".join(f"{examples} with {number}" for number, examples in self.annotators.items())
            found.append(
                f"examples have different numbers of annotators ({counts}); an answer counts where {self.thresholds} "
                "gave one: --non-null-threshold names another number"
            )
        return found

    def figures(self) -> dict[str, float | int]:
        """Return the metrics, and the thresholds beside them under the names of nq_eval's flags."""
        return {
            **self.metrics,
            "long-non-null-threshold": self.thresholds.long,
            "short-non-null-threshold": self.thresholds.short,
        }


def score(
    gold: Mapping[int, Sequence[Annotation]],
    predictions: Sequence[Prediction],
    *,
    thresholds: Thresholds,
    unannotated: Collection[int] = (),
) -> Score:
    """Return the score of `predictions` against the annotations of `gold`, by example id.

    Predictions of the examples in `unannotated`, which are known to have no annotations, are left out; `thresholds` are
    those that were asked for.

    Raises: ConfigError as `evaluate` does.
    """
    left_out = set(unannotated)
    counted = [one for one in predictions if one.example_id not in left_out]
    chosen = thresholds.of(gold.values())
    return Score(
        metrics=evaluate(gold, counted, non_null_threshold=chosen),
        thresholds=chosen,
        examples=len(gold) + len(left_out),
        annotated=len(gold),
        annotators=dict(sorted(Counter(map(len, gold.values())).items())),
    )
