"""tf.functions inside of layers: a module-level helper, one with a signature, and grouped convolution."""
import keras, tensorflow as tf
@tf.function
def shifted(x, by):
    return x + by  # EXPECT: CAST001
@tf.function(reduce_retracing=True)
def doubled(x):
    return x * 2.0
class Shift(keras.layers.Layer):
    def call(self, x):
        return shifted(doubled(x), tf.ones((8,)))
class Double(keras.layers.Layer):
    def call(self, x):
        return doubled(x)
def _m(layer):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, layer(keras.layers.Dense(8)(i)))
def build(): return _m(Shift())
def fixed(): return _m(Double())
def fixed_groups():
    i = keras.Input((8, 8, 4), batch_size=2); return keras.Model(i, keras.layers.Conv2D(8, 3, groups=2)(i))
