"""Layers made in build() and in call(), with and without a conflict; the policy must be in force until the end."""
import tensorflow as tf
keras = tf.keras
class Mixer(keras.layers.Layer):
    def __init__(self, wide=False, **kw):
        super().__init__(**kw); self.wide = wide
    def build(self, shape):
        self.parts = [keras.layers.Dense(8, name=f"part_{i}") for i in range(2)]
        self.built = True
    def call(self, x):
        for part in self.parts:
            x = part(x)
        if self.wide:
            x = x - tf.linspace(0.0, 1.0, 8)  # EXPECT: CAST001
        return x
class Net(keras.Model):
    def __init__(self, wide): super().__init__(); self.wide = wide
    def build(self, shape): self.mixer = Mixer(self.wide, name="mixer"); self.head = keras.layers.Dense(2, name="head"); self.built = True
    def call(self, x): return self.head(self.mixer(x))
def build(): return Net(True), tf.TensorSpec((2, 8), tf.float32)
def fixed(): return Net(False), tf.TensorSpec((2, 8), tf.float32)
