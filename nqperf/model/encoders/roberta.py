"""RoBERTa's own part: where its positions begin."""

from __future__ import annotations

from typing import Any

from keras import ops

from nqperf.model.encoders.embeddings import Embeddings
from nqperf.model.families import RobertaConfig


class RobertaEmbeddings(Embeddings):
    """Embeddings whose positions count the real pieces, from the padding's id + 1 on; padding stands at its id.

    `config` has the sizes of the tables and the padding's id; `name` is the layer's.
    """

    def __init__(self, config: RobertaConfig, *, name: str) -> None:
        super().__init__(config, name=name)
        self.pad_token_id = config.pad_token_id

    def position_ids(self, input_ids: Any) -> Any:
        """Return the row of the position table for each piece of `input_ids`: int[n, s] -> int[n, s]."""
        real = ops.cast(ops.not_equal(input_ids, self.pad_token_id), input_ids.dtype)  # [n, s]
        return ops.cumsum(real, axis=1) * real + self.pad_token_id
