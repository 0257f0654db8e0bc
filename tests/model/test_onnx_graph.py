"""The ONNX graph of every family computes what the Keras network computes."""

import dataclasses

import numpy as np
import pytest

from nqperf.engines.registry import find_engine
from nqperf.formats.weights.onnx_file import write_onnx
from nqperf.model.families import FAMILIES
from nqperf.model.weights import initial_weights
from nqperf.nq.features import MODEL_INPUTS
from nqperf.nq.logits import MODEL_OUTPUTS
from tests.families import CONFIGS

onnx = pytest.importorskip("onnx", reason="the extra onnxruntime is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")

from nqperf.model.onnx.network import onnx_graph  # noqa: E402


def batch_of(config, lengths, longest, seed=0):
    """Return rows of random pieces with so many real positions each."""
    mask = (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int32)
    ids = np.random.default_rng(seed).integers(2, config.vocab_size, mask.shape).astype(np.int32)
    padding = getattr(config, "pad_token_id", 0)
    segments = mask * (np.arange(longest) > longest // 3).astype(np.int32)
    return dict(zip(MODEL_INPUTS, (np.where(mask, ids, padding).astype(np.int32), mask, segments), strict=True))


def computed(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip(MODEL_OUTPUTS, session.run(list(MODEL_OUTPUTS), inputs), strict=True))


def expected_of(config, weights, inputs):
    rows, length = inputs["input_ids"].shape
    engine = find_engine("tensorflow").load(config, weights, {"batch_size": rows}, seq_length=length)
    return engine.finish(engine.run(engine.put(inputs)))


def random_weights(config, seed=1):
    """Return weights whose biases and norms are random, too."""
    generator = np.random.default_rng(seed)
    drawn = initial_weights(config, seed=seed)
    return {
        name: values + (0 if values.ndim > 1 else generator.normal(0, 0.3, values.shape)).astype(np.float32)
        if values.ndim == 1
        else values
        for name, values in drawn.items()
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("gelu", ["gelu", "gelu_new"])
def test_the_graph_computes_what_the_network_computes(family, gelu, tmp_path):
    config = dataclasses.replace(CONFIGS[family], initializer_range=0.2, hidden_act=gelu)
    weights = random_weights(config)
    graph = onnx_graph(config, weights)
    write_onnx(tmp_path / "a.onnx", graph.proto, graph.values)
    for lengths, longest in (([40, 30, 11], 40), ([7], 7), ([1, 48], 48)):
        inputs = batch_of(config, lengths, longest)
        expected = expected_of(config, weights, inputs)
        for name, values in computed(tmp_path / "a.onnx", inputs).items():
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-4)
