"""What the blocks of all families are made of: normalisation, self-attention, and the two around the stream.

Shapes are named n (features in a batch), s (positions), h (hidden size), a (attention heads), d (a head's size).
Between the embeddings and the heads a hidden state is the matrix [n * s, h]: a product with a kernel then stands right
before its bias and activation, and TensorFlow makes one oneDNN or cuBLAS call of the three.

The residual stream, what each block adds to, is float32 under every precision: rounded to 16 bits after every sum it
would lose more than all products together. Layers round it to their compute dtype where they read it.
Source: Vaswani et al. 2017, Devlin et al. 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import ops

from nqperf.model.config import TANH_GELU, BertConfig
from nqperf.model.precision import WIDE, attention_probabilities, layer_norm, residual


class LayerNorm(keras.layers.Layer):
    """Layer normalisation of the residual stream over its last axis: float32[..., h] -> float32[..., h].

    `config` has the epsilon that is added to the variance; `name` is the layer's.
    """

    def __init__(self, config: BertConfig, *, name: str) -> None:
        super().__init__(dtype=WIDE, name=name)
        self.epsilon = config.layer_norm_eps

    def build(self, hidden_shape: tuple[int | None, ...]) -> None:
        size = (hidden_shape[-1],)
        self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")

    def call(self, hidden: Any) -> Any:
        return layer_norm(hidden, self.gamma, self.beta, self.epsilon)


class Composed(keras.layers.Layer):
    """A layer that holds nothing but layers; its call builds each of them as it comes to it."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # Without a `build` of its own Keras would trace the call to build what is inside, twice more at each depth.
        pass


class SelfAttention(Composed):
    """Multi-head self-attention with its output projection: [n * s, h] -> [n * s, h].

    The mask is bool[n, s] where all queries see the same keys, and bool[n, s, s] (query, key) where they do not.
    `fused`, where an engine sets it, is a function of its library for all between the projections, without dropout:
    queries, keys and values [n, s, a, d] and the mask -> [n, s, a, d].
    `config` has the sizes, `dtype` the policy that the products are computed by, and `softmax_dtype` names the type of
    the softmax ("float32"); `name` is the layer's.
    """

    def __init__(self, config: BertConfig, *, dtype: keras.DTypePolicy, softmax_dtype: str, name: str) -> None:
        super().__init__(dtype=dtype, name=name)
        self.softmax_dtype = softmax_dtype
        self.heads = config.num_attention_heads
        self.head_size = config.head_size
        self.add_projections(config, dtype)
        self.output_dense = dense(config, config.hidden_size, dtype, "output")
        self.dropout = keras.layers.Dropout(config.attention_probs_dropout_prob, dtype=dtype, name="dropout")
        self.fused: Callable[[Any, Any, Any, Any], Any] | None = None

    def add_projections(self, config: BertConfig, dtype: keras.DTypePolicy) -> None:
        """Make the layers that `project` runs: of the sizes in `config`, computing by the policy `dtype`."""
        self.query = dense(config, config.attention_size, dtype, "query")
        self.key = dense(config, config.attention_size, dtype, "key")
        self.value = dense(config, config.attention_size, dtype, "value")

    def project(self, hidden: Any) -> tuple[Any, Any, Any]:
        """Return the queries, keys and values of all heads: `hidden` [n * s, h] -> [n * s, a * d] each."""
        return self.query(hidden), self.key(hidden), self.value(hidden)

    def call(self, hidden: Any, mask: Any, training: bool | None = None) -> Any:
        seq_length = mask.shape[1]
        if self.fused is not None:
            shape = (-1, seq_length, self.heads, self.head_size)
            query, key, value = (ops.reshape(each, shape) for each in self.project(hidden))
            mixed = self.fused(query, key, value, mask)
            return self.output_dense(ops.reshape(mixed, (-1, self.heads * self.head_size)))
        query, key, value = (self._split(each, seq_length) for each in self.project(hidden))  # [n, a, s, d]
        probabilities = attention_probabilities(self._scores(query, key), mask, self.softmax_dtype)
        probabilities = self.dropout(probabilities, training=training)
        return self.output_dense(self._mixed(probabilities, value))

    def scores(self, hidden: Any, seq_length: int) -> Any:
        """Return the scores before mask and softmax: `hidden` [n * s, h] -> [n, a, s, s] (query, key).

        `seq_length` is s, which the matrix `hidden` does not tell.
        """
        query, key, _ = self.project(hidden)
        return self._scores(self._split(query, seq_length), self._split(key, seq_length))

    def mixed(self, hidden: Any, mask: Any) -> Any:
        """Return what the output projection reads where nothing is dropped: `hidden` [n * s, h] -> [n * s, a * d].

        `mask` is bool[n, s] or bool[n, s, s], as in a call.
        """
        query, key, value = (self._split(each, mask.shape[1]) for each in self.project(hidden))
        return self._mixed(attention_probabilities(self._scores(query, key), mask, self.softmax_dtype), value)

    def _scores(self, query: Any, key: Any) -> Any:
        return ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * (1.0 / math.sqrt(self.head_size))

    def _mixed(self, probabilities: Any, value: Any) -> Any:
        """Return the values that are attended to: [n, a, s, s], [n, a, s, d] -> [n * s, a * d]."""
        mixed = ops.transpose(ops.matmul(probabilities, value), (0, 2, 1, 3))  # [n, s, a, d]
        return ops.reshape(mixed, (-1, self.heads * self.head_size))

    def _split(self, projected: Any, seq_length: int) -> Any:
        """[n * s, h] -> [n, a, s, d]."""
        by_head = ops.reshape(projected, (-1, seq_length, self.heads, self.head_size))
        return ops.transpose(by_head, (0, 2, 1, 3))


class EncoderBlock(Composed):
    """Attention and feed-forward, each added to the residual stream, float32[n * s, h], which is then normalised.

    `config` has the sizes, `dtype` the policy that the products are computed by, and `softmax_dtype` names the type of
    the attention's softmax ("float32"); `name` is the layer's. Below, `hidden` is the stream that the block is given,
    and `mask` is as `SelfAttention` takes it.
    """

    attention_class: ClassVar[type[SelfAttention]] = SelfAttention

    def __init__(self, config: BertConfig, *, dtype: keras.DTypePolicy, softmax_dtype: str, name: str) -> None:
        # The block hands the stream on as it is; the layers inside round what they read.
        super().__init__(dtype=dtype, autocast=False, name=name)
        self.attention = self.attention_class(config, dtype=dtype, softmax_dtype=softmax_dtype, name="attention")
        self.attention_norm = LayerNorm(config, name="attention_norm")
        self.intermediate = dense(config, config.intermediate_size, dtype, "intermediate")
        self.output_dense = dense(config, config.hidden_size, dtype, "output")
        self.output_norm = LayerNorm(config, name="output_norm")
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob, dtype=dtype, name="dropout")
        self.tanh_gelu = config.hidden_act == TANH_GELU

    def call(self, hidden: Any, mask: Any, training: bool | None = None) -> Any:
        hidden = self.attention_norm(self.attend(hidden, hidden, mask, training))
        return self.output_norm(self.feed_forward(hidden, hidden, training))

    def attention_scores(self, hidden: Any, seq_length: int) -> Any:
        """Return the scores of the attention over the stream `hidden`, of `seq_length` positions: -> [n, a, s, s]."""
        return self.attention.scores(hidden, seq_length)

    def mixed(self, hidden: Any, mask: Any) -> Any:
        """Return what the attention's heads give for the stream `hidden` under `mask`: -> [n * s, a * d]."""
        return self.attention.mixed(hidden, mask)

    def units(self, hidden: Any, mask: Any) -> Any:
        """Return what the feed-forward units give for the stream `hidden` under `mask`: -> [n * s, units]."""
        return ops.gelu(self.intermediate(self.attended(hidden, mask)), approximate=self.tanh_gelu)

    def attended(self, hidden: Any, mask: Any) -> Any:
        """Return what the feed-forward layers read when the block is given `hidden` and `mask`: -> [n * s, h]."""
        return self.attention_norm(self.attend(hidden, hidden, mask, training=False))

    def attend(self, stream: Any, hidden: Any, mask: Any, training: bool | None) -> Any:
        """Return the `stream` with the attention over `hidden` under `mask` added to it: -> float32[n * s, h].

        Units are dropped where `training` is True.
        """
        return residual(stream, self.dropout(self.attention(hidden, mask, training=training), training=training))

    def feed_forward(self, stream: Any, hidden: Any, training: bool | None) -> Any:
        """Return the `stream` with the feed-forward layers' output for `hidden` added to it: -> float32[n * s, h].

        Units are dropped where `training` is True.
        """
        widened = ops.gelu(self.intermediate(hidden), approximate=self.tanh_gelu)
        return residual(stream, self.dropout(self.output_dense(widened), training=training))


def initializer(config: BertConfig) -> keras.initializers.Initializer:
    """Return what a new table or kernel is drawn from: a normal distribution, cut off, as wide as `config` says."""
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)


def dense(config: BertConfig, units: int, dtype: keras.DTypePolicy, name: str) -> keras.layers.Dense:
    """Return a dense layer called `name` of so many `units`, computing by the policy `dtype`.

    Its kernel is drawn as `config` says.
    """
    return keras.layers.Dense(units, kernel_initializer=initializer(config), dtype=dtype, name=name)
