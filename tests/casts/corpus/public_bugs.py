"""Public mixed-precision bugs, rebuilt in a few lines each from their reports; none of the original code is here.

The report of keras-hub 1121 was not at hand: its case is built from its subject alone.
"""

import keras
import numpy as np
import tensorflow as tf

POLICY = "mixed_float16"
IDS = tf.TensorSpec((2, 8), tf.int32)
HIDDEN = tf.TensorSpec((2, 8, 4), tf.float16)
MASK = tf.TensorSpec((2, 8), tf.bool)


class TransformersEmbeddings(keras.layers.Layer):
    """huggingface/transformers 3320: word embeddings in float16 meet a position table read as it is stored."""

    def build(self, shape):
        self.word = keras.layers.Embedding(16, 4, dtype=self.dtype_policy, name="word")
        self.position = tf.Variable(np.zeros((8, 4), np.float32))

    def call(self, ids):
        return self.word(ids) + tf.gather(self.position, tf.range(8))  # expect: CAST001 layer=embeddings


class TransformersDeberta(keras.layers.Layer):
    """huggingface/transformers 31989: DeBERTa's scores are divided by a scale computed in float32."""

    def call(self, hidden):
        scale = tf.math.sqrt(tf.cast(hidden.shape[-1] * 3, tf.float32))
        return tf.matmul(hidden, hidden, transpose_b=True) / scale  # expect: CAST001 layer=deberta


class KerasAttention(keras.layers.Layer):
    """tensorflow/tensorflow 46064: the attention mask is cast to the global float type, not to the scores'."""

    def call(self, hidden, mask):
        scores = tf.matmul(hidden, hidden, transpose_b=True)
        padding = tf.cast(tf.logical_not(mask), keras.config.floatx())[:, None, :]
        scores -= 1e9 * padding  # expect: CAST001 layer=attention; NUM101 layer=attention
        return tf.matmul(tf.nn.softmax(scores), hidden)


class KerasAlphaDropout(keras.layers.Layer):
    """tensorflow/tensorflow 35883: AlphaDropout's mask of kept values is cast to the global float type."""

    def call(self, hidden):
        kept = tf.cast(tf.random.stateless_uniform((2, 8, 4), (1, 2)) >= 0.1, keras.config.floatx())
        return hidden * kept  # expect: CAST001 layer=alpha_dropout


class ClipAttention(keras.layers.Layer):
    """keras-team/keras-cv 833: the causal mask comes from a NumPy-like API that knows no compute dtype."""

    def call(self, hidden):
        weights = tf.matmul(hidden, hidden, transpose_b=True)
        causal = tf.fill((1, 8, 8), -1e4)
        return tf.matmul(tf.nn.softmax(weights + causal), hidden)  # expect: CAST001 layer=clip_attention


class MaskedHead(keras.layers.Layer):
    """keras-team/keras-hub 1195: the head multiplies with another layer's table, which nobody casts."""

    def build(self, shape):
        self.table = tf.Variable(np.zeros((16, 4), np.float32))
        self.bias = tf.Variable(np.zeros((16,), np.float32))

    def call(self, hidden):
        logits = tf.matmul(hidden, self.table[None], transpose_b=True)  # expect: CAST001 layer=masked_head
        return logits + self.bias  # expect: CAST001 layer=masked_head


class SampledTokens(keras.layers.Layer):
    """Generation in half, as keras-team/keras-hub 1121 has it: logits compared with a float32 threshold."""

    def call(self, hidden):
        threshold = tf.constant([[[0.5]]], tf.float32)
        return tf.where(hidden >= threshold, hidden, 0.0)  # expect: CAST001 layer=sampled


CASES = [
    lambda: (TransformersEmbeddings(dtype=POLICY, name="embeddings"), IDS),
    lambda: (TransformersDeberta(dtype=POLICY, name="deberta"), HIDDEN),
    lambda: (KerasAttention(dtype=POLICY, name="attention"), (HIDDEN, MASK)),
    lambda: (KerasAlphaDropout(dtype=POLICY, name="alpha_dropout"), HIDDEN),
    lambda: (SampledTokens(dtype=POLICY, name="sampled"), HIDDEN),
    lambda: (ClipAttention(dtype=POLICY, name="clip_attention"), HIDDEN),
    lambda: (MaskedHead(dtype="mixed_bfloat16", name="masked_head"), tf.TensorSpec((2, 8, 4), tf.bfloat16)),
]
