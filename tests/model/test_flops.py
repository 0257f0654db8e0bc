"""The operations of every family, held to what a network's own products come to, one by one, counted by hand."""

import dataclasses

import pytest

from nqperf.model.flops import window_flops
from tests.families import CONFIGS

# hidden 24, inner 40, 4 heads of 6, 2 layers; 10 positions. A product of [m, k] and [k, n] has 2mkn operations.
PROJECTION = 2 * 10 * 24 * 24
HEAD_SCORES = HEAD_MIXING = 2 * 10 * 6 * 10
WIDEN_OR_NARROW = 2 * 10 * 24 * 40
BLOCK = 4 * PROJECTION + 4 * (HEAD_SCORES + HEAD_MIXING) + 2 * WIDEN_OR_NARROW
HEADS = 2 * 10 * 24 * 2 + 2 * 24 * 5
POOLER = 2 * 24 * 24
BY_HAND = {
    "bert": 2 * BLOCK + POOLER + HEADS,
    # Each of its 2 layers runs both blocks of the one group; its embeddings of 16 are widened to 24.
    "albert": 4 * BLOCK + 2 * 10 * 16 * 24 + POOLER + HEADS,
    "distilbert": 2 * BLOCK + HEADS,
    "roberta": 2 * BLOCK + POOLER + HEADS,
    # Query, key and value are one product of [10, 24] and [24, 72]: as much as the three.
    "gpt2": 2 * BLOCK + HEADS,
}


@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_is_what_is_counted_by_hand(family):
    assert window_flops(CONFIGS[family], 10) == BY_HAND[family]


def test_heads_that_are_narrower_than_the_stream_cost_less():
    config = dataclasses.replace(CONFIGS["bert"], num_attention_heads=3, head_dim=6)
    block = 4 * 2 * 10 * 24 * 18 + 3 * (HEAD_SCORES + HEAD_MIXING) + 2 * WIDEN_OR_NARROW
    assert window_flops(config, 10) == 2 * block + POOLER + HEADS


def test_attention_alone_grows_with_the_square_of_the_length():
    config = CONFIGS["bert"]
    ten, twenty, forty = (window_flops(config, length) for length in (10, 20, 40))
    square = 2 * 2 * config.num_hidden_layers * config.hidden_size
    assert forty - 2 * twenty - (twenty - 2 * ten) * 2 == square * (1600 - 800 - 2 * (400 - 200)) + (
        (2 * 24 * 5 + POOLER) * (1 - 2 - 2 * (1 - 2))
    )


def test_bert_base_is_what_is_published():
    base = dataclasses.replace(
        CONFIGS["bert"],
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
        max_position_embeddings=512,
    )
    # 85 million weights in the blocks, 2 operations each and position, and 12 * 4 * 128 * 768 for attention.
    assert window_flops(base, 128) == pytest.approx(22.5e9, rel=0.01)
