"""Bounds and epsilons that guard something, a square before its cast, and a counter that is written through a half."""
import keras, tensorflow as tf
class G(keras.layers.Layer):
    def __init__(self, how, **kw):
        super().__init__(**kw); self.how = how
    def build(self, shape):
        if self.how == "counter": self.count = self.add_weight(name="count", shape=(), initializer="zeros", trainable=False)
    def call(self, x):
        if self.how == "clip":
            p = tf.clip_by_value(tf.sigmoid(x), 1e-7, 1.0 - 1e-7)  # EXPECT: NUM102
            return tf.math.log1p(-p)
        if self.how == "normalize":
            return x * tf.math.rsqrt(tf.maximum(tf.abs(x), 1e-12))  # EXPECT: NUM102
        if self.how == "square":
            return x * tf.cast(tf.reduce_mean(tf.cast(tf.square(x), "float32"), -1, keepdims=True), x.dtype)  # EXPECT: NUM105
        if self.how == "moments":
            mean, variance = tf.nn.moments(x, -1, keepdims=True)
            return x * tf.math.rsqrt(variance + 1e-12) - tf.cast(mean, x.dtype)  # EXPECT: NUM102
        if self.how == "harmless":
            return tf.nn.relu(x + 1e-9)
        raise ValueError(self.how)
def _m(how):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, G(how)(keras.layers.Dense(8)(i)))
def build_clip(): return _m("clip")
def build_normalize(): return _m("normalize")
def build_square(): return _m("square")
def build_moments(): return _m("moments")
def fixed_harmless(): return _m("harmless")
