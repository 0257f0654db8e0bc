"""The answers of the packaged model are sensitive: gross defects cost micro-F1, slight ones change an answer.

Other rounding changes none, so that one changed answer is no noise.
"""

import dataclasses

import keras
import numpy as np
import pytest

from nqperf.defaults import PACKAGED_MODEL, DevelopmentSet
from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine
from nqperf.formats.nq.jsonl import Selection
from nqperf.formats.weights.model_folder import read_model_folder, read_weights
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.model import precision
from nqperf.model.encoders import blocks
from nqperf.nq.answers import AnswerConfig, answer
from nqperf.nq.context import ContextConfig
from nqperf.nq.evaluation import evaluate
from nqperf.nq.features import FeatureConfig, build_features, concatenate
from nqperf.nq.grouping import AnswerInput
from nqperf.nq.logits import concatenate as concatenate_logits

EXAMPLES = 24
GROSS = 0.05
SEQ_LENGTH = 512

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (PACKAGED_MODEL / "model.safetensors").exists(), reason="the packaged model is not in this checkout"
    ),
]


@pytest.fixture(scope="module")
def examples():
    return list(DevelopmentSet(selection=Selection(limit=EXAMPLES)).examples())


@pytest.fixture(scope="module")
def features(examples):
    tokenizer = load_tokenizer(PACKAGED_MODEL)
    return concatenate(
        [build_features(one, tokenizer, ContextConfig(), FeatureConfig(max_seq_length=SEQ_LENGTH)) for one in examples]
    )


@pytest.fixture(scope="module")
def folder():
    return read_model_folder(PACKAGED_MODEL)


@pytest.fixture(scope="module")
def weights(folder):
    return read_weights(folder)


@pytest.fixture(scope="module")
def answered(examples, folder):
    """Return a function from features and their logits to the micro-F1 and the answers."""
    thresholds = AnswerConfig(
        long_threshold=folder.settings.long_threshold, short_threshold=folder.settings.short_threshold
    )

    def once(rows, logits):
        inputs = [AnswerInput.of(one) for one in examples]
        predictions = answer(inputs, rows, logits, thresholds)
        gold = {one.example_id: one.annotations for one in examples}
        answers = [(one.long_answer, one.short_answers) for one in predictions]
        return evaluate(gold, predictions, non_null_threshold=2)["all-answer-f1"], answers

    return once


@pytest.fixture(scope="module")
def computed(features):
    """Return a function from a configuration and weights to the logits."""

    def once(config, weights):
        engine = TensorFlowEngine(config, weights, TensorFlowConfig(batch_size=16), seq_length=SEQ_LENGTH)
        return concatenate_logits(list(engine.predict([features])))

    return once


@pytest.fixture(scope="module")
def run(features, answered, computed):
    """Return a function from a configuration and weights to the micro-F1 and the answers."""
    return lambda config, weights: answered(features, computed(config, weights))


@pytest.fixture(scope="module")
def sound_logits(computed, folder, weights):
    return computed(folder.config, weights)


@pytest.fixture(scope="module")
def sound(answered, features, sound_logits):
    return answered(features, sound_logits)


def changed(sound, broken):
    return sum(one != other for one, other in zip(sound[1], broken[1], strict=True))


def test_the_sound_model_answers_well(sound):
    assert sound[0] > 0.7


def test_other_rounding_changes_no_answer(run, folder, weights, sound):
    noisy = {
        name: (values * (1 + 1e-6 * np.random.default_rng(1).standard_normal(values.shape))).astype(values.dtype)
        for name, values in weights.items()
    }
    assert changed(sound, run(folder.config, noisy)) == 0


def test_a_lost_mask_constant_is_noticed(run, folder, weights, sound, monkeypatch):
    monkeypatch.setattr(precision, "MASKED_SCORE", 0.0)
    assert run(folder.config, weights)[0] < sound[0] - GROSS


def test_a_large_layer_norm_epsilon_is_noticed(run, folder, weights, sound):
    assert changed(sound, run(dataclasses.replace(folder.config, layer_norm_eps=1e-3), weights)) > 0


def test_a_zeroed_head_is_noticed(run, folder, weights, sound):
    name = "bert.encoder.layer.3.attention.self.value.weight"
    zeroed = np.array(weights[name])
    zeroed[: folder.config.hidden_size // folder.config.num_attention_heads] = 0
    assert changed(sound, run(folder.config, {**weights, name: zeroed})) > 0


def test_a_softmax_in_a_narrow_type_is_noticed(run, folder, weights, sound, monkeypatch):
    steps = 2**6 - 1  # six bits of fixed point: what is below 1 / 126 is lost

    def narrow(scores, mask, softmax_dtype):
        return keras.ops.round(precision.attention_probabilities(scores, mask, softmax_dtype) * steps) / steps

    monkeypatch.setattr(blocks, "attention_probabilities", narrow)
    assert run(folder.config, weights)[0] < sound[0] - GROSS


def test_a_shifted_token_map_is_noticed(answered, sound_logits, sound, features):
    shifted = np.roll(features.token_map, 1, axis=1)
    shifted[:, 0] = -1
    assert answered(dataclasses.replace(features, token_map=shifted), sound_logits)[0] < sound[0] - GROSS
