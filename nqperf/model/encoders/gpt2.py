"""GPT-2's own parts: a causal network whose norms stand before what they feed, and what that means for the heads."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from nqperf.model.config import BertConfig
from nqperf.model.encoders.blocks import EncoderBlock, SelfAttention, dense
from nqperf.model.encoders.embeddings import Embeddings


class Gpt2Embeddings(Embeddings):
    """Word and position embeddings, added: int[n, s] -> float32[n, s, h]. The first block normalises what it reads."""

    normalised: ClassVar[bool] = False


class Gpt2Attention(SelfAttention):
    """Self-attention whose query, key and value are one product."""

    def add_projections(self, config: BertConfig, dtype: keras.DTypePolicy) -> None:
        """Make the one layer that `project` runs: of the sizes in `config`, computing by the policy `dtype`."""
        self.query_key_value = dense(config, 3 * config.attention_size, dtype, "query_key_value")

    def project(self, hidden: Any) -> tuple[Any, Any, Any]:
        """Return the queries, keys and values of all heads: `hidden` [n * s, h] -> [n * s, a * d] each."""
        query, key, value = ops.split(self.query_key_value(hidden), 3, axis=-1)
        return query, key, value


class Gpt2Block(EncoderBlock):
    """Attention and feed-forward, each reading the normalised stream, float32[n * s, h], and adding to the plain one.

    `attention_norm` stands before the attention, `output_norm` before the feed-forward layers.
    """

    attention_class: ClassVar[type[SelfAttention]] = Gpt2Attention

    def call(self, hidden: Any, mask: Any, training: bool | None = None) -> Any:
        hidden = self.attend(hidden, self.attention_norm(hidden), mask, training)
        return self.feed_forward(hidden, self.output_norm(hidden), training)

    def attention_scores(self, hidden: Any, seq_length: int) -> Any:
        """Return the scores of the attention over the normalised stream `hidden`, of `seq_length` positions."""
        return self.attention.scores(self.attention_norm(hidden), seq_length)

    def mixed(self, hidden: Any, mask: Any) -> Any:
        """Return what the attention's heads give for the normalised stream `hidden` under `mask`."""
        return self.attention.mixed(self.attention_norm(hidden), mask)

    def attended(self, hidden: Any, mask: Any) -> Any:
        """Return what the feed-forward layers read: the stream `hidden` with the attention under `mask`, normalised."""
        return self.output_norm(self.attend(hidden, self.attention_norm(hidden), mask, training=False))


def summary_first(sequence: Any, input_mask: Any) -> Any:
    """Return the sequence with the state of the last real position in the place of the first one's.

    The heuristic subtracts the logits of position 0, BERT's summary of the whole input. In a causal network position 0
    sees nothing but itself, so its logits would be one constant for all windows; the last real position, the separator
    behind the window, is the one that sees question and window. No answer can begin or end there, so nothing is lost.

    Shapes: sequence [n, s, h], input_mask int[n, s] -> [n, s, h].
    """
    last = ops.max(input_mask * ops.arange(input_mask.shape[1], dtype=input_mask.dtype), axis=1)  # [n]
    summary = ops.take_along_axis(sequence, last[:, None, None], axis=1)
    return ops.concatenate([summary, sequence[:, 1:]], axis=1)
