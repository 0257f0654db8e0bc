import numpy as np
import pytest
from hypothesis import given

from nqperf.errors import ConfigError
from nqperf.nq.example import Candidates
from nqperf.nq.features import Features
from nqperf.nq.grouping import AnswerInput, PendingExamples
from tests import strategies

NONE = Candidates(start_token=np.zeros(0, np.int32), end_token=np.zeros(0, np.int32), top_level=np.zeros(0, np.bool_))


def rows(*ids, starts=(0,), padded=()):
    """Return features with these unique ids; `starts` open an example, and all are full but the `padded` ones."""
    ones = np.ones((len(ids), 3), dtype=np.int32)
    input_ids, mask, token_map = ones * 7, ones.copy(), ones.copy()
    input_ids[list(starts)], token_map[list(starts)] = 5, -1
    mask[list(padded), -1] = 0
    return Features(
        unique_id=np.array(ids), input_ids=input_ids, input_mask=mask, segment_ids=ones, token_map=token_map
    )


def starts_of(example_ids, features):
    pending = PendingExamples(AnswerInput(example_id=one, candidates=NONE) for one in example_ids)
    own, starts = pending.take(features, following=None)
    pending.refuse_rest()
    assert [one.example_id for one in own] == list(example_ids)
    return starts.tolist()


@given(case=strategies.answer_cases())
def test_rows_go_to_their_examples(case):
    inputs, features, starts, _ = case
    own, found = PendingExamples(inputs).take(features, following=None)
    assert own == inputs
    assert found.tolist() == starts.tolist()


def test_consecutive_ids_with_padding_between():
    assert starts_of([5, 6], rows(5, 6, padded=[0])) == [0, 1, 2]


@pytest.mark.parametrize(("example_ids", "starts"), [([5], [0]), ([5, 7], [0, 2]), ([5, 6, 7], [0, 1, 2])])
def test_consecutive_ids_whose_former_fills_its_last_window(example_ids, starts):
    assert starts_of(example_ids, rows(5, 6, 7, starts=starts)) == [*starts, 3]


def test_an_id_within_anothers_run_and_in_a_run_of_its_own():
    assert starts_of([5, 6], rows(5, 6, 7, 6, 7, starts=[0, 3])) == [0, 3, 5]


def test_the_row_behind_tells_whose_the_run_is():
    pending = PendingExamples(AnswerInput(example_id=one, candidates=NONE) for one in (5, 6))
    assert pending.take(rows(5, 6, starts=[0, 1]), following=6)[1].tolist() == [0, 2]
    assert pending.take(rows(6), following=None)[1].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("example_ids", "ids", "message"),
    [
        ([5, 9], [5, 8], "example 2 of the data is 9 and of the features 8"),
        ([5], [5, 8], "example 2 of the data is no more and of the features 8"),
        ([5, 9], [5], "example 2 of the data is 9 and of the features no more"),
        ([5, 6], [5, 6, 7], "example 2 of the data is 6 and of the features no more"),
        ([6], [5], "example 1 of the data is 6 and of the features 5"),
    ],
)
def test_other_examples_are_refused(example_ids, ids, message):
    with pytest.raises(ConfigError, match=message):
        starts_of(example_ids, rows(*ids))
