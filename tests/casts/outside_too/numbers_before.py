"""NumPy and Python numbers in front of a half tensor, rates, and ops that no half type or kernel is there for."""
import keras, numpy as np, tensorflow as tf
class Op(keras.layers.Layer):
    def __init__(self, how, **kw):
        super().__init__(**kw); self.how = how
    def call(self, x):
        if self.how == "array":
            return tf.subtract(np.ones(8, "float32"), x)  # EXPECT: CAST001
        if self.how == "scalar":
            return tf.where(x > 0, np.float32(-3.0), x)  # EXPECT: CAST001
        if self.how == "minimum":
            return tf.minimum(6.0, x)  # EXPECT: CAST001
        if self.how == "no_nan":
            return tf.math.divide_no_nan(tf.constant(1.0), x)  # EXPECT: CAST001
        if self.how == "rate":
            return tf.nn.dropout(x, rate=tf.constant(0.0))  # EXPECT: CAST001
        if self.how == "erfinv":
            return tf.math.erfinv(tf.tanh(x) * 0.5)  # EXPECT: CAST001
        if self.how == "cholesky":
            return tf.linalg.cholesky(tf.eye(8, dtype=x.dtype) + tf.zeros_like(x)[:, :, None])  # EXPECT: CAST001
        if self.how == "range":
            return x + tf.range(8, dtype=x.dtype)  # EXPECT: CAST001
        if self.how == "arange":
            return x + keras.ops.arange(x.shape[-1], dtype=self.compute_dtype)  # EXPECT: CAST001
        if self.how == "open":
            return x * tf.range(tf.shape(x)[1], dtype=x.dtype)[None, :, None]  # EXPECT: CAST001
        if self.how == "reflected":
            return np.float32(2.0) * x + np.ones(8, "float32")
        raise ValueError(self.how)
HOW = "array scalar minimum no_nan rate erfinv cholesky range arange reflected".split()
def _m(how):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, Op(how)(keras.layers.Dense(8)(i)))
for _h in HOW:
    globals()["build_" + _h] = (lambda h: lambda: _m(h))(_h)
def build_open():
    i = keras.Input((None, 8)); return keras.Model(i, Op("open")(keras.layers.Dense(8)(i)))
