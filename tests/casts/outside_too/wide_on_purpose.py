"""float32 by name: a head, a softmax over x + 1e-9, masking, positions; nothing here is a fault."""
import tensorflow as tf
keras = tf.keras
class Positions(keras.layers.Layer):
    def call(self, x):
        return x + tf.cast(tf.range(8), x.dtype)
def _m(*layers):
    i = keras.Input((4, 8), batch_size=2); x = keras.layers.Dense(8)(i)
    for layer in layers: x = layer(x)
    return keras.Model(i, x)
def fixed_head(): return _m(keras.layers.Dense(3, dtype="float32"), keras.layers.Softmax(dtype="float32"))
def fixed_softmax(): return _m(keras.layers.Lambda(lambda x: tf.nn.softmax(x + 1e-9)))
def fixed_masking(): return _m(keras.layers.Masking(0.0))
def fixed_positions(): return _m(Positions())
class Gated(keras.layers.Layer):
    def __init__(self):
        super().__init__(); self.gate, self.shift = (keras.layers.Dense(8, dtype="float32") for _ in range(2))
    def call(self, x):
        return x * tf.cast(1.0 + self.gate(x), x.dtype) + tf.cast(self.shift(x), x.dtype)
def fixed_gates(): return _m(Gated())
def fixed_norms(): return _m(keras.layers.LayerNormalization(dtype="float32"), keras.layers.Dense(8), keras.layers.BatchNormalization(dtype="float32"))
