"""Norms and softmaxes that are written by hand, as public code does: each has one edit that serves both half types."""

import keras
import tensorflow as tf


class InstanceNorm(keras.layers.Layer):
    def call(self, x):
        mean = tf.reduce_mean(x, axis=1, keepdims=True)
        var = tf.reduce_mean(tf.square(x - mean), axis=1, keepdims=True)
        return (x - mean) / tf.sqrt(var + 1e-8)


class LayerNorm(keras.layers.Layer):
    def call(self, inputs):
        mean = tf.reduce_mean(inputs, axis=-1, keepdims=True)
        centred = inputs - mean
        variance = tf.reduce_mean(centred * centred, axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(variance + 1e-12)


class SquaredDifference(keras.layers.Layer):
    def call(self, x):
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        var = tf.reduce_mean(tf.math.squared_difference(x, mean), axis=-1, keepdims=True)
        return (x - mean) / tf.sqrt(var + 1e-8)


class UnitNorm(keras.layers.Layer):
    def call(self, x):
        norm = tf.sqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True))
        return x / (norm + 1e-8)


class RootMeanSquare(keras.layers.Layer):
    def call(self, x):
        return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + 1e-8)


class MeanOfSquares(keras.layers.Layer):
    def call(self, x):
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        var = tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) - tf.square(mean)
        return (x - mean) / tf.sqrt(var + 1e-8)


class Power(keras.layers.Layer):
    def call(self, x):
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        return (x - mean) / (tf.sqrt(tf.reduce_mean((x - mean) ** 2, axis=-1, keepdims=True)) + 1e-8)


class Softmax(keras.layers.Layer):
    def call(self, x):
        e = tf.exp(x - tf.reduce_max(x, axis=-1, keepdims=True))
        return e / (tf.reduce_sum(e, axis=-1, keepdims=True) + 1e-9)


class Attention(keras.layers.Layer):
    def call(self, x):
        scores = tf.matmul(x, x, transpose_b=True)
        e = keras.ops.exp(scores - keras.ops.max(scores, axis=-1, keepdims=True))
        return tf.matmul(e / keras.ops.sum(e, axis=-1, keepdims=True), x)


def of(layer):
    def build():
        inputs = keras.Input((300, 12) if layer is InstanceNorm else (12, 300))
        return keras.Model(inputs, layer()(keras.layers.Dense(inputs.shape[-1])(inputs)))

    return build
