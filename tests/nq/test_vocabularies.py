import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer as Library
from tokenizers import models

from nqperf.errors import ConfigError
from nqperf.nq.features import FeatureConfig, question_ids
from nqperf.nq.library import LibraryVocabulary
from nqperf.nq.library_tokenizers import byte_level_tokenizer, library_tokenizer
from nqperf.nq.tokenization import Tokenizer
from nqperf.nq.vocabularies import AlbertVocabulary

texts = st.text(st.characters(exclude_characters="[]<>", exclude_categories=["Cs"]), max_size=20)


def from_json(content):
    return LibraryVocabulary(library_tokenizer(content))


def from_merges(pieces, merges):
    return LibraryVocabulary(byte_level_tokenizer(pieces, merges))


@pytest.fixture(scope="module")
def golden(shared):
    folder = shared / "reference" / "encoders" / "roberta-tokenizer"
    if not folder.is_dir():
        pytest.skip("../shared/reference/encoders is not here")
    return folder


def golden_vocabularies(folder):
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    pieces = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    return [
        from_json((folder / "tokenizer.json").read_text(encoding="utf-8")),
        from_merges(pieces, [tuple(line.split(" ")) for line in lines]),
    ]


def test_pieces_are_hugging_faces(golden):
    cases = [json.loads(line) for line in (golden / "golden.jsonl").read_text(encoding="utf-8").split("\n") if line]
    singles = [case for case in cases if "pair" not in case]
    assert len(singles) >= 9
    for vocabulary in golden_vocabularies(golden):
        tokenizer = Tokenizer(vocabulary)
        for case in singles:
            assert tokenizer.encode_question(case["text"]).tolist() == case["input_ids"][1:-1]
        (pair,) = [case for case in cases if "pair" in case]
        question = question_ids(pair["text"], tokenizer, FeatureConfig()).tolist()
        framed = [tokenizer.cls_id, *question, *[tokenizer.sep_id] * tokenizer.separators]
        assert framed == pair["input_ids"][: len(framed)]
        assert (tokenizer.cls_id, tokenizer.pad_id, tokenizer.sep_id, vocabulary.unknown_id) == (0, 1, 2, 3)


@given(text=texts)
def test_words_give_the_pieces_of_their_text(byte_level_files, text):
    """Word by word is the whole text at once, as long as no spaces stand together: the library may join them."""
    text = " ".join(text.split())
    library = Library.from_file(str(byte_level_files["roberta"]))
    tokenizer = Tokenizer(from_json(byte_level_files["roberta"].read_text(encoding="utf-8")))
    assert tokenizer.encode_question(text).tolist()[1:] == library.encode(text, add_special_tokens=False).ids


@given(word=texts)
def test_no_text_is_unknown_to_bytes(gpt2_pieces, word):
    vocabulary = gpt2_pieces.vocabulary
    (ids,) = vocabulary.encode([word])
    assert vocabulary._tokenizer.decoder is None
    spelt = "".join(vocabulary._tokenizer.id_to_token(number) for number in ids)
    from tokenizers.decoders import ByteLevel

    assert ByteLevel().decode([spelt]) == f" {word}"


def test_each_family_frames_inputs_its_own_way(roberta_pieces, gpt2_pieces, sentencepiece):
    assert (roberta_pieces.separators, gpt2_pieces.separators, sentencepiece.separators) == (2, 1, 1)
    find = roberta_pieces.vocabulary.find
    framing = (roberta_pieces.cls_id, roberta_pieces.sep_id, roberta_pieces.pad_id, roberta_pieces.question_id)
    assert framing == (find("<s>"), find("</s>"), find("<pad>"), find("[Q]"))
    end = gpt2_pieces.vocabulary.find("<|endoftext|>")
    assert {gpt2_pieces.cls_id, gpt2_pieces.sep_id, gpt2_pieces.pad_id, gpt2_pieces.vocabulary.unknown_id} == {end}
    assert gpt2_pieces.question_id is None


def test_an_empty_word_is_the_space_before_it(roberta_pieces):
    pieces = roberta_pieces.encode(["river", "", "river"])
    assert pieces.starts.tolist()[-1] == len(pieces.ids)
    assert roberta_pieces.vocabulary.encode([""], opening=True) == [[]]
    assert roberta_pieces.vocabulary.encode([""]) == [[roberta_pieces.vocabulary.find("\u0120")]]


@pytest.mark.parametrize(
    "content", ["nothing", "[]", "{}", '{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel"}}']
)
def test_what_the_library_cannot_read_is_refused(content):
    with pytest.raises(ConfigError, match="no tokenizer that can be read"):
        from_json(content)


def test_merges_and_pieces_must_fit_each_other():
    pieces = {piece: number for number, piece in enumerate(["<s>", "</s>", "<pad>", "<unk>", "a", "b", "ab"])}
    assert from_merges(pieces, [("a", "b")]).encode(["ab"], opening=True) == [[6]]
    with pytest.raises(ConfigError, match="merges do not fit the vocabulary"):
        from_merges(pieces, [("a", "c")])
    for lacking in ("<s>", "<unk>"):
        with pytest.raises(ConfigError, match=f"lacks .*{lacking}"):
            from_merges({one: n for one, n in pieces.items() if one != lacking}, [])
    with pytest.raises(ConfigError, match=r"lacks </s>; expected one made for BERT Joint, with <s>, </s>, <pad>"):
        Tokenizer(from_merges({one: n for one, n in pieces.items() if one != "</s>"}, []))


@pytest.fixture(scope="module")
def albert_model():
    """Train a small SentencePiece model that lower-cases nothing, with numbers and commas in it."""
    model = io.BytesIO()
    lines = [f"the river {number},{number + 1}, was built in 18{number:02}, by a quill" for number in range(60)]
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=90,
        hard_vocab_limit=False,
        user_defined_symbols=["[CLS]", "[SEP]"],
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        character_coverage=1.0,
        minloglevel=2,
    )
    return model.getvalue()


def spelt(vocabulary, word):
    return [vocabulary._processor.id_to_piece(number) for number in vocabulary.encode([word])[0]]


def test_albert_prepares_words_by_its_authors_rules(albert_model):
    vocabulary = AlbertVocabulary(albert_model)
    assert spelt(vocabulary, "RIVER") == spelt(vocabulary, "r\u00edver") == spelt(vocabulary, "river")
    assert vocabulary.prepared("``a''") == '"a"'
    assert AlbertVocabulary(albert_model, lower_case=False).prepared("R\u00edo") == "Rio"


@pytest.mark.parametrize("word", ["1850,", "12,13,", "7,", ",", "river,"])
def test_albert_cuts_the_comma_off_a_number(albert_model, word):
    pieces = spelt(AlbertVocabulary(albert_model), word)
    assert "".join(pieces) == f"\u2581{word}"
    assert not [piece for piece in pieces if piece.endswith(",") and piece[-2:-1].isdigit()]


def test_a_plain_vocabulary_of_berts_kind_needs_no_question_marker(albert_model):
    vocabulary = AlbertVocabulary(albert_model)
    with pytest.raises(ConfigError, match=r"lacks \[Q\]"):
        Tokenizer(vocabulary)
    plain = Tokenizer(vocabulary, plain=True)
    assert plain.encode_question("the river").tolist() == plain.encode(["the", "river"]).ids.tolist()


def test_a_padding_of_a_billion_is_gone_before_a_word_is_cut():
    """Each word that is tried while a folder is opened would take gigabytes."""
    plain = Library(models.WordPiece({"[UNK]": 0, "kea": 1}))
    plain.enable_padding(length=10**9)
    plain.enable_truncation(max_length=1)
    found = library_tokenizer(plain.to_str())
    assert (found.padding, found.truncation) == (None, None)
