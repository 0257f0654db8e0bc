"""Numbers that are no literals, guards in wider expressions, two masks in one sum."""
import keras, numpy as np, tensorflow as tf
from keras import ops
class G(keras.layers.Layer):
    def __init__(self, how, **kw): super().__init__(**kw); self.how = how
    def call(self, x):
        if self.how == "finfo": return tf.where(x > 0, x, np.finfo(np.float32).min)  # EXPECT: NUM101
        if self.how == "behind": return 2.0 ** x  # EXPECT: NUM105
        if self.how == "divided": return x / (tf.reduce_max(tf.abs(x), -1, keepdims=True) + 1e-9)  # EXPECT: NUM102
        if self.how == "masks": return tf.nn.softmax(x + (1.0 - tf.cast(x > 0, x.dtype)) * -60000.0 + (1.0 - tf.cast(x > 1, x.dtype)) * -60000.0)  # EXPECT: NUM104
        if self.how == "tiny": return x * 1e-12  # EXPECT: NUM102
        raise ValueError(self.how)
def _m(how):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, G(how)(keras.layers.Dense(8)(i)))
for _h in "finfo behind divided masks tiny".split():
    globals()["build_" + _h] = (lambda h: lambda: _m(h))(_h)
