"""A function that takes float32 by signature, and a functional model inside of a layer, whose inputs are float32."""
import keras, tensorflow as tf
@tf.function(input_signature=[tf.TensorSpec((None, 8), tf.float32)])
def signed(x): return tf.nn.relu(x)
class Calls(keras.layers.Layer):
    def call(self, x):
        return signed(x)  # EXPECT: CAST001
class Casts(keras.layers.Layer):
    def call(self, x):
        return tf.cast(signed(tf.cast(x, tf.float32)), x.dtype)
class Nested(keras.layers.Layer):
    def build(self, shape):
        i = keras.Input(shape[1:]); self.model = keras.Model(i, keras.layers.LayerNormalization()(keras.layers.Dense(8)(i))); self.built = True
    def call(self, x): return self.model(x)
def _m(layer):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, layer(keras.layers.Dense(8)(i)))
def build(): return _m(Calls())
def fixed(): return _m(Casts())
def fixed_nested(): return _m(Nested())
