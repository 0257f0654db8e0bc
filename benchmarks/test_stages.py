"""The stages around the model, one thing a test: reading, preparing, feature files, answering.

`extra_info` says documents and tokens a second, and how many times the slow reference the vectorised answers run.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.nq.tfrecord import encode_records, read_features, write_features
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.features import FEATURE_FIELDS, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import Logits
from nqperf.nq.tokenization import Tokenizer
from nqperf.nq.wordpiece import WordPieceVocabulary
from nqperf.pipeline import REFERENCE, prepare
from tests.pages import TOKENS, vocabulary, write_pages
from tests.references import answers as reference

DOCUMENTS = 60
ROUNDS = {"rounds": 5, "warmup_rounds": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("pages") / "pages.jsonl", DOCUMENTS)


@pytest.fixture(scope="module")
def examples(data):
    return list(NqReader(source=str(data)).examples())


@pytest.fixture(scope="module")
def wordpieces():
    return WordPieceVocabulary(vocabulary())


@pytest.fixture(scope="module")
def blocks(examples, wordpieces):
    return list(prepare(examples, Tokenizer(wordpieces), REFERENCE))


@pytest.fixture(scope="module")
def features(blocks):
    return concatenate(blocks)


@pytest.fixture(scope="module")
def logits(features):
    rng = np.random.default_rng(5)
    shape = features.token_map.shape
    return Logits(
        unique_id=features.unique_id,
        start_logits=rng.normal(0, 4, shape).astype(np.float32),
        end_logits=rng.normal(0, 4, shape).astype(np.float32),
        answer_type_logits=rng.normal(0, 4, (shape[0], 5)).astype(np.float32),
    )


def note_speed(benchmark):
    seconds = benchmark.stats.stats.median
    benchmark.extra_info["documents_per_second"] = round(DOCUMENTS / seconds)
    benchmark.extra_info["tokens_per_second"] = round(DOCUMENTS * TOKENS / seconds)


def test_reading(benchmark, data):
    read = benchmark.pedantic(lambda: sum(1 for _ in NqReader(source=str(data)).examples()), **ROUNDS)
    note_speed(benchmark)
    assert read == DOCUMENTS


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_preparing(benchmark, data, wordpieces, tmp_path, cache):
    """From the data file to the feature file; a cold word cache knows no word of it."""
    warm = Tokenizer(wordpieces)
    out = tmp_path / "features.tfrecord"

    def prepare_file():
        tokenizer = warm if cache == "warm" else Tokenizer(wordpieces)
        return write_features(out, prepare(NqReader(source=str(data)).examples(), tokenizer, REFERENCE))

    windows = benchmark.pedantic(prepare_file, **ROUNDS)
    note_speed(benchmark)
    assert windows > DOCUMENTS


def test_encoding_features(benchmark, features, tmp_path):
    content = benchmark.pedantic(encode_records, (features,), **ROUNDS)
    benchmark.extra_info["windows_per_second"] = round(len(features) / benchmark.stats.stats.median)
    path = tmp_path / "features.tfrecord"
    path.write_bytes(content)
    read = concatenate(list(read_features(path)))
    for name in FEATURE_FIELDS:
        np.testing.assert_array_equal(getattr(read, name), getattr(features, name))


def test_reading_features(benchmark, features, tmp_path):
    path = tmp_path / "features.tfrecord"
    write_features(path, [features])
    rows = benchmark.pedantic(lambda: sum(map(len, read_features(path))), **ROUNDS)
    benchmark.extra_info["windows_per_second"] = round(len(features) / benchmark.stats.stats.median)
    assert rows == len(features)


def test_answering(benchmark, examples, blocks, features, logits):
    """The same answers as the slow reference, timed beside it."""
    config = AnswerConfig()
    inputs = [AnswerInput(example_id=one.example_id, candidates=one.candidates) for one in examples]
    predictions = benchmark.pedantic(answer, (inputs, features, logits, config), **ROUNDS)
    note_speed(benchmark)
    ends = np.cumsum([len(block) for block in blocks]).tolist()
    began = time.perf_counter()
    slow = [
        reference.prediction(one, range(start, end), features, logits, config)
        for one, (start, end) in zip(inputs, pairwise([0, *ends]), strict=True)
    ]
    seconds = time.perf_counter() - began
    benchmark.extra_info["times_the_reference"] = round(seconds / benchmark.stats.stats.median, 1)
    for prediction, (long_answer, long_score, short_answers, short_score, _) in zip(predictions, slow, strict=True):
        assert (prediction.long_answer.start_token, prediction.long_answer.end_token) == long_answer
        assert [(span.start_token, span.end_token) for span in prediction.short_answers] == short_answers
        assert (prediction.long_answer_score, prediction.short_answers_score) == (long_score, short_score)
