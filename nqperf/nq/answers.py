"""From ranked spans to one prediction an example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nqperf.errors import ConfigError
from nqperf.nq.example import NULL_SPAN, Candidates, IntArray, LongArray, Prediction, Span, YesNo
from nqperf.nq.features import Features, example_starts
from nqperf.nq.logits import Logits
from nqperf.nq.ranking import RankedSpans, RankingConfig, rank_spans

NULL_SCORE = -10_000.0
# Positions in the answer-type logits, in the order UNKNOWN, YES, NO, SHORT, LONG.
_YES_NO: dict[int, YesNo] = {1: "YES", 2: "NO"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerConfig:
    """An answer is given when its score is above the threshold; the defaults are the thesis's.

    With `yes_no` a short answer becomes YES or NO where the window of the best span says so by its answer type; the
    reference never does.
    """

    long_threshold: float = 3.0
    short_threshold: float = 8.0
    yes_no: bool = False
    ranking: RankingConfig = RankingConfig()

    def __post_init__(self) -> None:
        for name in ("long_threshold", "short_threshold"):
            if not np.isfinite(getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a finite score")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerInput:
    """What one example brings to answering beside its logits."""

    example_id: int
    candidates: Candidates


def answer(inputs: list[AnswerInput], features: Features, logits: Logits, config: AnswerConfig) -> list[Prediction]:
    """Return one prediction an input: the best span, and the first top-level candidate around the best such span.

    `features` and `logits` hold the rows of exactly these examples, in order.

    Raises: ConfigError when the rows are those of other examples.
    """
    starts = example_starts(features)
    _check_ids(inputs, features.unique_id[starts[:-1]])
    ranked = rank_spans(features, logits, starts, config.ranking)
    said = logits.answer_type_logits.argmax(axis=1)
    return [_prediction(one, spans := ranked.of(number), said[spans.row], config) for number, one in enumerate(inputs)]


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
    top = np.flatnonzero(candidates.top_level)
    inside = (candidates.start_token[top] <= spans.start_token[:, None]) & (
        candidates.end_token[top] >= spans.end_token[:, None]
    )  # [spans, candidates]
    contained = inside.any(axis=1)
    if not contained.any():
        return 0, -1
    span = int(contained.argmax())
    return span, int(top[inside[span].argmax()])


def _check_ids(inputs: list[AnswerInput], first_ids: LongArray | IntArray) -> None:
    expected = [one.example_id for one in inputs]
    got = first_ids.tolist()
    if expected == got:
        return
    number = next(
        (i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got))
    )
    wanted = expected[number] if number < len(expected) else "no more"
    found = got[number] if number < len(got) else "no more"
    raise ConfigError(
        f"example {number + 1} of the data is {wanted} and of the features {found}; "
        "expected features of this data, made with the same --skip and --limit"
    )
