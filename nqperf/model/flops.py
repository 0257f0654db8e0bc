"""What a network costs: the floating-point operations of its matrix products, from its configuration."""

from __future__ import annotations

from nqperf.model.config import BertConfig
from nqperf.nq.answers import ANSWER_TYPES

# A multiplication and an addition.
_PER_TERM = 2
_SPAN = 2


def window_flops(config: BertConfig, seq_length: int) -> int:
    """Return the operations of all matrix products for one window of `seq_length` positions, padding counted.

    `config` is the network's. What is not a product (softmax, normalisation, activations, look-ups) is left out, as a
    roofline has it.
    """
    hidden, inner, width = config.hidden_size, config.intermediate_size, config.embedding_width
    heads = config.attention_size
    projections = 4 * hidden * heads  # query, key, value and output
    attention = 2 * seq_length * heads  # scores, and the mixing of values, over all heads
    feed_forward = 2 * hidden * inner
    of_position = len(config.block_order) * (projections + attention + feed_forward) + hidden * _SPAN
    if width != hidden:
        of_position += width * hidden
    of_window = hidden * len(ANSWER_TYPES) + (hidden * hidden if config.has_pooler else 0)
    return _PER_TERM * (seq_length * of_position + of_window)
