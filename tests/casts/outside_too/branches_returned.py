"""Branches and rounds whose results are casts, come in tuples, or are handed through keras.ops: edits where they are made."""
import keras, tensorflow as tf
from keras import ops
class C(keras.layers.Layer):
    def __init__(self, how, **kw):
        super().__init__(**kw); self.how = how; self.d = keras.layers.Dense(8)
    def build(self, shape): self.d.build((None, 8)); self.built = True
    def call(self, x): return getattr(self, self.how)(x)
    def case(self, x):
        return tf.case([(tf.reduce_any(x > 9), lambda: x), (tf.reduce_any(x < -9), lambda: tf.zeros((2, 8)))], default=lambda: x * 2)  # EXPECT: CAST007
    def switched(self, x):
        return tf.switch_case(tf.constant(0), {0: lambda: x, 1: lambda: tf.cast(x, tf.float32)}, default=lambda: x)  # EXPECT: CAST007
    def ops_cond(self, x):
        return ops.cond(ops.any(x > 9), lambda: ops.cast(x, "float32"), lambda: x)  # EXPECT: CAST007
    def ops_scan(self, x):
        return ops.scan(lambda c, e: (c + e, c), ops.zeros((8,), dtype="float32"), x)[1]  # EXPECT: CAST001
    def folded(self, x):
        return tf.foldl(lambda a, e: a + e, x, initializer=tf.zeros((8,))) + x  # EXPECT: CAST001
    def mapped(self, x):
        return tf.map_fn(lambda e: e * 2, x, fn_output_signature=tf.float32)  # EXPECT: CAST001
    def scanned(self, x):
        return tf.scan(lambda s, e: tf.cast(s, tf.float32) + tf.cast(e, tf.float32), x)  # EXPECT: CAST007
    def dense_loop(self, x):
        return tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, self.d(s)), (0, tf.cast(x, tf.float32)))[1]  # EXPECT: CAST007
HOW = "case switched ops_cond ops_scan folded mapped scanned dense_loop".split()
def _m(how):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, C(how)(keras.layers.Dense(8)(i)))
for _h in HOW:
    globals()["build_" + _h] = (lambda h: lambda: _m(h))(_h)
