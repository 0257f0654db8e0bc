"""ALBERT's own part: embeddings narrower than the stream. Which layers share a block, its configuration says."""

from __future__ import annotations

from typing import Any

from nqperf.model.config import BertConfig
from nqperf.model.encoders.blocks import dense
from nqperf.model.encoders.embeddings import Embeddings
from nqperf.model.precision import WIDE


class AlbertEmbeddings(Embeddings):
    """Embeddings of their own width, normalised and then widened to the stream's: int[n, s] -> float32[n, s, h].

    The widening is float32, as what it gives is the stream itself, and it is a thousandth of the products.
    `config` has both widths and the sizes of the tables; `name` is the layer's.
    """

    def __init__(self, config: BertConfig, *, name: str) -> None:
        super().__init__(config, name=name)
        self.widen = dense(config, config.hidden_size, WIDE, "widen")

    def call(self, input_ids: Any, segment_ids: Any, training: bool | None = None) -> Any:
        return self.widen(super().call(input_ids, segment_ids, training=training))
