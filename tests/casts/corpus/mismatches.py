"""Hard mismatches, planted: TensorFlow refuses each of these ops. Each line names what the audit must say about it."""

import keras
import numpy as np
import tensorflow as tf

HALF = tf.TensorSpec((2, 8), tf.float16)
SINGLE = tf.TensorSpec((2, 8), tf.float32)
POLICY = "mixed_float16"


class ResidualTable(keras.layers.Layer):
    def build(self, shape):
        self.table = tf.Variable(np.ones((2, 8), np.float32), trainable=False)

    def call(self, x):
        return x + self.table  # expect: CAST001 layer=residual_table


class ScaledTable(keras.layers.Layer):
    def build(self, shape):
        self.scale = tf.Variable(np.ones((8,), np.float32))

    def call(self, x):
        x = self.scale * x  # expect: CAST001 layer=scaled_table
        return x - tf.cast(tf.range(8), tf.float32)  # expect: CAST001 layer=scaled_table


class Divided(keras.layers.Layer):
    """Division is refused in Python, before there is an op."""

    def call(self, x):
        x = x / tf.sqrt(tf.cast(8, tf.float32))  # expect: CAST001 layer=divided
        return tf.cast(8, tf.float32) / (x + 2.0)  # expect: CAST001 layer=divided


class Concatenated(keras.layers.Layer):
    def call(self, x):
        marker = tf.zeros((2, 1), tf.float32)
        return tf.concat([marker, x], axis=-1)  # expect: CAST001 layer=concatenated


class Product(keras.layers.Layer):
    def build(self, shape):
        self.table = tf.constant(np.eye(8, dtype=np.float32))

    def call(self, x):
        return tf.matmul(x, self.table)  # expect: CAST001 layer=product


class Biased(keras.layers.Layer):
    def build(self, shape):
        self.bias = tf.Variable(np.zeros((8,), np.float32))

    def call(self, x):
        return tf.nn.bias_add(x, self.bias)  # expect: CAST001 layer=biased


class Chosen(keras.layers.Layer):
    def call(self, x):
        floor = tf.zeros((2, 8), tf.float32)
        return tf.where(x > 0, x, floor)  # expect: CAST001 layer=chosen


class Stacked(keras.layers.Layer):
    def call(self, x):
        other = tf.ones((2, 8), tf.float32)
        stacked = tf.stack([x, other])  # expect: CAST001 layer=stacked
        return tf.add_n([stacked[0], other])  # expect: CAST001 layer=stacked


class Inner(keras.layers.Layer):
    def call(self, x):
        limit = tf.fill((2, 8), 2.0)
        return tf.maximum(x, limit)  # expect: CAST001 layer=outer/inner


class Outer(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.inner = Inner(name="inner", dtype=self.dtype_policy)

    def call(self, x):
        x = self.inner(x)
        threshold = tf.fill((2, 8), 0.5)
        return tf.cast(x > threshold, x.dtype)  # expect: CAST001 layer=outer


def masked(x, y):
    """The repair would only move the fault: the constant does not fit where the cast goes."""
    return x + y * -1e9  # expect: CAST001 layer=; NUM101 layer=


def accumulated(x, y):
    x *= y  # expect: CAST001 layer=
    return tf.reduce_max(x, axis=-1)


def contracted(x, y):
    return tf.einsum("ij,kj->ik", x, y)  # expect: CAST001 layer=


def nested(x, y):
    def normalise(value):
        return value / tf.reduce_max(y)  # expect: CAST001 layer=

    return normalise(x)


def several(x, y):
    total = (
        x  # expect: CAST001 layer=
        + y  # an expression is reported where it begins
    )
    return total @ tf.transpose(y)  # expect: CAST001 layer=


def in_a_loop(x, y):
    return tf.while_loop(
        lambda step, _: step < 3,
        lambda step, value: (step + 1, value - y),  # expect: CAST001 layer=
        (0, x),
    )[1]


CASES = [
    lambda: (ResidualTable(dtype=POLICY, name="residual_table"), HALF),
    lambda: (ScaledTable(dtype=POLICY, name="scaled_table"), HALF),
    lambda: (Divided(dtype=POLICY, name="divided"), HALF),
    lambda: (Concatenated(dtype=POLICY, name="concatenated"), HALF),
    lambda: (Product(dtype=POLICY, name="product"), HALF),
    lambda: (Biased(dtype=POLICY, name="biased"), HALF),
    lambda: (Chosen(dtype=POLICY, name="chosen"), HALF),
    lambda: (Stacked(dtype=POLICY, name="stacked"), HALF),
    lambda: (Outer(dtype=POLICY, name="outer"), HALF),
    (masked, (HALF, SINGLE)),
    (accumulated, (HALF, SINGLE)),
    (contracted, (HALF, SINGLE)),
    (nested, (HALF, SINGLE)),
    (several, (HALF, SINGLE)),
    (in_a_loop, (HALF, SINGLE)),
]
