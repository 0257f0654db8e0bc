"""From ranked spans to one prediction an example."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import NULL_SPAN, Candidates, IntArray, Prediction, Span, YesNo
from nqperf.nq.features import Features
from nqperf.nq.grouping import AnswerInput, PendingExamples
from nqperf.nq.logits import Logits
from nqperf.nq.ranking import RankedSpans, RankingConfig, rank_spans

NULL_SCORE = -10_000.0
# The classes of the answer-type logits, by position.
ANSWER_TYPES = ("UNKNOWN", "YES", "NO", "SHORT", "LONG")
_YES_NO: dict[int, YesNo] = {ANSWER_TYPES.index("YES"): "YES", ANSWER_TYPES.index("NO"): "NO"}


class Thresholds(Protocol):
    """The scores above which a model's long and short answers are given; None leaves one open."""

    @property
    def long_threshold(self) -> float | None: ...  # noqa: D102  # said above
    @property
    def short_threshold(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerConfig:
    """An answer is given when its score is above the threshold; the defaults are the thesis's.

    `long_threshold` is the score above which there is a long answer, `short_threshold` a short one, both in logits;
    `ranking` says how spans are scored. With `yes_no` a short answer becomes YES or NO where the window of the best
    span says so by its answer type; the reference never does.
    Raises: ConfigError for a threshold that is no finite number.
    """

    long_threshold: float = 3.0
    short_threshold: float = 8.0
    yes_no: bool = False
    ranking: RankingConfig = RankingConfig()

    def __post_init__(self) -> None:
        for name in ("long_threshold", "short_threshold"):
            if not np.isfinite(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a finite score")

    @classmethod
    def of(cls, settings: Thresholds, asked: AnswerConfig | None = None) -> AnswerConfig:
        """Return what a model's own `settings` say, such as those of its folder: the one rule for its thresholds.

        A threshold that they leave open is that of `asked`, and so is all else; by default the thesis's.
        """
        return (asked or cls()).with_thresholds(settings.long_threshold, settings.short_threshold)

    def with_thresholds(self, long_threshold: float | None, short_threshold: float | None) -> AnswerConfig:
        """Return the same with `long_threshold` and `short_threshold`; None keeps the one that is there."""
        return dataclasses.replace(
            self,
            long_threshold=self.long_threshold if long_threshold is None else long_threshold,
            short_threshold=self.short_threshold if short_threshold is None else short_threshold,
        )


def answer(inputs: list[AnswerInput], features: Features, logits: Logits, config: AnswerConfig) -> list[Prediction]:
    """Return one prediction an input: the best span, and the first top-level candidate around the best such span.

    `inputs` are what is needed of the examples, `config` says which scores are answers. `features` and `logits` hold
    the rows of exactly these examples, in order.

    Raises: ConfigError when the rows are those of other examples.
    """
    pending = PendingExamples(inputs)
    predictions = answer_pending(pending, features, logits, config)
    pending.refuse_rest()
    return predictions


def answer_pending(
    pending: PendingExamples, features: Features, logits: Logits, config: AnswerConfig, *, following: int | None = None
) -> list[Prediction]:
    """Return a prediction for each waiting example that these whole runs of rows belong to.

    `pending` are the examples that wait; `features` and `logits` hold the same rows. `config` says which scores are
    answers. `following` is the unique_id of the row behind them, None at the end.

    Raises: ConfigError when the rows are those of other examples.
    """
    inputs, starts = pending.take(features, following=following)
    ranked = rank_spans(features, logits, starts, config.ranking)
    answer_types = logits.answer_type_logits.argmax(axis=1)
    return [
        _prediction(one, spans := ranked.of(number), answer_types[spans.row], config)
        for number, one in enumerate(inputs)
    ]


def _prediction(one: AnswerInput, spans: RankedSpans, answer_type: IntArray, config: AnswerConfig) -> Prediction:
    long_answer, long_score = NULL_SPAN, NULL_SCORE
    short_answers: tuple[Span, ...] = ()
    short_score = NULL_SCORE
    yes_no: YesNo = "NONE"
    if len(spans.score):
        best, candidate = _first_inside(spans, one.candidates)
        if candidate >= 0 and spans.score[best] > config.long_threshold:
            long_score = float(spans.score[best])
            long_answer = Span(
                start_token=int(one.candidates.start_token[candidate]),
                end_token=int(one.candidates.end_token[candidate]),
            )
        if spans.score[0] > config.short_threshold:
            short_score = float(spans.score[0])
            yes_no = _YES_NO.get(int(answer_type[0]), "NONE") if config.yes_no else "NONE"
            if yes_no == "NONE":
                short_answers = (Span(start_token=int(spans.start_token[0]), end_token=int(spans.end_token[0])),)
    return Prediction(
        example_id=one.example_id,
        long_answer=long_answer,
        long_answer_score=long_score,
        short_answers=short_answers,
        short_answers_score=short_score,
        yes_no_answer=yes_no,
    )


def _first_inside(spans: RankedSpans, candidates: Candidates) -> tuple[int, int]:
    """Return the first span that a top-level candidate contains, and the first such candidate; (0, -1) if none."""
    inside = (
        candidates.top_level
        & (candidates.start_token <= spans.start_token[:, None])
        & (candidates.end_token >= spans.end_token[:, None])
    )  # [spans, candidates]
    contained = inside.any(axis=1)
    if not contained.any():
        return 0, -1
    span = int(contained.argmax())
    return span, int(inside[span].argmax())
