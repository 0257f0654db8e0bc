"""BERT Joint: the encoder, the span head and the answer-type head, read from top to bottom.

Shapes are named n (features in a batch), s (positions), h (hidden size), a (attention heads), d = h / a. Between the
embeddings and the heads a hidden state is the matrix [n * s, h]: a product with a kernel then stands right before its
bias and activation, and TensorFlow makes one oneDNN or cuBLAS call of the three.

The residual stream, what each block adds to, is float32 under every precision: rounded to 16 bits after every sum it
would lose more than all products together. Layers round it to their compute dtype where they read it.
Source: Devlin et al. 2018 (encoder), Alberti, Lee and Collins 2019 (heads).
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from nqperf.model.config import TANH_GELU, BertConfig
from nqperf.model.precision import attention_probabilities, dtype_policy, layer_norm, residual
from nqperf.nq.answers import ANSWER_TYPES

# The policy of what must not be rounded, under every precision.
_WIDE = dtype_policy("float32")


class LayerNorm(keras.layers.Layer):
    """Layer normalisation of the residual stream over its last axis: float32[..., h] -> float32[..., h]."""

    def __init__(self, config: BertConfig, *, name: str) -> None:
        super().__init__(dtype=_WIDE, name=name)
        self.epsilon = config.layer_norm_eps

    def build(self, hidden_shape: tuple[int | None, ...]) -> None:
        size = (hidden_shape[-1],)
        self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")

    def call(self, hidden: Any) -> Any:
        return layer_norm(hidden, self.gamma, self.beta, self.epsilon)


class Embeddings(keras.layers.Layer):
    """Word, position and segment embeddings, added and normalised: int[n, s] -> float32[n, s, h].

    They are float32 under every precision, as there is no product to speed up: a 16-bit policy would round the whole
    table in every batch to look up a few rows.
    """

    def __init__(self, config: BertConfig, *, name: str) -> None:
        super().__init__(dtype=_WIDE, name=name)
        table = {"embeddings_initializer": _initializer(config), "dtype": _WIDE}
        self.word = keras.layers.Embedding(config.vocab_size, config.hidden_size, name="word", **table)
        self.position = keras.layers.Embedding(
            config.max_position_embeddings, config.hidden_size, name="position", **table
        )
        self.segment = keras.layers.Embedding(config.type_vocab_size, config.hidden_size, name="segment", **table)
        self.norm = LayerNorm(config, name="norm")
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob, dtype=_WIDE, name="dropout")

    def call(self, input_ids: Any, segment_ids: Any, training: bool | None = None) -> Any:
        positions = ops.arange(input_ids.shape[1])
        embedded = self.word(input_ids) + self.position(positions) + self.segment(segment_ids)  # [n, s, h]
        return self.dropout(self.norm(embedded), training=training)


class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention with its output projection: [n * s, h] -> [n * s, h]."""

    def __init__(self, config: BertConfig, *, dtype: keras.DTypePolicy, softmax_dtype: str, name: str) -> None:
        super().__init__(dtype=dtype, name=name)
        self.softmax_dtype = softmax_dtype
        self.heads = config.num_attention_heads
        self.head_size = config.hidden_size // config.num_attention_heads
        self.query = _dense(config, config.hidden_size, dtype, "query")
        self.key = _dense(config, config.hidden_size, dtype, "key")
        self.value = _dense(config, config.hidden_size, dtype, "value")
        self.output_dense = _dense(config, config.hidden_size, dtype, "output")
        self.dropout = keras.layers.Dropout(config.attention_probs_dropout_prob, dtype=dtype, name="dropout")

    def call(self, hidden: Any, input_mask: Any, training: bool | None = None) -> Any:
        seq_length = input_mask.shape[1]
        query = self._split(self.query(hidden), seq_length)  # [n, a, s, d]
        key = self._split(self.key(hidden), seq_length)
        value = self._split(self.value(hidden), seq_length)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * (1.0 / math.sqrt(self.head_size))  # [n, a, s, s]
        probabilities = attention_probabilities(scores, input_mask, self.softmax_dtype)
        probabilities = self.dropout(probabilities, training=training)
        mixed = ops.transpose(ops.matmul(probabilities, value), (0, 2, 1, 3))  # [n, s, a, d]
        return self.output_dense(ops.reshape(mixed, (-1, self.heads * self.head_size)))

    def _split(self, projected: Any, seq_length: int) -> Any:
        """[n * s, h] -> [n, a, s, d]."""
        by_head = ops.reshape(projected, (-1, seq_length, self.heads, self.head_size))
        return ops.transpose(by_head, (0, 2, 1, 3))


class EncoderBlock(keras.layers.Layer):
    """Attention and feed-forward, each added to the residual stream, float32[n * s, h], which is then normalised."""

    def __init__(self, config: BertConfig, *, dtype: keras.DTypePolicy, softmax_dtype: str, name: str) -> None:
        # The block hands the stream on as it is; the layers inside round what they read.
        super().__init__(dtype=dtype, autocast=False, name=name)
        self.attention = SelfAttention(config, dtype=dtype, softmax_dtype=softmax_dtype, name="attention")
        self.attention_norm = LayerNorm(config, name="attention_norm")
        self.intermediate = _dense(config, config.intermediate_size, dtype, "intermediate")
        self.output_dense = _dense(config, config.hidden_size, dtype, "output")
        self.output_norm = LayerNorm(config, name="output_norm")
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob, dtype=dtype, name="dropout")
        self.tanh_gelu = config.hidden_act == TANH_GELU

    def call(self, hidden: Any, input_mask: Any, training: bool | None = None) -> Any:
        attended = self.attention(hidden, input_mask, training=training)
        hidden = self.attention_norm(residual(hidden, self.dropout(attended, training=training)))
        widened = ops.gelu(self.intermediate(hidden), approximate=self.tanh_gelu)
        return self.output_norm(residual(hidden, self.dropout(self.output_dense(widened), training=training)))


class BertJoint(keras.Model):
    """The whole network: features in, start, end and answer-type logits out.

    Shapes: input_ids, input_mask, segment_ids int[n, s] -> start_logits, end_logits float32[n, s],
    answer_type_logits float32[n, 5]. Logits are float32 under every precision. `softmax_dtype` is the type at the doors
    of the attention softmax; see `attention_probabilities`.
    """

    def __init__(
        self,
        config: BertConfig,
        precision: str = "float32",
        *,
        softmax_dtype: str = "float32",
        name: str = "bert_joint",
    ) -> None:
        dtype = dtype_policy(precision)
        super().__init__(dtype=dtype, name=name)
        self.config = config
        self.embeddings = Embeddings(config, name="embeddings")
        self.blocks = [
            EncoderBlock(config, dtype=dtype, softmax_dtype=softmax_dtype, name=f"block_{number}")
            for number in range(config.num_hidden_layers)
        ]
        self.pooler = _dense(config, config.hidden_size, dtype, "pooler")
        # Logits of about 10 in bfloat16 are multiples of 0.06, and spans tie: the heads compute in float32.
        self.span = _dense(config, 2, _WIDE, "span")
        self.answer_type = _dense(config, len(ANSWER_TYPES), _WIDE, "answer_type")

    def encode(self, inputs: dict[str, Any], training: bool | None = None) -> tuple[Any, Any]:
        """Return the sequence output float32[n, s, h], and the pooled output [n, h] in the compute dtype."""
        hidden = self.embeddings(inputs["input_ids"], inputs["segment_ids"], training=training)
        seq_length, size = hidden.shape[1:]
        hidden = ops.reshape(hidden, (-1, size))
        for block in self.blocks:
            hidden = block(hidden, inputs["input_mask"], training=training)
        hidden = ops.reshape(hidden, (-1, seq_length, size))
        return hidden, ops.tanh(self.pooler(hidden[:, 0]))

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> dict[str, Any]:
        sequence, pooled = self.encode(inputs, training=training)
        span_logits = self.span(sequence)  # [n, s, 2]
        return {
            "start_logits": span_logits[:, :, 0],
            "end_logits": span_logits[:, :, 1],
            "answer_type_logits": self.answer_type(pooled),
        }


def _initializer(config: BertConfig) -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)


def _dense(config: BertConfig, units: int, dtype: keras.DTypePolicy, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, kernel_initializer=_initializer(config), dtype=dtype, name=name)
