"""Numbers that a half type cannot hold, planted."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

HALF = tf.TensorSpec((2, 8), tf.float16)
BRAIN = tf.TensorSpec((2, 8), tf.bfloat16)
MASK = tf.TensorSpec((2, 8), tf.int32)
LONG = tf.TensorSpec((2, 4096), tf.float16)
POLICY = "mixed_float16"


class MaskedScalar(keras.layers.Layer):
    def call(self, x):
        return x - 1e9  # expect: NUM101 layer=masked_scalar


class MaskedWhere(keras.layers.Layer):
    def call(self, x, mask):
        return ops.where(mask > 0, x, -1e9)  # expect: NUM101 layer=masked_where


class MaskedConstant(keras.layers.Layer):
    def call(self, x, mask):
        minimum = tf.constant(-1e9, x.dtype)  # expect: NUM101 layer=masked_constant
        return tf.where(mask > 0, x, minimum)


class MaskedArray(keras.layers.Layer):
    def call(self, x):
        return x + np.full((8,), -1e6, np.float32)  # expect: NUM101 layer=masked_array


class MaskedCast(keras.layers.Layer):
    def call(self, x, mask):
        bias = (1.0 - ops.cast(mask, "float32")) * -1e9
        return x + ops.cast(bias, x.dtype)  # expect: NUM101 layer=masked_cast


class MaskedProduct(keras.layers.Layer):
    """Overflow first, then 0 * -inf wherever the mask is one."""

    def call(self, x, mask):
        padding = 1.0 - ops.cast(mask, x.dtype)
        bias = padding * -1e9  # expect: NUM101 layer=masked_product; NUM103 layer=masked_product
        return x + bias


class InfiniteProduct(keras.layers.Layer):
    def call(self, x, mask):
        padding = ops.cast(mask, x.dtype)
        return x + padding * float("-inf")  # expect: NUM103 layer=infinite_product


class TinyEpsilon(keras.layers.Layer):
    def call(self, x):
        return ops.rsqrt(ops.square(x) + 1e-12)  # expect: NUM102 layer=tiny_epsilon


class TinyMaximum(keras.layers.Layer):
    def call(self, x):
        return x / ops.maximum(ops.abs(x), 1e-8)  # expect: NUM102 layer=tiny_maximum


class TinyConstant(keras.layers.Layer):
    def call(self, x):
        epsilon = tf.constant(1e-9, tf.float32)
        return x / (tf.abs(x) + tf.cast(epsilon, x.dtype))  # expect: NUM102 layer=tiny_constant


class SummedMasks(keras.layers.Layer):
    def call(self, x, mask):
        minimum = -65504.0
        padding = ops.where(mask > 0, ops.cast(0.0, x.dtype), ops.cast(minimum, x.dtype))
        causal = ops.where(mask > 1, ops.cast(0.0, x.dtype), ops.cast(minimum, x.dtype))
        return x + (padding + causal)  # expect: NUM104 layer=summed_masks


class SummedInTurn(keras.layers.Layer):
    def call(self, x, mask):
        minimum = tf.float16.min
        free = 1.0 - ops.cast(mask, x.dtype)
        scores = x + free * minimum
        return scores + free * minimum  # expect: NUM104 layer=summed_in_turn


class HalfExponent(keras.layers.Layer):
    def call(self, x):
        return tf.exp(x)  # expect: NUM105 layer=half_exponent


class HalfSum(keras.layers.Layer):
    def call(self, x):
        return tf.reduce_sum(x, axis=-1)  # expect: NUM105 layer=half_sum


class HalfMean(keras.layers.Layer):
    def call(self, x):
        return tf.reduce_mean(x, axis=-1)  # expect: NUM105 layer=half_mean


class HalfPower(keras.layers.Layer):
    def call(self, x):
        return tf.pow(x, 2.5)  # expect: NUM105 layer=half_power


class DeepSoftmax(keras.layers.Layer):
    def call(self, x):
        return tf.nn.softmax(x)  # expect: NUM105 layer=deep_softmax


class FloatIds(keras.layers.Layer):
    """Ids that come as floats are cast down with every other floating argument of a layer."""

    def __init__(self, **options):
        super().__init__(**options)
        self.table = keras.layers.Embedding(30522, 8, dtype=self.dtype_policy, name="table")

    def call(self, ids):
        return self.table(ids)  # expect: NUM107 layer=float_ids/table


class LongPositions(keras.layers.Layer):
    def call(self, x):
        positions = ops.cast(ops.arange(4096), x.dtype)  # expect: NUM107 layer=long_positions
        return ops.relu(positions)


class BrainPositions(keras.layers.Layer):
    def call(self, x):
        return x + ops.cast(ops.arange(384), x.dtype)[:8]  # expect: NUM107 layer=brain_positions


def plain(x):
    shifted = x + 1e5  # expect: NUM101 layer=
    return shifted * 1e-9  # expect: NUM102 layer=


def heavy_weights():
    layer = keras.layers.Dense(8, dtype=POLICY, name="dense")
    inputs = keras.Input((8,), batch_size=2, dtype="float16")
    model = keras.Model(inputs, layer(inputs), name="heavy")  # expect: NUM106 layer=dense
    layer.kernel.assign(np.full((8, 8), 1e5, np.float32))
    return model


def light_weights():
    layer = keras.layers.Dense(8, dtype=POLICY, name="light_dense", bias_initializer="zeros")
    inputs = keras.Input((8,), batch_size=2, dtype="float16")
    model = keras.Model(inputs, layer(inputs), name="light")  # expect: NUM106 layer=light_dense
    layer.kernel.assign(np.full((8, 8), 1e-6, np.float32))
    return model


CASES = [
    lambda: (MaskedScalar(dtype=POLICY, name="masked_scalar"), HALF),
    lambda: (MaskedWhere(dtype=POLICY, name="masked_where"), (HALF, MASK)),
    lambda: (MaskedConstant(dtype=POLICY, name="masked_constant"), (HALF, MASK)),
    lambda: (MaskedArray(dtype=POLICY, name="masked_array"), HALF),
    lambda: (MaskedCast(dtype=POLICY, name="masked_cast"), (HALF, MASK)),
    lambda: (MaskedProduct(dtype=POLICY, name="masked_product"), (HALF, MASK)),
    lambda: (InfiniteProduct(dtype=POLICY, name="infinite_product"), (HALF, MASK)),
    lambda: (TinyEpsilon(dtype=POLICY, name="tiny_epsilon"), HALF),
    lambda: (TinyMaximum(dtype=POLICY, name="tiny_maximum"), HALF),
    lambda: (TinyConstant(dtype=POLICY, name="tiny_constant"), HALF),
    lambda: (SummedMasks(dtype=POLICY, name="summed_masks"), (HALF, MASK)),
    lambda: (SummedInTurn(dtype=POLICY, name="summed_in_turn"), (HALF, MASK)),
    lambda: (HalfExponent(dtype=POLICY, name="half_exponent"), HALF),
    lambda: (HalfSum(dtype=POLICY, name="half_sum"), HALF),
    lambda: (HalfMean(dtype=POLICY, name="half_mean"), HALF),
    lambda: (HalfPower(dtype=POLICY, name="half_power"), HALF),
    lambda: (DeepSoftmax(dtype=POLICY, name="deep_softmax"), LONG),
    lambda: (FloatIds(dtype=POLICY, name="float_ids"), tf.TensorSpec((2, 8), tf.float32)),
    lambda: (LongPositions(dtype=POLICY, name="long_positions"), HALF),
    lambda: (BrainPositions(dtype="mixed_bfloat16", name="brain_positions"), BRAIN),
    (plain, (HALF,)),
    heavy_weights,
    light_weights,
]
