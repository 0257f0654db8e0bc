"""The vocabulary is a function of its texts, and its embeddings are means of WordPieces'."""

import numpy as np
import pytest

from nqperf.errors import ConfigError
from nqperf.nq.context import ContextConfig, marker_words
from nqperf.nq.tokenization import SentencePieceVocabulary, Tokenizer
from nqperf.training.sources import Source
from nqperf.training.vocabulary import VocabularyConfig, train_vocabulary, transfer_embeddings, wordpiece_ids

WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "river", "##s", "para", "##graph", "3", "##3", "a", "##a", "context"]
INDEX = {piece: number for number, piece in enumerate(WORDPIECES)}


def test_the_same_texts_give_the_same_bytes(tokenizer_bytes):
    source = Source(kind="world", examples=40)
    assert train_vocabulary(source.texts(), VocabularyConfig(pieces=700)) == tokenizer_bytes


def test_ids_and_markers_are_where_a_model_folder_wants_them(tokenizer_bytes):
    vocabulary = SentencePieceVocabulary(tokenizer_bytes)
    assert [vocabulary.find(piece) for piece in ("<pad>", "<unk>", "[CLS]", "[SEP]", "[Q]")] == [0, 1, 2, 3, 4]
    markers = marker_words(ContextConfig(), max_context_id=99)
    ids = Tokenizer(vocabulary).encode(markers).ids.tolist()
    assert ids == list(range(5, 5 + len(markers)))


def test_a_number_is_never_one_piece(tokenizer_bytes):
    pieces = Tokenizer(SentencePieceVocabulary(tokenizer_bytes)).encode(["7", "1818", "12,500"])
    assert min(np.diff(pieces.starts)) >= 2


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("\u2581rivers", ["river", "##s"]),
        ("\u2581Rivers", ["river", "##s"]),
        ("s", ["##s"]),
        ("\u2581\u00e1", ["a"]),  # accents are no part of WordPieces
        ("\u00e1", ["##a"]),
        ("\u2581", ["[UNK]"]),
        ("\u2581zq", ["[UNK]"]),
        ("<pad>", ["[PAD]"]),
        ("<unk>", ["[UNK]"]),
        ("[CLS]", ["[CLS]"]),
        ("[Paragraph=3]", ["para", "##graph", "3"]),
        ("[ContextId=33]", ["context", "3", "##3"]),
    ],
)
def test_a_piece_is_spelt_by_the_longest_wordpieces(piece, expected):
    assert [WORDPIECES[number] for number in wordpiece_ids(piece, INDEX)] == expected


def test_an_embedding_is_the_mean_of_its_wordpieces(tokenizer_bytes):
    embeddings = np.random.default_rng(0).standard_normal((len(WORDPIECES), 6)).astype(np.float32)
    transferred = transfer_embeddings(tokenizer_bytes, WORDPIECES, embeddings)
    vocabulary = SentencePieceVocabulary(tokenizer_bytes)
    assert transferred.shape == (vocabulary.size, 6)
    for piece in ("[Paragraph=3]", "[CLS]", "\u2581river", "\u2581", "s"):
        wanted = embeddings[wordpiece_ids(piece, INDEX)].mean(axis=0)
        number = vocabulary.find(piece)
        if number is not None:
            np.testing.assert_array_equal(transferred[number], wanted)


def test_too_few_pieces_are_refused():
    with pytest.raises(ConfigError, match="are symbols; expected"):
        VocabularyConfig(pieces=400)
