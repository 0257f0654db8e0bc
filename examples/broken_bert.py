"""A BERT Joint as one finds it in the wild, right in float32 and broken in mixed_float16, planted for `docs/casts.md`.

Its parts carry the names of `nqperf.model.bert.BertJoint`, so that the same model folder fits both.
"""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from nqperf.model.config import BertConfig

CONFIG = BertConfig(
    vocab_size=8000,
    hidden_size=384,
    num_hidden_layers=6,
    num_attention_heads=12,
    intermediate_size=1536,
    max_position_embeddings=512,
)


class Norm(keras.layers.Layer):
    """Layer normalisation in the compute dtype."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(shape[-1],), initializer="zeros", name="beta")

    def call(self, hidden):
        centred = hidden - ops.mean(hidden, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        return centred * ops.rsqrt(variance + 1e-12) * self.gamma + self.beta


class Attention(keras.layers.Layer):
    """Self-attention with a float32 scale and a float32 mask."""

    def __init__(self, config, **options):
        super().__init__(**options)
        self.heads = config.num_attention_heads
        self.head_size = config.hidden_size // config.num_attention_heads
        size = config.hidden_size
        self.query = keras.layers.Dense(size, dtype=self.dtype_policy, name="query")
        self.key = keras.layers.Dense(size, dtype=self.dtype_policy, name="key")
        self.value = keras.layers.Dense(size, dtype=self.dtype_policy, name="value")
        self.output_dense = keras.layers.Dense(size, dtype=self.dtype_policy, name="output")

    def call(self, hidden, input_mask):
        query, key, value = (self.split(project(hidden)) for project in (self.query, self.key, self.value))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        scores = scores / tf.sqrt(tf.cast(self.head_size, tf.float32))
        padding = (1.0 - ops.cast(input_mask, "float32")) * -1e9
        scores = ops.add(scores, padding[:, None, None, :])
        context = ops.matmul(ops.softmax(scores), value)
        return self.output_dense(self.join(context))

    def split(self, projected):
        by_head = ops.reshape(projected, (-1, projected.shape[1], self.heads, self.head_size))
        return ops.transpose(by_head, (0, 2, 1, 3))

    def join(self, context):
        return ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (-1, context.shape[2], self.heads * self.head_size))


class Block(keras.layers.Layer):
    """One encoder block."""

    attention_class, norm_class = Attention, Norm

    def __init__(self, config, **options):
        super().__init__(**options)
        self.attention = self.attention_class(config, dtype=self.dtype_policy, name="attention")
        self.attention_norm = self.norm_class(dtype=self.dtype_policy, name="attention_norm")
        self.intermediate = keras.layers.Dense(config.intermediate_size, dtype=self.dtype_policy, name="intermediate")
        self.output_dense = keras.layers.Dense(config.hidden_size, dtype=self.dtype_policy, name="output")
        self.output_norm = self.norm_class(dtype=self.dtype_policy, name="output_norm")

    def call(self, hidden, input_mask):
        hidden = self.attention_norm(hidden + self.attention(hidden, input_mask))
        return self.output_norm(hidden + self.output_dense(ops.gelu(self.intermediate(hidden), approximate=False)))


class Embeddings(keras.layers.Layer):
    """Word, position and segment embeddings."""

    norm_class = Norm

    def __init__(self, config, **options):
        super().__init__(**options)
        sizes = {"word": config.vocab_size, "position": config.max_position_embeddings, "segment": 2}
        for name, size in sizes.items():
            setattr(self, name, keras.layers.Embedding(size, config.hidden_size, dtype=self.dtype_policy, name=name))
        self.norm = self.norm_class(dtype=self.dtype_policy, name="norm")

    def call(self, input_ids, segment_ids):
        positions = ops.arange(input_ids.shape[1])
        return self.norm(self.word(input_ids) + self.position(positions) + self.segment(segment_ids))


class BrokenBert(keras.Model):
    """The network: features in, start, end and answer-type logits out."""

    block_class, embeddings_class = Block, Embeddings

    def __init__(self, config, precision):
        super().__init__(dtype=keras.DTypePolicy(precision), name="bert")
        self.config = config
        self.embeddings = self.embeddings_class(config, dtype=self.dtype_policy, name="embeddings")
        numbers = range(config.num_hidden_layers)
        self.blocks = [self.block_class(config, dtype=self.dtype_policy, name=f"block_{number}") for number in numbers]
        self.pooler = keras.layers.Dense(config.hidden_size, "tanh", dtype=self.dtype_policy, name="pooler")
        self.span = keras.layers.Dense(2, dtype=self.dtype_policy, name="span")
        self.answer_type = keras.layers.Dense(5, dtype=self.dtype_policy, name="answer_type")

    def call(self, inputs):
        hidden = self.embeddings(inputs["input_ids"], inputs["segment_ids"])
        for block in self.blocks:
            hidden = block(hidden, inputs["input_mask"])
        span = ops.cast(self.span(hidden), "float32")
        answer_type = ops.cast(self.answer_type(self.pooler(hidden[:, 0])), "float32")
        return {"start_logits": span[:, :, 0], "end_logits": span[:, :, 1], "answer_type_logits": answer_type}


def inputs(config: BertConfig) -> dict[str, tf.TensorSpec]:
    """Return what the network is called with."""
    length = min(config.max_position_embeddings, 384)
    return {name: tf.TensorSpec((2, length), tf.int32) for name in ("input_ids", "input_mask", "segment_ids")}


def build(precision: str = "float32", config: BertConfig = CONFIG) -> tuple[BrokenBert, dict[str, tf.TensorSpec]]:
    """Return the broken network and its inputs."""
    return BrokenBert(config, precision), inputs(config)
