"""Planted defects in the packaged model are noticed by the verdict of the suite on answers; other rounding is not."""

import dataclasses

import keras
import numpy as np
import pytest

from nqperf.defaults import PACKAGED_MODEL, DevelopmentSet
from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine
from nqperf.errors import ParityError
from nqperf.formats.nq.jsonl import Selection
from nqperf.formats.weights.model_folder import open_model
from nqperf.model import precision
from nqperf.model.encoders import blocks
from nqperf.nq.logits import concatenate
from nqperf.perf.suite.parity import MICRO_F1, agreement, check_parity, score_predictions
from nqperf.perf.suite.task import make_task
from nqperf.records.results import LOGIT_DIFFERENCE

EXAMPLES = 6
SEQ_LENGTH = 512
# What a gross defect costs in micro-F1, at least.
GROSS = 0.05
# A defect moves logits by far more than another order of the same float32 sums does.
FAR_ABOVE_ROUNDING = 1000

pytestmark = [
    pytest.mark.slow(15),
    pytest.mark.skipif(
        not (PACKAGED_MODEL / "model.safetensors").exists(), reason="the packaged model is not in this checkout"
    ),
]


@pytest.fixture(scope="module")
def folder():
    return open_model(PACKAGED_MODEL)


@pytest.fixture(scope="module")
def weights(folder):
    return folder.read_weights()


@pytest.fixture(scope="module")
def task(folder):
    examples = DevelopmentSet(selection=Selection(limit=EXAMPLES)).examples()
    return make_task(folder, examples, max_seq_length=SEQ_LENGTH, windows=None)


@pytest.fixture(scope="module")
def answered(task):
    """Return a function from a configuration and weights to the answers."""

    def once(config, weights):
        engine = TensorFlowEngine(config, weights, TensorFlowConfig(batch_size=16), seq_length=SEQ_LENGTH)
        return score_predictions(task, concatenate(list(engine.predict([task.features]))))

    return once


@pytest.fixture(scope="module")
def sound(answered, folder, weights):
    return answered(folder.config, weights)


@pytest.fixture(scope="module")
def rounded(task, sound, answered, folder, weights):
    """Return how far the sound answers agree with those of weights that are a millionth off."""
    noisy = {
        name: (values * (1 + 1e-6 * np.random.default_rng(1).standard_normal(values.shape))).astype(values.dtype)
        for name, values in weights.items()
    }
    return agreement(task, sound, answered(folder.config, noisy))


@pytest.fixture
def assert_noticed(task, sound, rounded):
    """Return a function that asserts that a defect fails an exact row, and what one of its size does to answers.

    A slight one may leave every best span where it was: its logits alone give it away, and a row of 16 bits, whose
    logits may move, cannot tell. A clear one changes answers; a gross one costs micro-F1, and a row of 16 bits fails.
    """

    def check(broken, size):
        agreed = agreement(task, sound, broken)
        with pytest.raises(ParityError, match="parity: "):
            check_parity(agreed, "exact")
        assert agreed.details[LOGIT_DIFFERENCE] > FAR_ABOVE_ROUNDING * rounded.details[LOGIT_DIFFERENCE]
        if size in {"clear", "gross"}:
            assert agreed.changed > 0
        if size == "gross":
            assert agreed.value < agreed.baseline_value - GROSS
            with pytest.raises(ParityError, match="parity: "):
                check_parity(agreed, "sixteen_bit")

    return check


@pytest.fixture(scope="module")
def without_head(folder, weights):
    """Return a function from layers to the weights without the first head's values there."""

    def zeroed(layers):
        changed = dict(weights)
        for layer in layers:
            name = f"bert.encoder.layer.{layer}.attention.self.value.weight"
            changed[name] = np.array(weights[name])
            changed[name][: folder.config.hidden_size // folder.config.num_attention_heads] = 0
        return changed

    return zeroed


def test_the_sound_model_answers_well(sound):
    assert sound.metrics[MICRO_F1] > 0.7


def test_other_rounding_is_the_same_in_an_exact_row(rounded):
    check_parity(rounded, "exact")


def test_a_lost_mask_constant_is_noticed(answered, folder, weights, assert_noticed, monkeypatch):
    monkeypatch.setattr(precision, "MASKED_SCORE", 0.0)
    assert_noticed(answered(folder.config, weights), "gross")


@pytest.mark.parametrize(("epsilon", "size"), [(1e-3, "slight"), (1e-2, "clear")])
def test_a_large_layer_norm_epsilon_is_noticed(answered, folder, weights, assert_noticed, epsilon, size):
    assert_noticed(answered(dataclasses.replace(folder.config, layer_norm_eps=epsilon), weights), size)


@pytest.mark.parametrize(("layers", "size"), [((3,), "slight"), (range(6), "clear")])
def test_a_zeroed_head_is_noticed(answered, folder, without_head, assert_noticed, layers, size):
    assert_noticed(answered(folder.config, without_head(layers)), size)


def test_a_softmax_in_a_narrow_type_is_noticed(answered, folder, weights, assert_noticed, monkeypatch):
    steps = 2**6 - 1  # six bits of fixed point: what is below 1 / 126 is lost

    def narrow(scores, mask, softmax_dtype):
        return keras.ops.round(precision.attention_probabilities(scores, mask, softmax_dtype) * steps) / steps

    monkeypatch.setattr(blocks, "attention_probabilities", narrow)
    assert_noticed(answered(folder.config, weights), "gross")


def test_a_shifted_token_map_is_noticed(task, sound):
    shifted = np.roll(task.features.token_map, 1, axis=1)
    shifted[:, 0] = -1
    wrong = dataclasses.replace(task, features=dataclasses.replace(task.features, token_map=shifted))
    agreed = agreement(task, sound, score_predictions(wrong, sound.logits))
    assert agreed.value < agreed.baseline_value - GROSS
    with pytest.raises(ParityError, match="predictions changed"):
        check_parity(agreed, "exact")
    with pytest.raises(ParityError, match="micro-F1"):
        check_parity(agreed, "sixteen_bit")
