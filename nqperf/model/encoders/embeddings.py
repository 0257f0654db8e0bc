"""From pieces to the residual stream: the tables that are looked up, added and normalised."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from nqperf.model.config import BertConfig
from nqperf.model.encoders.blocks import Composed, LayerNorm, initializer
from nqperf.model.precision import WIDE


class Embeddings(Composed):
    """Word, position and segment embeddings, added and normalised: int[n, s] -> float32[n, s, h].

    They are float32 under every precision, as there is no product to speed up: a 16-bit policy would round the whole
    table in every batch to look up a few rows. A family without token types reads row 0 for all pieces, or has no such
    table.
    `config` has the sizes of the tables; `name` is the layer's.
    """

    normalised: ClassVar[bool] = True

    def __init__(self, config: BertConfig, *, name: str) -> None:
        super().__init__(dtype=WIDE, name=name)
        self.has_token_types = config.has_token_types
        width = config.embedding_width
        table = {"embeddings_initializer": initializer(config), "dtype": WIDE}
        self.word = keras.layers.Embedding(config.vocab_size, width, name="word", **table)
        self.position = keras.layers.Embedding(config.max_position_embeddings, width, name="position", **table)
        self.segment = None
        if config.type_vocab_size:
            self.segment = keras.layers.Embedding(config.type_vocab_size, width, name="segment", **table)
        self.norm = LayerNorm(config, name="norm") if self.normalised else None
        self.dropout = keras.layers.Dropout(config.hidden_dropout_prob, dtype=WIDE, name="dropout")

    def call(self, input_ids: Any, segment_ids: Any, training: bool | None = None) -> Any:
        embedded = self.word(input_ids) + self.position(self.position_ids(input_ids))  # [n, s, h]
        if self.segment is not None:
            embedded = embedded + self.segment(segment_ids if self.has_token_types else ops.zeros_like(segment_ids))
        if self.norm is not None:
            embedded = self.norm(embedded)
        return self.dropout(embedded, training=training)

    def position_ids(self, input_ids: Any) -> Any:
        """Return the row of the position table for each piece of `input_ids`, int[n, s]: int[s] or int[n, s]."""
        return ops.arange(input_ids.shape[1], dtype=input_ids.dtype)
