"""The encoders: what all families share stands once, and one file a family holds what its own code is."""

from __future__ import annotations

from typing import NamedTuple

from nqperf.model.encoders.albert import AlbertEmbeddings
from nqperf.model.encoders.blocks import EncoderBlock
from nqperf.model.encoders.embeddings import Embeddings
from nqperf.model.encoders.gpt2 import Gpt2Block, Gpt2Embeddings
from nqperf.model.encoders.roberta import RobertaEmbeddings


class Parts(NamedTuple):
    """The layers that a family's network is made of: its `embeddings`, and the `block` that is repeated."""

    embeddings: type[Embeddings] = Embeddings
    block: type[EncoderBlock] = EncoderBlock


# By model_type; what DistilBERT lacks, its configuration says.
PARTS = {
    "bert": Parts(),
    "albert": Parts(embeddings=AlbertEmbeddings),
    "distilbert": Parts(),
    "roberta": Parts(embeddings=RobertaEmbeddings),
    "gpt2": Parts(embeddings=Gpt2Embeddings, block=Gpt2Block),
}
