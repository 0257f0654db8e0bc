"""On a GPU TensorFlow keeps int32 in the host's memory and computes it there: nothing of a batch may go there."""

import numpy as np
import pytest

from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine
from nqperf.model.precision import MASKED_SCORE, attention_probabilities, causal_mask, real_positions
from nqperf.model.weights import initial_weights
from tests.engines.gpu_memory import GPU, HOST, crossings, memory_of, optimised
from tests.families import CONFIGS

BATCH, LENGTH = 2, 16


@pytest.fixture(autouse=True)
def _with_gpu_kernels():
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        pytest.skip("this TensorFlow has no kernels for GPUs, nor their places in its registry")


def loaded(family, **settings):
    config = CONFIGS[family]
    weights = initial_weights(config, seed=1)
    return TensorFlowEngine(config, weights, TensorFlowConfig(batch_size=BATCH, **settings), seq_length=LENGTH)


@pytest.mark.parametrize(
    ("family", "precision"),
    [*((family, "float32") for family in CONFIGS), ("bert", "mixed_float16"), ("gpt2", "mixed_bfloat16")],
)
def test_nothing_of_a_batch_leaves_the_gpu(family, precision):
    step = loaded(family, precision=precision).steps[LENGTH].get_concrete_function()
    graph = optimised(step)
    assert sum(node.op == "Softmax" for node in graph.node) == len(CONFIGS[family].block_order)
    assert crossings(graph) == []


def test_masks_and_ids_in_int32_do():
    """The control: this is what the network's graph had before."""
    import tensorflow as tf

    table = tf.Variable(tf.ones((9, 4)))

    @tf.function(input_signature=[tf.TensorSpec((BATCH, LENGTH), tf.int32)] * 2, autograph=False)
    def step(ids, mask):
        ids = tf.where(ids < 0, ids + 9, ids)
        return tf.nn.softmax(tf.gather(table, ids) + tf.cast(1 - mask, tf.float32)[:, :, None] * MASKED_SCORE)

    said = " ".join(crossings(optimised(step.get_concrete_function())))
    assert "Sub sub -> Cast Cast" in said
    assert "Less Less -> SelectV2 SelectV2" in said
    assert "AddV2 add -> SelectV2 SelectV2" in said


def test_a_node_that_no_gpu_computes_is_told():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((4,), tf.string)], autograph=False)
    def step(texts):
        return tf.strings.lower(texts)

    assert any(
        "StringLower" in line and "no kernel" in line
        for line in crossings(step.get_concrete_function().graph.as_graph_def())
    )


def test_what_is_put_lies_on_the_gpu():
    import tensorflow as tf
    from tensorflow.core.framework import node_def_pb2

    batch = loaded("bert").empty_batch()
    batch["input_ids"] = np.arange(BATCH * LENGTH, dtype=np.int32).reshape(BATCH, LENGTH)
    tensors = loaded("bert").put(batch)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor.numpy(), batch[name])
        assert _constant(node_def_pb2, tensor.dtype) == ([GPU], [GPU])
    assert _constant(node_def_pb2, tf.int32) == ([HOST], [HOST])


def _constant(protocol, dtype):
    """Return where `tf.constant` leaves a value of that type."""
    node = protocol.NodeDef(name="constant", op="_EagerConst")
    node.attr["T"].type = dtype.as_datatype_enum
    return memory_of(node)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
def test_probabilities_are_those_of_a_mask_in_integers_bit_for_bit(dtype, causal):
    import tensorflow as tf

    draw = np.random.default_rng(5)
    scores = tf.cast(draw.normal(0, 4, (3, 2, LENGTH, LENGTH)).astype(np.float32), dtype)
    mask = (np.arange(LENGTH) < [[LENGTH], [9], [1]]).astype(np.int32)
    whole = np.tril(np.ones((LENGTH, LENGTH), np.int32)) * mask[:, None, :] if causal else mask
    integers = tf.cast(1 - whole, dtype)
    integers = integers[:, None] if causal else integers[:, None, None, :]
    expected = tf.cast(tf.nn.softmax(tf.cast(scores + integers * MASKED_SCORE, tf.float32)), dtype)

    real = real_positions(tf.constant(mask))
    found = attention_probabilities(scores, causal_mask(real) if causal else real, "float32")
    np.testing.assert_array_equal(*(tf.cast(one, tf.float32).numpy() for one in (found, expected)))
