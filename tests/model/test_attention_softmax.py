import numpy as np
import pytest

from nqperf.engines.tensorflow.device import onednn_enabled
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
    assert np.abs(found.sum(-1) - 1).max() < (1e-6 if dtype == WIDE else 5e-3)
    assert (found[2, :, :, 0] == 1).all()


def test_the_bfloat16_softmax_of_onednn_is_the_float32_one_rounded():
    import tensorflow as tf

    if not onednn_enabled() or tf.config.list_physical_devices("GPU"):
        pytest.skip("oneDNN is off or the device is a GPU: the engine keeps the float32 softmax there")
    narrow, _ = probabilities("bfloat16", "bfloat16")
    wide, _ = probabilities("bfloat16", WIDE)
    np.testing.assert_array_equal(narrow, wide)
