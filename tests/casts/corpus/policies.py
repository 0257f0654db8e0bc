"""Round trips, redundant casts, policies without effect, branches, writes and sealed parts, planted."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

HALF = tf.TensorSpec((2, 8), tf.float16)
FLAG = tf.TensorSpec((), tf.bool)
POLICY = "mixed_float16"


class RoundTrip(keras.layers.Layer):
    def call(self, x):
        wide = ops.exp(ops.cast(x, "float32"))
        narrow = ops.cast(wide, self.compute_dtype)
        again = ops.cast(narrow, "float32")  # expect: CAST004 layer=round_trip
        return ops.cast(ops.tanh(again), self.compute_dtype)


class ThroughReshape(keras.layers.Layer):
    def call(self, x):
        wide = ops.log1p(ops.cast(ops.abs(x), "float32"))
        narrow = ops.reshape(ops.cast(wide, x.dtype), (8, 2))
        total = ops.sum(ops.cast(narrow, "float32"), axis=-1)  # expect: CAST004 layer=through_reshape
        return ops.cast(total, x.dtype)


class NotAnIsland(keras.layers.Layer):
    """A float32 layer between 16-bit ones is fed 16 bits and cast at once: 16 -> 32 -> 16 with nothing between."""

    def call(self, x):
        wide = ops.cast(x, "float32")
        return ops.cast(wide, x.dtype)  # expect: CAST005 layer=not_an_island


class Transposed(keras.layers.Layer):
    def call(self, x):
        wide = ops.transpose(ops.cast(x, "float32"))
        return ops.relu(ops.cast(wide, self.compute_dtype))  # expect: CAST005 layer=transposed


class Forgotten(keras.Model):
    """The policy reaches the model and not its layers."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first = keras.layers.Dense(8, dtype="float32", name="first")
        self.second = keras.layers.Dense(8, dtype="float32", name="second")

    def call(self, x):
        x = self.first(x)  # expect: CAST006 layer=forgotten/first
        return self.second(x)


class Branching(keras.layers.Layer):
    def call(self, x, flag):
        return tf.cond(flag, lambda: x, lambda: tf.cast(x, tf.float32))  # expect: CAST007 layer=branching


class KerasBranching(keras.layers.Layer):
    def call(self, x, flag):
        return ops.cond(flag, lambda: x, lambda: ops.cast(x, "float32"))  # expect: CAST007 layer=keras_branching


def looping(x):
    def widened(step, value):
        return step + 1, tf.cast(value, tf.float32)

    return tf.while_loop(lambda step, _: step < 3, widened, (0, x))  # expect: CAST007 layer=


class Written(keras.layers.Layer):
    def build(self, shape):
        self.last = tf.Variable(np.zeros((2, 8), np.float32), trainable=False)

    def call(self, x):
        self.last.assign(x)  # expect: CAST008 layer=written
        return x


class Averaged(keras.layers.Layer):
    def build(self, shape):
        self.mean = tf.Variable(np.zeros((2, 8), np.float32), trainable=False)

    def call(self, x):
        self.mean.assign_add(x)  # expect: CAST008 layer=averaged
        return x


@tf.function(input_signature=[tf.TensorSpec((2, 8), tf.float32)])
def _similarity(x):
    return tf.matmul(x, x, transpose_b=True)


SEALED = _similarity.get_concrete_function()


class Sealed(keras.layers.Layer):
    def call(self, x):
        wide = tf.cast(x, tf.float32)
        return SEALED(wide)  # expect: CAST009 layer=sealed


CASES = [
    lambda: (RoundTrip(dtype=POLICY, name="round_trip"), HALF),
    lambda: (ThroughReshape(dtype=POLICY, name="through_reshape"), HALF),
    lambda: (NotAnIsland(dtype=POLICY, name="not_an_island"), HALF),
    lambda: (Transposed(dtype=POLICY, name="transposed"), HALF),
    lambda: (Forgotten(dtype=POLICY, name="forgotten"), HALF),
    lambda: (Branching(dtype=POLICY, name="branching"), (HALF, FLAG)),
    lambda: (KerasBranching(dtype=POLICY, name="keras_branching"), (HALF, FLAG)),
    (looping, (HALF,)),
    lambda: (Written(dtype=POLICY, name="written"), HALF),
    lambda: (Averaged(dtype=POLICY, name="averaged"), HALF),
    lambda: (Sealed(dtype=POLICY, name="sealed"), HALF),
]
