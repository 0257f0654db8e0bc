"""The stages as builders: they run in this process as they do in a side's, answer plain values, and the same twice."""

import pickle

import numpy as np
import pytest

from nqperf.defaults import PACKAGED_MODEL
from nqperf.perf.measuring.work import TimedRuns
from nqperf.perf.revisions import side_rows
from nqperf.perf.revisions.answers import equal_values
from nqperf.perf.revisions.task import shared_task
from nqperf.perf.variants.table import VARIANTS
from tests.documents import river_examples, write_lines

SENTENCEPIECE = {"tokenizer": str(PACKAGED_MODEL / "tokenizer.model"), "kind": "sentencepiece", "max_seq_length": 128}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return str(write_lines(tmp_path_factory.mktemp("stages") / "rivers.jsonl", river_examples(5)))


@pytest.fixture(scope="module")
def wordpiece(data):
    with shared_task(data, None) as task:
        pieces = task.wordpiece.read_bytes()
        assert len(task.examples) == 5
    assert not task.wordpiece.exists()
    return pieces


def stage(builder, **arguments):
    runs = TimedRuns(builder(**arguments))
    assert runs.warm_up() > 0
    first, second = (pickle.loads(pickle.dumps(runs.compared())) for _ in range(2))  # noqa: S301  # our own
    assert equal_values(first, second)[1] is None
    return first


def test_reading_tells_every_example(data):
    assert len(set(stage(side_rows.read, data=data))) == 5
    assert len(stage(side_rows.read, data=data, limit=2)) == 2


def test_preparing_tells_every_feature(data, wordpiece, tmp_path):
    (tmp_path / "vocab.txt").write_bytes(wordpiece)
    own = {"tokenizer": str(tmp_path / "vocab.txt"), "kind": "wordpiece", "max_seq_length": 128}
    by_pieces = stage(side_rows.prepared, data=data, **own)
    by_sentence = stage(side_rows.prepared, data=data, **SENTENCEPIECE)
    for found in (by_pieces, by_sentence):
        assert found["input_ids"].shape == found["token_map"].shape
        assert found["input_ids"].shape[1] == 128
    assert not np.array_equal(by_pieces["input_ids"][0], by_sentence["input_ids"][0])
    pieces = wordpiece.decode().splitlines()
    assert pieces[:2] == ["[PAD]", "[UNK]"]
    # What is unknown are the markers of contexts, which no vocabulary of words has.
    unknown = by_pieces["input_ids"] == pieces.index("[UNK]")
    assert unknown.sum() < 0.2 * by_pieces["input_mask"].sum()


def test_answering_and_scoring(data):
    answers = stage(side_rows.answered, data=data, **SENTENCEPIECE)
    assert len(answers) == 5
    assert any(one["short_answers"] for one in answers)
    assert stage(side_rows.evaluated, data=data)["all-answer-f1"] > 0


def test_the_rows_of_a_side_are_plain_values(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('[[variant]]\nname = "mine"\nenvironment = { TF_ENABLE_ONEDNN_OPTS = "0" }\n')
    listed = TimedRuns(side_rows.rows(variants_file=str(file))).compared()
    assert [*listed] == [*VARIANTS, "mine"]
    assert listed["mine"]["environment"] == {"TF_ENABLE_ONEDNN_OPTS": "0"}
    assert listed["baseline"]["tolerance"] == "exact"
