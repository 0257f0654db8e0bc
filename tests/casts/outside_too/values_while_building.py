"""Layers that need values while they are built, and a head that is tied to a table in a functional model."""
import keras, numpy as np
from keras import ops
def fixed_normalization():
    i = keras.Input((8,), batch_size=2)
    return keras.Model(i, keras.layers.Dense(2)(keras.layers.Normalization(mean=np.zeros(8), variance=np.ones(8))(i)))
def fixed_adapted():
    norm = keras.layers.Normalization(); norm.adapt(np.random.default_rng(0).normal(size=(32, 8)).astype("float32"))
    i = keras.Input((8,), batch_size=2); return keras.Model(i, keras.layers.Dense(2)(norm(i)))
def build_bias():
    ids = keras.Input((4,), batch_size=2, dtype="int32")
    table = keras.layers.Embedding(16, 8, name="table"); x = keras.layers.Dense(8)(table(ids))
    return keras.Model(ids, ops.add(x, table.embeddings[:4]))  # EXPECT: CAST002
