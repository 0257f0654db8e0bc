"""Models on tf_keras, the Keras of old: stock layers, and a Hugging Face BERT."""

import os


def normalised():
    import tf_keras

    inputs = tf_keras.Input((8, 16))
    hidden = tf_keras.layers.LayerNormalization()(tf_keras.layers.Dense(16, activation="gelu")(inputs))
    return tf_keras.Model(inputs, tf_keras.layers.BatchNormalization()(hidden))


def attention():
    import tf_keras

    inputs = tf_keras.Input((8, 16))
    hidden = tf_keras.layers.Dense(16)(inputs)
    hidden = hidden + tf_keras.layers.MultiHeadAttention(2, 8)(hidden, hidden)
    return tf_keras.Model(inputs, tf_keras.layers.Softmax()(hidden))


def recurrent():
    import tf_keras

    inputs = tf_keras.Input((8, 16))
    hidden = tf_keras.layers.Bidirectional(tf_keras.layers.LSTM(8, return_sequences=True))(inputs)
    return tf_keras.Model(inputs, tf_keras.layers.GRU(4)(hidden))


def convolution():
    import tf_keras

    inputs = tf_keras.Input((16, 16, 4))
    hidden = tf_keras.layers.BatchNormalization()(tf_keras.layers.Conv2D(8, 3, activation="relu")(inputs))
    hidden = tf_keras.layers.MaxPooling2D()(tf_keras.layers.SeparableConv2D(8, 3)(hidden))
    return tf_keras.Model(inputs, tf_keras.layers.GlobalAveragePooling2D()(hidden))


MODELS = {each.__name__: each for each in (normalised, attention, recurrent, convolution)}


def hugging_face_bert():
    os.environ["USE_TF"] = "1"
    import tensorflow as tf
    from transformers import BertConfig, TFBertModel

    config = BertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    names = ("input_ids", "attention_mask", "token_type_ids")
    return TFBertModel(config), ({name: tf.TensorSpec((2, 8), tf.int32) for name in names},)
