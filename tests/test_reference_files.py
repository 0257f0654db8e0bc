"""The whole route against files that other people's programs made."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.nq.predictions_json import write_predictions
from nqperf.formats.nq.tfrecord import read_features, write_features
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.model.bert import BertJoint
from nqperf.model.variables import assign_weights, build
from nqperf.nq.features import FEATURE_FIELDS, Features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import LOGITS_FIELDS, Logits
from nqperf.pipeline import REFERENCE, answer_all, prepare
from tests.arrays import arrays_of


@pytest.fixture(scope="module")
def reference(shared):
    return shared / "reference"


@pytest.fixture(scope="module")
def reader(reference):
    return NqReader(source=str(reference / "thesis-examples.jsonl.gz"))


@pytest.fixture(scope="module")
def features(reader, reference):
    tokenizer = load_tokenizer(reference / "vocab-nq.txt")
    return concatenate(list(prepare(reader.examples(), tokenizer, REFERENCE)))


def test_features_are_the_thesis_ones_bit_for_bit(features, reference, tmp_path):
    expected = arrays_of(reference / "thesis-features.npz")
    for name in FEATURE_FIELDS:
        np.testing.assert_array_equal(getattr(features, name), expected[name], strict=name == "unique_id")
    write_features(tmp_path / "features.tfrecord", [features])
    written = concatenate(list(read_features(tmp_path / "features.tfrecord")))
    for name in FEATURE_FIELDS:
        np.testing.assert_array_equal(getattr(written, name), expected[name])


def test_predictions_are_the_thesis_ones_bit_for_bit(features, reader, reference, tmp_path):
    arrays = arrays_of(reference / "thesis-logits.npz")
    logits = Logits(**{name: arrays[name] for name in LOGITS_FIELDS})
    inputs = [AnswerInput(example_id=one, candidates=candidates) for one, candidates in reader.candidates()]
    found = list(answer_all(inputs, [features], [logits], REFERENCE.answers))
    write_predictions(tmp_path / "predictions.json", found)
    written = json.loads((tmp_path / "predictions.json").read_text())["predictions"]
    expected = json.loads((reference / "thesis-predictions.json").read_text())["predictions"]
    assert sorted(written, key=by_id) == sorted(expected, key=by_id)
    assert any(one["short_answers"] for one in expected)


def by_id(prediction):
    return int(prediction["example_id"])


def test_the_encoder_is_hugging_faces(reference, tmp_path):
    report = convert(reference / "bert-tiny", tmp_path / "model")
    folder = open_model(tmp_path / "model")
    expected = arrays_of(reference / "bert-tiny" / "outputs.npz")
    inputs = {name: expected[name] for name in ("input_ids", "input_mask", "segment_ids")}
    network = build(BertJoint(folder.config), inputs["input_ids"].shape[1])
    assign_weights(network, folder.read_weights())
    sequence, pooled = (keras.ops.convert_to_numpy(output) for output in network.encode(inputs, training=False))
    assert report.config.hidden_act == "gelu"
    np.testing.assert_allclose(sequence, expected["sequence_output"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(pooled, expected["pooled_output"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("checkpoint", ["bert_joint.ckpt", "model_cpkt-1"])
def test_logits_of_converted_checkpoints(reference, tmp_path, checkpoint):
    convert(reference / "checkpoints" / checkpoint, tmp_path / "model")
    folder = open_model(tmp_path / "model")
    expected = arrays_of(reference / "checkpoints" / "outputs.npz")
    fields = {name: expected[name] for name in ("input_ids", "input_mask", "segment_ids")}
    ids = fields["input_ids"]
    rows = Features(unique_id=np.arange(len(ids)), token_map=np.zeros_like(ids), **fields)
    config = TensorFlowConfig(batch_size=3)
    engine = TensorFlowEngine(folder.config, folder.read_weights(), config, seq_length=ids.shape[1])
    found = [dataclasses.asdict(block) for block in engine.predict([rows])]
    for name in LOGITS_FIELDS[1:]:
        np.testing.assert_allclose(np.concatenate([block[name] for block in found]), expected[name], rtol=0, atol=1e-4)
