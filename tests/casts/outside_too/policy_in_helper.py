"""A helper that asks the global policy when it is called, and one that asks floatx, which no policy changes."""
import keras, tensorflow as tf
def half_range(n):
    return tf.cast(tf.range(n), keras.mixed_precision.global_policy().compute_dtype)
def wide_range(n):
    return tf.cast(tf.range(n), keras.config.floatx())
class Ranged(keras.layers.Layer):
    def __init__(self, make, **kw):
        super().__init__(**kw); self.make = make
    def call(self, x):
        return x + self.make(8)  # EXPECT: CAST001
def _m(make):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, Ranged(make)(keras.layers.Dense(8)(i)))
def build(): return _m(wide_range)
def fixed(): return _m(half_range)
