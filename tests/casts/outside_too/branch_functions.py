"""Branches that are functions, a loop that autograph converts, and an element of another type for map_fn."""
import keras, tensorflow as tf
class Named(keras.layers.Layer):
    def call(self, x):
        def warm():
            return x
        def cold():
            return tf.ones((2, 8)) * 0.5
        return tf.cond(tf.reduce_any(x > 100), warm, cold)  # EXPECT: CAST007
class Rounds(keras.layers.Layer):
    def __init__(self, **kw):
        super().__init__(**kw); self.d = keras.layers.Dense(8)
    def build(self, shape):
        self.d.build((None, 8))
    @tf.function
    def call(self, x):
        s = tf.zeros((2, 8))
        for _ in tf.range(3):  # EXPECT: CAST007
            s = self.d(s)
        return s
class Mapped(keras.layers.Layer):
    def call(self, x):
        return tf.map_fn(lambda e: tf.cast(e, tf.float32) * 2.0, x)  # EXPECT: CAST001
def _m(layer):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, layer(keras.layers.Dense(8)(i)))
def build_named(): return _m(Named())
def build_rounds(): return _m(Rounds())
def build_mapped(): return _m(Mapped())
