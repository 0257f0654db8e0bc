import numpy as np
import pytest

from nqperf.engines.tensorflow.device import softmax_widens
from nqperf.model.precision import attention_probabilities

WIDE = "float32"


def probabilities(dtype, softmax_dtype):
    import tensorflow as tf

    generator = np.random.default_rng(3)
    scores = tf.cast(generator.normal(0, 4, (3, 2, 160, 160)).astype(np.float32), dtype)
    mask = np.ones((3, 160), np.int32)
    mask[1, 120:] = 0
    mask[2] = 0
    mask[2, 0] = 1
    return tf.cast(attention_probabilities(scores, tf.constant(mask), softmax_dtype), WIDE).numpy(), mask


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_padding_gets_exactly_nothing_and_the_rest_sums_to_one(dtype):
    found, mask = probabilities(dtype, WIDE)
    assert not found[np.broadcast_to(mask[:, None, None, :] == 0, found.shape)].any()
    # Each probability is rounded by itself, by at most half an ulp of it; the kernel adds an error in float32.
    half_ulp = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    assert np.abs(found.sum(-1) - 1).max() <= half_ulp + found.shape[-1] * 2.0**-24
    np.testing.assert_allclose(found[2, :, :, 0], 1, rtol=0, atol=4 * half_ulp)


@pytest.mark.bfloat16
def test_a_bfloat16_softmax_that_was_seen_to_widen_is_the_float32_one_rounded():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU") or not softmax_widens("bfloat16"):
        pytest.skip("this machine's bfloat16 softmax does not widen by itself: the engine keeps the float32 one")
    narrow, _ = probabilities("bfloat16", "bfloat16")
    wide, _ = probabilities("bfloat16", WIDE)
    np.testing.assert_array_equal(narrow, wide)


@pytest.mark.bfloat16
def test_the_engine_trusts_a_bfloat16_softmax_only_where_it_was_seen_to_widen(tiny_config, tiny_weights, monkeypatch):
    from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine, engine

    for widens, dtype in ((True, "bfloat16"), (False, WIDE)):
        monkeypatch.setattr(engine, "softmax_widens", lambda _dtype, widens=widens: widens)
        config = TensorFlowConfig(precision="mixed_bfloat16", batch_size=2)
        loaded = TensorFlowEngine(tiny_config, tiny_weights, config, seq_length=16)
        assert loaded.observed()["softmax_dtype"] == dtype
