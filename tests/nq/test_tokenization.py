import unicodedata

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from nqperf.errors import ConfigError
from nqperf.nq import tokenization
from nqperf.nq.tokenization import SentencePieceVocabulary, Tokenizer, is_marker
from nqperf.nq.wordpiece import WordPieceVocabulary, basic_tokens
from tests import strategies
from tests.references.features import pieces_of

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[Q]",
    "[ContextId=1]",
    "un",
    "##known",
    "##s",
    "known",
    "a",
    ".",
    "a.b",
]
word_lists = st.lists(strategies.words, max_size=12)


@given(words=word_lists)
def test_the_token_map_goes_there_and_back(tokenizer, words):
    pieces = tokenizer.encode(words)
    piece_word = pieces.piece_word()
    assert len(pieces.starts) == len(words) + 1
    assert len(piece_word) == len(pieces.ids) == pieces.starts[-1]
    for number, word in enumerate(words):
        own = slice(pieces.starts[number], pieces.starts[number + 1])
        assert pieces.ids[own].tolist() == pieces_of(word, tokenizer)
        assert (piece_word[own] == number).all()


@given(words=word_lists, more=word_lists)
def test_the_cache_never_shows(sentencepiece, words, more):
    together = Tokenizer(sentencepiece.vocabulary)
    fresh = Tokenizer(sentencepiece.vocabulary)
    together.encode(more)
    assert together.encode(words).ids.tolist() == fresh.encode(words).ids.tolist()


def test_a_full_cache_is_emptied(wordpiece, monkeypatch):
    monkeypatch.setattr(tokenization, "MAX_CACHED_WORDS", 3)
    tokenizer = Tokenizer(wordpiece.vocabulary)
    words = ["river", "hill", "ada", "lake", "river"]
    expected = wordpiece.encode(words).ids
    for _ in range(3):
        assert np.array_equal(tokenizer.encode(words).ids, expected)
    tokenizer.encode(["who"])
    assert len(tokenizer._row_of) == 1


@pytest.mark.parametrize("kind", ["sentencepiece", "wordpiece"])
def test_a_word_may_have_no_piece(kind, request):
    tokenizer = request.getfixturevalue(kind)
    pieces = tokenizer.encode(["", "river", "\u200b", " "])
    assert np.diff(pieces.starts).tolist()[::2] == [0, 0]
    assert set(pieces.piece_word().tolist()) == {1}


def test_markers_are_looked_up_whole(tokenizer):
    pieces = tokenizer.encode(["[Q]", "[ContextId=1]", "[Strange=1]", "[]"])
    unknown = tokenizer.vocabulary.unknown_id
    found = [tokenizer.vocabulary.find(word) for word in ("[Q]", "[ContextId=1]")]
    assert found[0] == tokenizer.question_id
    assert pieces.ids.tolist() == [*(unknown if one is None else one for one in found), unknown, unknown]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("[Q]", True),
        ("[]", True),
        ("[", False),
        ("]", False),
        ("", False),
        ("[a b]", False),
        ("[a", False),
        ("a]", False),
    ],
)
def test_what_a_marker_is(word, expected):
    assert is_marker(word) is expected


@pytest.mark.parametrize("lacking", ["[CLS]", "[SEP]", "[Q]"])
def test_a_vocabulary_without_special_pieces_is_refused(lacking):
    vocabulary = WordPieceVocabulary([piece for piece in VOCABULARY if piece != lacking])
    with pytest.raises(ConfigError, match=lacking[1:-1]):
        Tokenizer(vocabulary)


def test_a_wordpiece_vocabulary_without_unknown_is_refused():
    with pytest.raises(ConfigError, match="UNK"):
        WordPieceVocabulary(["a"])


def test_a_piece_that_stands_twice_has_the_id_of_its_last_line():
    vocabulary = WordPieceVocabulary([*VOCABULARY, "known"])
    assert vocabulary.encode(["known"]) == [[len(VOCABULARY)]]
    assert vocabulary.size == len(VOCABULARY) + 1


def test_what_is_no_sentencepiece_model_is_refused():
    with pytest.raises(ConfigError, match="not a SentencePiece model"):
        SentencePieceVocabulary(b"nothing")


def test_sentencepiece_finds_its_unknown_piece_by_name_alone(sentencepiece):
    vocabulary = sentencepiece.vocabulary
    assert vocabulary.find("<unk>") == vocabulary.unknown_id
    assert vocabulary.find("no such piece") is None


def wordpieces(word, *, lower_case=True):
    ids = WordPieceVocabulary(VOCABULARY, lower_case=lower_case).encode([word])[0]
    return [VOCABULARY[number] for number in ids]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("unknowns", ["un", "##known", "##s"]),
        ("KNOWN", ["known"]),
        ("Unknown.a", ["un", "##known", ".", "a"]),
        ("a.b", ["a", ".", "[UNK]"]),  # split at punctuation first, though the vocabulary has it whole
        ("xyz", ["[UNK]"]),
        ("\u00e5", ["a"]),
        ("", []),
        ("\t\u00a0\u200d", []),
        ("a" * 200, ["[UNK]"]),
        ("known" + "s" * 195, ["known", *["##s"] * 195]),
        ("known" + "s" * 196, ["[UNK]"]),  # 201 characters
        ("known." + "s" * 201, ["known", ".", "[UNK]"]),
    ],
)
def test_wordpiece(word, expected):
    assert wordpieces(word) == expected


def test_a_cased_vocabulary_keeps_case_and_accents():
    assert wordpieces("Known", lower_case=False) == ["[UNK]"]
    assert wordpieces("known", lower_case=False) == ["known"]
    assert basic_tokens("\u00c5b", lower_case=False) == ["\u00c5b"]


# Where the `tokenizers` normaliser is known to part from Google's code.
def _differs(character):
    category = unicodedata.category(character)
    # It drops all of C*, Google's code only Cc and Cf; line and paragraph separators are white space to it and kept by
    # Google's; its Unicode tables are older or newer than Python's.
    return category in ("Co", "Cn", "Zl", "Zp") or character in "\u0130\u03a3" or ord(character) > 0x1_0000


def _hugging_face(text, *, lower_case):
    normalised = BertNormalizer(lowercase=lower_case).normalize_str(text)
    return [token for token, _ in BertPreTokenizer().pre_tokenize_str(normalised)]


@given(text=st.text(max_size=30), lower_case=st.booleans())
def test_basic_tokens_are_those_of_hugging_face_where_both_agree(text, lower_case):
    assume(not any(map(_differs, text)))
    assume(all(unicodedata.category(one) != "Cn" for one in unicodedata.normalize("NFD", text.lower())))
    assert basic_tokens(text, lower_case=lower_case) == _hugging_face(text, lower_case=lower_case)


@given(text=st.text(alphabet=st.characters(max_codepoint=127), max_size=30), lower_case=st.booleans())
def test_basic_tokens_of_ascii_are_those_of_hugging_face(text, lower_case):
    assert basic_tokens(text, lower_case=lower_case) == _hugging_face(text, lower_case=lower_case)


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        ("a\ue000b", ["a\ue000b"], ["ab"]),  # private use: kept, dropped there
        ("\u039f\u03a3", ["\u03bf\u03c2"], ["\u03bf\u03c3"]),  # a final capital sigma: Python lowers by context
    ],
)
def test_listed_differences_from_hugging_face(text, ours, theirs):
    assert basic_tokens(text, lower_case=True) == ours
    assert _hugging_face(text, lower_case=True) == theirs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't!", ["don", "'", "t", "!"]),
        ("\u4e2d\u6587ab", ["\u4e2d", "\u6587", "ab"]),
        ("a\u3400b", ["a", "\u3400", "b"]),
        ("x\U00020000y\uf900", ["x", "\U00020000", "y", "\u8c48"]),
        ("Caf\u00e9\u2014Na\u00efve", ["cafe", "\u2014", "naive"]),
        ("a\x00\ufffd\x07b", ["ab"]),
        ("$^+`", ["$", "^", "+", "`"]),
        ("\u20ac5", ["\u20ac5"]),  # a currency sign is no punctuation beyond ASCII
        ("\u037e", [";"]),  # the Greek question mark decomposes into a semicolon
    ],
)
def test_basic_tokens(text, expected):
    assert basic_tokens(text, lower_case=True) == expected
