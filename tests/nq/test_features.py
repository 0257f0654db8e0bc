import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, build_context
from nqperf.nq.features import FEATURE_FIELDS, FeatureConfig, build_features, concatenate, question_ids
from tests import strategies
from tests.references import features as reference


@st.composite
def configs(draw):
    query = draw(st.integers(1, 6))
    return FeatureConfig(
        max_seq_length=query + 4 + draw(st.integers(1, 12)), doc_stride=draw(st.integers(1, 9)), max_query_length=query
    )


@given(example=strategies.examples(), config=configs(), max_contexts=st.integers(1, 6))
def test_features_are_those_of_the_reference(tokenizer, example, config, max_contexts):
    contexts = ContextConfig(max_contexts=max_contexts, max_position=2)
    built = build_features(example, tokenizer, contexts, config)
    expected = reference.features(example, tokenizer, contexts, config)
    for name in FEATURE_FIELDS:
        assert getattr(built, name).tolist() == [row[name] for row in expected]


@given(example=strategies.examples(), config=configs())
def test_every_piece_of_the_context_is_in_a_window_under_its_token(tokenizer, example, config):
    built = build_features(example, tokenizer, ContextConfig(), config)
    context = build_context(example, ContextConfig())
    pieces = tokenizer.encode(context.words)
    seen = set()
    length = len(question_ids(example.question, tokenizer, config)) + 1 + tokenizer.separators
    room = config.max_seq_length - length - 1
    for row in range(len(built)):
        real = int(built.input_mask[row].sum())
        first_piece = row * min(room, config.doc_stride)
        for position in range(length, real - 1):
            piece = first_piece + position - length
            seen.add(piece)
            assert built.input_ids[row, position] == pieces.ids[piece]
            assert built.token_map[row, position] == context.word_token[pieces.piece_word()[piece]]
    assert seen == set(range(len(pieces.ids)))


@given(example=strategies.examples(), config=configs())
def test_only_the_last_window_has_padding(tokenizer, example, config):
    built = build_features(example, tokenizer, ContextConfig(), config)
    assert built.input_mask[:-1].all()
    assert (built.unique_id == example.example_id + np.arange(len(built))).all()
    assert {name: getattr(built, name).dtype.name for name in FEATURE_FIELDS} == {
        "unique_id": "int64",
        **dict.fromkeys(FEATURE_FIELDS[1:], "int32"),
    }


def test_a_long_question_keeps_its_last_pieces(wordpiece):
    config = FeatureConfig(max_query_length=3)
    ids = question_ids("who built the bridge over the lake", wordpiece, config)
    assert ids.tolist() == [wordpiece.vocabulary.find(word) for word in ("over", "the", "lake")]
    assert question_ids("the lake", wordpiece, config)[0] == wordpiece.question_id


def test_marker_words_in_a_question_are_looked_up_whole(wordpiece):
    ids = question_ids("[Paragraph=1] [SEP] [other]", wordpiece, FeatureConfig())
    found = [wordpiece.vocabulary.find(word) for word in ("[Q]", "[Paragraph=1]", "[SEP]", "[UNK]")]
    assert ids.tolist() == found


def test_an_empty_question_is_its_marker_alone(tokenizer):
    marker = [] if tokenizer.question_id is None else [tokenizer.question_id]
    assert question_ids("", tokenizer, FeatureConfig()).tolist() == marker


@pytest.mark.parametrize(
    "fields", [{"max_seq_length": 0}, {"doc_stride": 0}, {"max_query_length": 0}, {"max_seq_length": 67}]
)
def test_lengths_that_leave_no_room_are_refused(fields):
    with pytest.raises(ConfigError, match=next(iter(fields))):
        FeatureConfig(**fields)


@given(features=strategies.any_features(), data=st.data())
def test_rows_and_concatenate_are_each_others_inverse(features, data):
    joined = concatenate(data.draw(strategies.blocks(features)))
    for name in FEATURE_FIELDS:
        assert np.array_equal(getattr(joined, name), getattr(features, name))
