"""Models in which a layer of Keras itself computes in 16 bits what it should not, made as people write models."""

import keras
import tensorflow as tf


def plainly():
    ids = keras.Input((32,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    return keras.Model(ids, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(x)))


class Pooled(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = keras.layers.Embedding(10, 4, mask_zero=True)
        self.pool = keras.layers.GlobalAveragePooling1D(name="pool")

    def call(self, ids):
        return self.pool(self.embed(ids))


def in_a_class():
    return Pooled(), (tf.TensorSpec((2, 32), "int32"),)


def in_a_list():
    return keras.Sequential(
        [
            keras.Input((32,), dtype="int32"),
            keras.layers.Embedding(10, 4, mask_zero=True),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2),
        ]
    )


def normalized():
    rows = keras.Input((32,))
    x = keras.layers.UnitNormalization()(keras.layers.Dense(8)(rows))
    return keras.Model(rows, keras.layers.Dense(2)(x))


def distorted():
    images = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3)(images)
    x = keras.layers.RandomElasticTransform()(x, training=True)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))
