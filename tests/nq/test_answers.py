import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.example import Candidates
from nqperf.nq.features import Features
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import Logits
from nqperf.nq.ranking import RankingConfig, rank_spans
from tests import strategies
from tests.references import answers as reference


@given(case=strategies.answer_cases(), config=strategies.answer_configs())
def test_ranking_is_that_of_the_reference(case, config):
    _, features, starts, logits = case
    ranked = rank_spans(features, logits, starts, config.ranking)
    for number in range(len(starts) - 1):
        expected = reference.ranked_spans(range(starts[number], starts[number + 1]), features, logits, config.ranking)
        own = ranked.of(number)
        found = zip(own.score, own.start_token, own.end_token, own.row, strict=True)
        assert [(score, int(start), int(end), int(row)) for score, start, end, row in found] == expected


@given(case=strategies.answer_cases(), config=strategies.answer_configs())
def test_answers_are_those_of_the_reference(case, config):
    inputs, features, starts, logits = case
    predictions = answer(inputs, features, logits, config)
    assert [one.example_id for one in predictions] == [one.example_id for one in inputs]
    for number, (one, prediction) in enumerate(zip(inputs, predictions, strict=True)):
        expected = reference.prediction(one, range(starts[number], starts[number + 1]), features, logits, config)
        assert (
            (prediction.long_answer.start_token, prediction.long_answer.end_token),
            prediction.long_answer_score,
            [(span.start_token, span.end_token) for span in prediction.short_answers],
            prediction.short_answers_score,
            prediction.yes_no_answer,
        ) == expected


@given(case=strategies.answer_cases(), data=st.data())
def test_nan_is_refused(case, data):
    inputs, features, _, logits = case
    name = data.draw(st.sampled_from(["start_logits", "end_logits"]))
    broken = getattr(logits, name).copy()
    row, position = (data.draw(st.integers(0, size - 1)) for size in broken.shape)
    broken[row, position] = np.nan
    with pytest.raises(ConfigError, match=f"{name} of row {row} holds NaN"):
        answer(inputs, features, dataclasses.replace(logits, **{name: broken}), AnswerConfig())


def one_window(start, end, *, token_map=None):
    """Return features and logits of one window, [CLS] first."""
    length = len(start)
    ones = np.ones((1, length), dtype=np.int32)
    token_map = [-1, *range(1, length)] if token_map is None else token_map
    unique_id = np.array([7])
    features = Features(
        unique_id=unique_id,
        input_ids=ones,
        input_mask=ones,
        segment_ids=ones,
        token_map=np.array([token_map], dtype=np.int32),
    )
    logits = Logits(
        unique_id=unique_id,
        start_logits=np.array([start], dtype=np.float32),
        end_logits=np.array([end], dtype=np.float32),
        answer_type_logits=np.array([[0, 0, 9, 0, 0]], dtype=np.float32),
    )
    return features, logits


def score_predictions(start, end, *, spans=((0, 50, True),), config=None, token_map=None):
    start_token, end_token, top_level = zip(*spans, strict=True)
    candidates = Candidates(
        start_token=np.array(start_token, np.int32),
        end_token=np.array(end_token, np.int32),
        top_level=np.array(top_level, np.bool_),
    )
    features, logits = one_window(start, end, token_map=token_map)
    inputs = [AnswerInput(example_id=7, candidates=candidates)]
    return answer(inputs, features, logits, config or AnswerConfig())[0]


def short_of(prediction):
    return [(span.start_token, span.end_token) for span in prediction.short_answers]


def test_a_later_pair_wins_a_tie():
    prediction = score_predictions([0, 9, 9, 0, 0], [0, 0, 0, 9, 9])
    assert short_of(prediction) == [(2, 5)]


def test_zeros_of_both_signs_are_a_tie():
    config = AnswerConfig(short_threshold=0.5, ranking=RankingConfig(best=1))
    assert short_of(score_predictions([-1, 0.0, -0.0, -9], [0, 0, 0, 0], config=config)) == [(2, 4)]


def test_the_score_is_taken_against_cls():
    prediction = score_predictions([1, 9, 0, 0], [2, 0, 9, 0])
    assert (prediction.short_answers_score, prediction.long_answer_score) == (15.0, 15.0)


def test_an_answer_of_one_piece_is_an_option():
    start, end = [0, 9, 0, 0], [0, 9, 0, 0]
    allowed = AnswerConfig(ranking=RankingConfig(one_piece=True))
    assert short_of(score_predictions(start, end)) == [(1, 4)]
    assert short_of(score_predictions(start, end, config=allowed)) == [(1, 2)]


def test_thresholds_are_to_be_exceeded():
    at_eight = score_predictions([0, 4, 0], [0, 0, 4])
    assert (short_of(at_eight), at_eight.short_answers_score) == ([], -10_000.0)
    assert at_eight.long_answer_score == 8.0
    assert short_of(score_predictions([0, 4, 0], [0, 0, 4.001])) == [(1, 3)]
    assert score_predictions([0, 1.5, 0], [0, 0, 1.5]).long_answer.is_null


def test_the_long_answer_is_the_first_top_level_candidate_around_the_best_span_that_has_one():
    start, end = [0, 9, 0, 5, 0], [0, 0, 9, 0, 5]
    spans = [(1, 3, False), (3, 5, True), (2, 6, True)]
    prediction = score_predictions(start, end, spans=spans)
    assert short_of(prediction) == [(1, 3)]
    assert (prediction.long_answer.start_token, prediction.long_answer.end_token) == (3, 5)
    assert prediction.long_answer_score == 10.0


def test_yes_and_no_are_an_option():
    assert score_predictions([0, 9, 0], [0, 0, 9]).yes_no_answer == "NONE"
    prediction = score_predictions([0, 9, 0], [0, 0, 9], config=AnswerConfig(yes_no=True))
    assert (prediction.yes_no_answer, short_of(prediction)) == ("NO", [])


def test_pieces_off_the_document_neither_begin_nor_end_an_answer():
    prediction = score_predictions([0, 99, 9, 0, 0], [0, 0, 0, 9, 99], token_map=[5, -1, 1, 2, -1])
    assert short_of(prediction) == [(1, 3)]


def test_a_pair_that_runs_backwards_through_the_document_is_no_span():
    prediction = score_predictions([0, 9, 0, 0], [0, 0, 9, 8], token_map=[-1, 30, 2, 31])
    assert short_of(prediction) == [(30, 32)]


def test_infinite_logits_answer_or_not_but_never_fail():
    assert short_of(score_predictions([0, np.inf, 0], [0, 0, 1])) == [(1, 3)]
    assert short_of(score_predictions([np.inf, np.inf, 0], [-np.inf, 0, np.inf])) == []


@pytest.mark.parametrize("fields", [{"best": 0}, {"max_length": 0}])
def test_a_ranking_of_nothing_is_refused(fields):
    with pytest.raises(ConfigError, match="at least 1"):
        RankingConfig(**fields)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_threshold_that_is_no_score_is_refused(value):
    with pytest.raises(ConfigError, match="short_threshold"):
        AnswerConfig(short_threshold=value)


def test_logits_of_other_features_are_refused():
    features, logits = one_window([0, 1], [0, 1])
    inputs = [AnswerInput(example_id=7, candidates=no_candidates())]
    other = dataclasses.replace(logits, unique_id=np.array([8]))
    with pytest.raises(ConfigError, match="row 0 is unique_id 7 in the features and 8 in the logits"):
        answer(inputs, features, other, AnswerConfig())
    shorter = dataclasses.replace(logits, start_logits=logits.start_logits[:, :1])
    with pytest.raises(ConfigError, match="expected the logits of these features"):
        answer(inputs, features, shorter, AnswerConfig())


def no_candidates():
    return Candidates(
        start_token=np.zeros(0, np.int32), end_token=np.zeros(0, np.int32), top_level=np.zeros(0, np.bool_)
    )


def test_thresholds_that_are_given_replace_those_that_are_there():
    config = AnswerConfig(long_threshold=1.0, short_threshold=2.0, yes_no=True)
    assert config.with_thresholds(None, None) == config
    assert config.with_thresholds(5.0, None) == AnswerConfig(long_threshold=5.0, short_threshold=2.0, yes_no=True)
    assert config.with_thresholds(None, 0.0) == AnswerConfig(long_threshold=1.0, short_threshold=0.0, yes_no=True)
    with pytest.raises(ConfigError, match="finite"):
        config.with_thresholds(float("nan"), None)
