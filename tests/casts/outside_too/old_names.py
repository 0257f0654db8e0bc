"""TensorFlow under its name of version 1, as Google's BERT imports it."""
import tensorflow.compat.v1 as tf
from tensorflow import keras
class Biased(keras.layers.Layer):
    def call(self, x):
        return tf.nn.relu(x) + tf.get_static_value(tf.constant(1.0)) * tf.ones_like(x[0], dtype=tf.float32)  # EXPECT: CAST001
def build():
    i = keras.Input((8,), batch_size=2); return keras.Model(i, Biased()(keras.layers.Dense(8)(i)))
