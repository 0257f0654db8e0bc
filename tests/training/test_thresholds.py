"""Thresholds: what they are chosen on, and that the best ones are stored."""

import itertools
import json
import shutil

import numpy as np
import pytest

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tokenizers import read_tokenizer
from nqperf.nq.example import NULL_SPAN
from nqperf.nq.features import FeatureConfig
from nqperf.training.sources import Source, is_held_out
from nqperf.training.thresholds import (
    CalibrationJob,
    calibrate,
    calibration_examples,
    validation_examples,
    without_answer,
)
from nqperf.training.validation import prepare_validation
from tests.training.conftest import TITLES

FEATURES = FeatureConfig(max_seq_length=96, doc_stride=32, max_query_length=24)
MOST_WINDOWS = 10_000  # of one document: what ids must leave between two examples


def of_kind(folder, kind):
    return Source(kind=kind, path=str(folder / f"{kind}.jsonl"))


def is_null(example):
    return all(annotation.long_answer == NULL_SPAN for annotation in example.annotations)


def texts(example):
    """Return the words of each candidate."""
    spans = zip(example.candidates.start_token, example.candidates.end_token, strict=True)
    return [" ".join(example.tokens[start:end]) for start, end in spans]


@pytest.mark.parametrize("kind", ["qed", "squad"])
def test_a_third_of_what_is_asked_has_no_answer(titled_folder, kind):
    examples = list(calibration_examples(of_kind(titled_folder, kind)))
    nulls = [example for example in examples if is_null(example)]
    assert len(nulls) == -(-(len(examples) - len(nulls)) // 2)
    titles = {" ".join(example.question.split()[2:4]) for example in examples}
    assert titles <= {title.lower() for title in TITLES if is_held_out(title)}


@pytest.mark.parametrize("kind", ["qed", "squad"])
def test_without_its_answer_a_document_is_the_same_but_for_that(titled_folder, kind):
    for example in of_kind(titled_folder, kind).held_out_examples():
        gone = {annotation.candidate_index for annotation in example.annotations}
        null = without_answer(example)
        assert null.example_id != example.example_id
        assert is_null(null)
        assert null.question == example.question
        assert len(null.is_html) == len(null.tokens) < len(example.tokens)
        assert texts(null) == [text for index, text in enumerate(texts(example)) if index not in gone]


def test_where_no_candidate_would_be_left_there_is_no_null(tmp_path):
    title = next(title for title in TITLES if is_held_out(title))
    article = {"title": title, "paragraphs": [{"text": "The river rises .", "questions": [["What rises?", 4, 9]]}]}
    (tmp_path / "squad.jsonl").write_text(json.dumps(article) + "\n", encoding="utf-8")
    (example,) = calibration_examples(of_kind(tmp_path, "squad"))
    assert without_answer(example) is None


def test_windows_of_different_examples_never_share_an_id(titled_folder):
    examples = [one for kind in ("nq", "squad", "qed") for one in calibration_examples(of_kind(titled_folder, kind))]
    ids = sorted(example.example_id for example in examples)
    assert min(after - before for before, after in itertools.pairwise(ids)) > MOST_WINDOWS


def test_a_limit_takes_examples_evenly(titled_folder):
    source = of_kind(titled_folder, "squad")
    every = [example.example_id for example in calibration_examples(source)]
    some = [example.example_id for example in validation_examples(source, 4)]
    assert len(some) <= 4
    assert some == every[:: -(-len(every) // 4)]
    assert [one.example_id for one in validation_examples(source, 1000)] == every


@pytest.fixture
def model(training_folder, tmp_path):
    return shutil.copytree(training_folder / "start", tmp_path / "model")


def test_the_best_thresholds_are_stored_and_nothing_else(model):
    before = json.loads((model / "config.json").read_text(encoding="utf-8"))
    source = Source(kind="world", examples=4)
    chosen = calibrate(CalibrationJob(model=model, sources=(source,), features=FEATURES))
    after = json.loads((model / "config.json").read_text(encoding="utf-8"))
    assert {**after, "nqperf": None} == {**before, "nqperf": None}
    assert after["nqperf"]["long_threshold"] == chosen.long_threshold
    assert after["nqperf"]["short_threshold"] == chosen.short_threshold

    from nqperf.model.bert import BertJoint
    from nqperf.model.variables import assign_weights, build

    folder = open_model(model)
    tokenizer = read_tokenizer(folder.require_tokenizer())
    validation = prepare_validation(calibration_examples(source), tokenizer, FEATURES)
    network = build(BertJoint(folder.config, "float32"), FEATURES.max_seq_length)
    assign_weights(network, folder.read_weights())
    predictions = validation.predictions(network)
    assert validation.micro_f1(predictions, (chosen.long_threshold, chosen.short_threshold)) == chosen.micro_f1
    others = np.random.default_rng(7).uniform(0, 20, (50, 2)).round().tolist()
    assert all(validation.micro_f1(predictions, (long, short)) <= chosen.micro_f1 for long, short in others)


def test_a_link_in_the_model_folder_is_not_written_through(model, tmp_path):
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes((model / "config.json").read_bytes())
    (model / "config.json").unlink()
    (model / "config.json").symlink_to(elsewhere)
    with pytest.raises(FormatError, match=r"config.json: is a link"):
        calibrate(CalibrationJob(model=model, sources=(of_kind(tmp_path, "squad"),), features=FEATURES))


def test_a_model_is_left_alone_where_nothing_is_held_out(model, tmp_path):
    before = (model / "config.json").read_bytes()
    title = next(title for title in TITLES if not is_held_out(title))
    article = {"title": title, "paragraphs": [{"text": "The river rises .", "questions": [["What rises?", 4, 9]]}]}
    (tmp_path / "squad.jsonl").write_text(json.dumps(article) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no example is held out"):
        calibrate(CalibrationJob(model=model, sources=(of_kind(tmp_path, "squad"),), features=FEATURES))
    assert (model / "config.json").read_bytes() == before
