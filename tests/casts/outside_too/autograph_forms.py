"""Autograph: an if without an else, a conditional expression whose value autograph keeps; and operands in a list."""
import tensorflow as tf
keras = tf.keras
class A(keras.layers.Layer):
    def __init__(self, how): super().__init__(); self.how = how
    def call(self, x): return getattr(self, self.how)(x)
    @tf.function
    def one_sided(self, x):
        y = x
        if tf.reduce_any(x > 9):  # EXPECT: CAST007
            y = tf.cast(x, tf.float32)
        return y
    @tf.function
    def chosen(self, x):
        return tf.cast(x, tf.float32) if tf.reduce_any(x > 9) else x  # EXPECT: CAST007
    def spread(self, x):
        return tf.add(*[x, tf.ones((8,))])  # EXPECT: CAST001
def _m(h):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, A(h)(keras.layers.Dense(8)(i)))
def build_one_sided(): return _m("one_sided")
def build_chosen(): return _m("chosen")
def build_spread(): return _m("spread")
