"""A model with twelve conflicts of twelve kinds, one a layer; right in float32."""
import keras
import tensorflow as tf
from keras import ops


class Step(keras.layers.Layer):
    def __init__(self, how, **options):
        super().__init__(**options)
        self.how = how
        self.scale = tf.fill((8,), 0.5)  # a float32 tensor that is there before the layer is called

    def call(self, x):
        return getattr(self, self.how)(x)

    def table(self, x):
        return x + tf.linspace(0.0, 1.0, 8)

    def root(self, x):
        return x / tf.sqrt(tf.cast(8, tf.float32))

    def one_hot(self, x):
        return x + tf.matmul(tf.one_hot([0, 1], 2), x)

    def number(self, x):
        return tf.where(x > 3.0, 3.0, x) + tf.maximum(0.0, x)

    def branch(self, x):
        return tf.cond(tf.reduce_any(x > 1e3), lambda: tf.zeros(tf.shape(x)), lambda: x)

    def loop(self, x):
        start = tf.zeros(tf.shape(x))
        _, total = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + x), (0, start))
        return total

    def promoted(self, x):
        return ops.add(x, ops.cast(ops.arange(8), "float32") / 8.0)

    def constant(self, x):
        return self.scale * x

    def mask(self, x):
        return tf.nn.softmax(x + tf.where(x > 0.0, tf.zeros_like(x), -1e9))

    def guard(self, x):
        return x / tf.sqrt(tf.square(x) + 1e-12)

    def total(self, x):
        return x - tf.reduce_sum(x, axis=-1, keepdims=True)

    def kernel(self, x):
        return tf.math.erfinv(tf.tanh(x) * 0.5)


KINDS = "table root one_hot number branch loop promoted constant mask guard total kernel".split()


def build():
    inputs = keras.Input((8,), batch_size=2)
    hidden = keras.layers.Dense(8)(inputs)
    outputs = [Step(kind, name=kind)(hidden) for kind in KINDS]
    return keras.Model(inputs, outputs)
