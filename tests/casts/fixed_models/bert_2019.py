"""A BERT as it was written in 2019, its casts taken out: layers in tf.keras, masks and norms in float32."""
import tensorflow as tf

keras = tf.keras


def attention_bias(input_mask):
    mask = tf.cast(input_mask, tf.float32)
    return (1.0 - mask[:, None, None, :]) * -10000.0


class SelfAttention(keras.layers.Layer):
    def __init__(self, heads, size, **options):
        super().__init__(**options)
        self.heads, self.size = heads, size
        self.query, self.key, self.value = (keras.layers.Dense(heads * size, name=name) for name in ("query", "key", "value"))

    def split(self, x):
        return tf.transpose(tf.reshape(x, (-1, x.shape[1], self.heads, self.size)), (0, 2, 1, 3))

    def call(self, x, bias):
        scores = tf.matmul(self.split(self.query(x)), self.split(self.key(x)), transpose_b=True)
        scores = scores / tf.sqrt(float(self.size)) + bias
        context = tf.matmul(tf.nn.softmax(scores), self.split(self.value(x)))
        return tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (-1, x.shape[1], self.heads * self.size))


class Block(keras.layers.Layer):
    def __init__(self, heads, size, **options):
        super().__init__(**options)
        width = heads * size
        self.attention = SelfAttention(heads, size, name="attention")
        self.attention_norm = keras.layers.LayerNormalization(dtype=tf.float32, name="attention_norm")
        self.inner = keras.layers.Dense(2 * width, activation="gelu", name="inner")
        self.outer = keras.layers.Dense(width, name="outer")
        self.output_norm = keras.layers.LayerNormalization(dtype=tf.float32, name="output_norm")

    def call(self, x, bias):
        attended = self.attention_norm(x + self.attention(x, bias))
        hidden = self.outer(self.inner(attended))
        return self.output_norm(hidden + attended)


class Bert(keras.Model):
    def __init__(self):
        super().__init__(name="bert")
        self.words = keras.layers.Embedding(64, 16, name="words")
        self.blocks = [Block(2, 8, name=f"block_{number}") for number in range(2)]
        self.span = keras.layers.Dense(2, dtype=tf.float32, name="span")

    def call(self, inputs):
        x = self.words(inputs["input_ids"])
        types = tf.one_hot(inputs["segment_ids"], 16)
        x = x + types
        for block in self.blocks:
            x = block(x, attention_bias(inputs["input_mask"]))
        return self.span(x)


def build():
    return Bert(), {name: tf.TensorSpec((2, 8), tf.int32, name=name) for name in ("input_ids", "input_mask", "segment_ids")}
