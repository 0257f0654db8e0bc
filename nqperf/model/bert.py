"""BERT Joint: an encoder of any family, the span head and the answer-type head, read from top to bottom.

The input is `[CLS] question [SEP] window [SEP]`, padded on the right. The question stands before the window, which a
causal network (GPT-2) needs: there a position sees what stands before it, and the window's must have seen the question.

Shapes are named n (features in a batch), s (positions), h (hidden size).
Source: Devlin et al. 2018 (encoder), Alberti, Lee and Collins 2019 (heads).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nqperf.model.config import BertConfig
from nqperf.model.encoders import PARTS
from nqperf.model.encoders.blocks import Composed, LayerNorm, dense
from nqperf.model.encoders.gpt2 import summary_first
from nqperf.model.precision import WIDE, causal_mask, dtype_policy, real_positions
from nqperf.nq.answers import ANSWER_TYPES


class BertJoint(Composed, keras.Model):
    """The whole network of `config`: features in, start, end and answer-type logits out; `name` is Keras's for it.

    Position 0 holds the null answer's span logits in every family. The answer type is read from the pooled output; from
    the first position where the family has no pooler (DistilBERT), and from the last real one where it is causal
    (GPT-2), whose null answer's logits come from there, too: see `summary_first`.

    Shapes: input_ids, input_mask, segment_ids int[n, s] -> start_logits, end_logits float32[n, s],
    answer_type_logits float32[n, 5]. Logits are float32 under every precision. `softmax_dtype` is the type at the doors
    of the attention softmax; see `attention_probabilities`. With `narrow_weights` the kernels of what computes in 16
    bits are kept so; embeddings, norms and heads stay in float32.
    """

    def __init__(
        self,
        config: BertConfig,
        precision: str = "float32",
        *,
        softmax_dtype: str = "float32",
        narrow_weights: bool = False,
        name: str | None = None,
    ) -> None:
        dtype = dtype_policy(precision, narrow_weights=narrow_weights)
        super().__init__(dtype=dtype, name=name or f"{config.model_type}_joint")
        self.config = config
        parts = PARTS[config.model_type]
        self.embeddings = parts.embeddings(config, name="embeddings")
        self.blocks = [
            parts.block(config, dtype=dtype, softmax_dtype=softmax_dtype, name=f"block_{number}")
            for number in range(max(config.block_order) + 1)
        ]
        # Norms before what they feed leave the stream as the last block made it.
        self.final_norm = LayerNorm(config, name="final_norm") if config.pre_norm else None
        self.pooler = dense(config, config.hidden_size, dtype, "pooler") if config.has_pooler else None
        # Logits of about 10 in bfloat16 are multiples of 0.06, and spans tie: the heads compute in float32.
        self.span = dense(config, 2, WIDE, "span")
        self.answer_type = dense(config, len(ANSWER_TYPES), WIDE, "answer_type")

    def encode(
        self, inputs: dict[str, Any], training: bool | None = None, states: list[Any] | None = None
    ) -> tuple[Any, Any]:
        """Return the sequence output float32[n, s, h], and the pooled output [n, h] in the compute dtype.

        `inputs` are the features by name; with `training`, dropout is on. The pooled output is None where the family
        has no pooler. To `states` the residual stream is added as it is behind the embeddings and behind each block,
        float32[n * s, h].
        """
        hidden = self.embeddings(inputs["input_ids"], inputs["segment_ids"], training=training)
        seq_length, size = hidden.shape[1:]
        real = real_positions(inputs["input_mask"])
        mask = causal_mask(real) if self.config.causal else real
        hidden = ops.reshape(hidden, (-1, size))
        states = [] if states is None else states
        states.append(hidden)
        for number in self.config.block_order:
            hidden = self.blocks[number](hidden, mask, training=training)
            states.append(hidden)
        if self.final_norm is not None:
            hidden = self.final_norm(hidden)
        hidden = ops.reshape(hidden, (-1, seq_length, size))
        return hidden, None if self.pooler is None else ops.tanh(self.pooler(hidden[:, 0]))

    def call(
        self, inputs: dict[str, Any], training: bool | None = None, states: list[Any] | None = None
    ) -> dict[str, Any]:
        sequence, pooled = self.encode(inputs, training=training, states=states)
        if self.config.causal:
            sequence = summary_first(sequence, inputs["input_mask"])
        span_logits = self.span(sequence)  # [n, s, 2]
        return {
            "start_logits": span_logits[:, :, 0],
            "end_logits": span_logits[:, :, 1],
            "answer_type_logits": self.answer_type(sequence[:, 0] if pooled is None else pooled),
        }
