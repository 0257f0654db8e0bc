"""Silent promotions and the leaks they start, planted: keras.ops says nothing about any of these."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

HALF = tf.TensorSpec((2, 4, 8), tf.float16)
MASK = tf.TensorSpec((2, 4), tf.int32)
POLICY = "mixed_float16"


class Attention(keras.layers.Layer):
    """The classic: a float32 mask bias takes the softmax and the context product to float32."""

    def call(self, x, mask):
        scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        bias = (1.0 - ops.cast(mask, "float32")) * -10000.0  # expect: CAST003 layer=attention
        scores = ops.add(scores, bias[:, None, :])  # expect: CAST002 layer=attention
        weights = ops.softmax(scores)
        return ops.matmul(weights, x)  # expect: CAST002 layer=attention


class Positions(keras.layers.Layer):
    def build(self, *shapes):
        self.table = self.add_weight(shape=(4, 8), initializer="zeros", name="table", trainable=False, autocast=False)

    def call(self, x):
        return ops.add(x, self.table)  # expect: CAST002 layer=positions; CAST003 layer=positions


class Gate(keras.layers.Layer):
    def call(self, x):
        floor = ops.zeros((2, 4, 8), dtype="float32")  # expect: CAST003 layer=gate
        return ops.where(x > 0, x, floor)  # expect: CAST002 layer=gate


class Joined(keras.layers.Layer):
    def call(self, x):
        marker = ops.ones((2, 4, 1), dtype="float32")  # expect: CAST003 layer=joined
        wider = ops.concatenate([x, marker], axis=-1)  # expect: CAST002 layer=joined
        return ops.relu(wider)


class Rotary(keras.layers.Layer):
    """Positions computed in float32 and never brought back: every product after them is float32."""

    def call(self, x):
        angle = ops.cast(ops.arange(8), "float32")  # expect: CAST003 layer=rotary
        turned = ops.multiply(x, ops.cos(angle))  # expect: CAST002 layer=rotary
        first = ops.matmul(turned, ops.transpose(turned, (0, 2, 1)))
        return ops.matmul(first, turned)


class Widened(keras.layers.Layer):
    """Nobody mixes dtypes here; one cast is never taken back."""

    def call(self, x):
        wide = ops.cast(x, "float32")  # expect: CAST003 layer=widened
        return ops.matmul(wide, ops.transpose(wide, (0, 2, 1)))


class Doubled(keras.layers.Layer):
    def call(self, x):
        ceiling = np.float64(1.0) + ops.cast(ops.arange(8), "float32")  # expect: CAST003 layer=doubled
        return ops.minimum(x, ceiling)  # expect: CAST002 layer=doubled


class Contracted(keras.layers.Layer):
    def build(self, *shapes):
        self.kernel = self.add_weight(shape=(8, 8), initializer="zeros", name="kernel", autocast=False)

    def call(self, x):
        return ops.einsum("bsh,hk->bsk", x, self.kernel)  # expect: CAST002 layer=contracted; CAST003 layer=contracted


def functional():
    """A functional model: the promotion is wired here and happens when the model is called."""
    left = keras.Input((4, 8), batch_size=2, dtype="float16", name="left")
    right = keras.Input((4, 8), batch_size=2, dtype="float32", name="right")
    summed = ops.add(left, right)  # expect: CAST002 layer=functional; CAST003 layer=functional
    return keras.Model([left, right], summed, name="functional")


CASES = [
    lambda: (Attention(dtype=POLICY, name="attention"), (HALF, MASK)),
    lambda: (Positions(dtype=POLICY, name="positions"), HALF),
    lambda: (Gate(dtype=POLICY, name="gate"), HALF),
    lambda: (Joined(dtype=POLICY, name="joined"), HALF),
    lambda: (Rotary(dtype=POLICY, name="rotary"), HALF),
    lambda: (Widened(dtype=POLICY, name="widened"), HALF),
    lambda: (Doubled(dtype=POLICY, name="doubled"), HALF),
    lambda: (Contracted(dtype=POLICY, name="contracted"), HALF),
    functional,
]
