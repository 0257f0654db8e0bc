import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError, FormatError
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.features import FEATURE_FIELDS, FeatureConfig, Features
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import Logits
from nqperf.pipeline import PipelineConfig, answer_all, answer_examples, answer_stream, prepare, rows_by_example
from tests import strategies

LOW = AnswerConfig(long_threshold=0.0, short_threshold=0.0)
SMALL = PipelineConfig(features=FeatureConfig(max_seq_length=24, doc_stride=7, max_query_length=6), answers=LOW)


@given(case=strategies.answer_cases(), config=strategies.answer_configs(), data=st.data())
def test_borders_of_blocks_never_change_an_answer(case, config, data):
    inputs, features, _, logits = case
    some_features, some_logits = data.draw(strategies.blocks(features)), data.draw(strategies.blocks(logits))
    assert list(answer_all(inputs, some_features, some_logits, config)) == answer(inputs, features, logits, config)


@given(case=strategies.answer_cases(), data=st.data())
def test_an_answer_is_there_before_the_rows_behind_the_next_start_are_read(case, data):
    inputs, features, starts, logits = case
    asked = []

    def rows(blocks):
        for number in range(len(features)):
            asked.append(number)
            yield blocks.rows(number, number + 1)

    predictions = answer_all(inputs, rows(features), rows(logits), LOW)
    count = data.draw(st.integers(1, len(inputs)))
    list(itertools.islice(predictions, count))
    behind = [start for start in _certain_starts(features) if start >= starts[count]]
    assert max(asked) <= (behind[0] if behind else len(features) - 1)


def _certain_starts(features):
    return [
        row
        for row in range(1, len(features))
        if features.unique_id[row] != features.unique_id[row - 1] + 1 or not features.input_mask[row - 1, -1]
    ]


def test_rows_that_do_not_fit_the_examples_are_refused(river_documents, sentencepiece):
    features = list(prepare(river_documents, sentencepiece, SMALL))
    logits = [spoken(block) for block in features]
    inputs = [AnswerInput.of(one) for one in river_documents]
    for arguments, message in [
        ((inputs[:-1], features, logits), "of the data is no more and of the features 1004"),
        ((inputs, features[:-1], logits[:-1]), "of the data is 1004 and of the features no more"),
        ((inputs[::-1], features, logits), "example 1 of the data is 1004 and of the features 1000"),
        ((inputs, features[:-1], logits), "more rows of logits than features"),
        ((inputs, features, logits[:-1]), "more features than rows of logits"),
    ]:
        with pytest.raises(ConfigError, match=message):
            list(answer_all(*arguments, LOW))
    assert list(answer_all([], [], [], LOW)) == []


def spoken(features):
    """Answer rows by their numbers alone, as a model would: the same row, the same logits."""
    mixed = np.sin(features.input_ids * 1.7 + features.token_map).astype(np.float32)
    return Logits(
        unique_id=features.unique_id,
        start_logits=mixed,
        end_logits=mixed[:, ::-1].copy(),
        answer_type_logits=mixed[:, :5],
    )


def in_batches(blocks, *, size=4, ahead=2):
    """Predict as an engine does: rows in batches, some of them read ahead."""
    waiting = []
    joined = (block.rows(row, row + 1) for block in blocks for row in range(len(block)))
    while rows := list(itertools.islice(joined, size)):
        waiting.append(
            Features(**{name: np.concatenate([getattr(row, name) for row in rows]) for name in FEATURE_FIELDS})
        )
        if len(waiting) > ahead:
            yield spoken(waiting.pop(0))
    yield from map(spoken, waiting)


@pytest.mark.parametrize("reuse", [False, True])
def test_the_route_answers_as_its_stages_do(river_documents, tokenizer, reuse):
    features = list(prepare(river_documents, tokenizer, SMALL))
    inputs = [AnswerInput.of(example) for example in river_documents]
    expected = list(answer_all(inputs, features, map(spoken, features), LOW))

    def prepared(examples):
        if not reuse:
            return prepare(examples, tokenizer, SMALL)
        assert len(list(examples)) == len(features)
        return features

    found = answer_examples(iter(river_documents), prepared=prepared, predict=in_batches, config=LOW)
    assert found.predictions == expected
    assert list(answer_stream(river_documents, prepared=prepared, predict=in_batches, config=LOW)) == expected
    assert any(not one.long_answer.is_null for one in found.predictions)
    ids = np.concatenate([block.unique_id for block in features])
    for rows in (found.features, found.logits):
        assert np.array_equal(rows.unique_id, ids)


@given(case=strategies.answer_cases(), data=st.data())
def test_rows_are_parted_where_their_examples_begin(case, data):
    inputs, features, starts, _ = case
    found = list(rows_by_example(inputs, data.draw(strategies.blocks(features))))
    assert [len(rows) for rows in found] == np.diff(starts).tolist()
    for name in FEATURE_FIELDS:
        assert np.array_equal(np.concatenate([getattr(rows, name) for rows in found]), getattr(features, name))


def test_rows_of_other_examples_are_not_parted(river_documents, sentencepiece):
    features = list(prepare(river_documents, sentencepiece, SMALL))
    inputs = [AnswerInput.of(example) for example in river_documents]
    for arguments, message in [
        ((inputs[:-1], features), "of the data is no more and of the features 1004"),
        ((inputs, features[:-1]), "of the data is 1004 and of the features no more"),
    ]:
        with pytest.raises(ConfigError, match=message):
            list(rows_by_example(*arguments))


def test_an_error_of_the_input_ends_the_route(river_documents, sentencepiece):
    def examples():
        yield river_documents[0]
        raise FormatError("broken", path="a.jsonl", line=2)

    with pytest.raises(FormatError, match="line 2: broken"):
        answer_examples(
            examples(), prepared=lambda some: prepare(some, sentencepiece, SMALL), predict=in_batches, config=LOW
        )
