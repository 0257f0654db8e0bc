"""Layers that scale rows by what an epsilon keeps from zero, written as people write them."""

import keras
from keras import layers, ops


class Halved(layers.Layer):
    """Everything in 16 bits: the sum is one finding, and the epsilon that becomes zero another."""

    def call(self, x):
        s = ops.sum(ops.square(x), axis=-1, keepdims=True)
        return x * ops.rsqrt(s + 1e-12)


class RootBroughtBack(layers.Layer):
    def call(self, x):
        s = ops.sum(ops.square(ops.cast(x, "float32")), axis=-1, keepdims=True)
        return x * ops.cast(ops.rsqrt(s + 1e-12), self.compute_dtype)


class QuotientBroughtBack(layers.Layer):
    def call(self, x):
        norm = ops.sqrt(ops.sum(ops.square(ops.cast(x, "float32")), axis=-1, keepdims=True))
        inverse = 1.0 / (norm + 1e-6)
        return x * ops.cast(inverse, x.dtype)


class BoundBroughtBack(layers.Layer):
    def call(self, x):
        mean = ops.mean(ops.square(ops.cast(x, "float32")), -1, keepdims=True)
        return x * ops.cast(ops.rsqrt(ops.maximum(mean, 1e-12)), x.dtype)


class QuotientInHalf(layers.Layer):
    def call(self, x):
        largest = ops.max(ops.abs(x), axis=-1, keepdims=True)
        return x * (1.0 / (largest + 1e-6))


class LargeEpsilon(layers.Layer):
    def call(self, x):
        mean = ops.mean(ops.square(ops.cast(x, "float32")), -1, keepdims=True)
        return x * ops.cast(ops.rsqrt(mean + 1e-6), x.dtype)


class NeverZero(layers.Layer):
    """The sum of a softmax's exponentials is one or more: its epsilon guards nothing."""

    def call(self, x):
        x = ops.cast(x, "float32")
        powers = ops.exp(x - ops.max(x, axis=-1, keepdims=True))
        return ops.cast(1.0 / (ops.sum(powers, axis=-1, keepdims=True) + 1e-9), self.compute_dtype)


class ProductBroughtBack(layers.Layer):
    def call(self, x):
        s = ops.sum(ops.square(ops.cast(x, "float32")), axis=-1, keepdims=True)
        return ops.cast(ops.cast(x, "float32") * ops.rsqrt(s + 1e-12), self.compute_dtype)


def model(kind):
    rows = keras.Input((32,))
    return keras.Model(rows, layers.Dense(2)(kind()(layers.Dense(16)(rows))))
