import pytest

from nqperf.errors import FormatError
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.nq.tokenization import SentencePieceVocabulary, WordPieceVocabulary

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[Q]", "river"]


def test_each_kind_is_known_by_its_file(sentencepiece_file, wordpiece_file, model_folder):
    assert isinstance(load_tokenizer(sentencepiece_file).vocabulary, SentencePieceVocabulary)
    assert isinstance(load_tokenizer(wordpiece_file).vocabulary, WordPieceVocabulary)
    assert isinstance(load_tokenizer(model_folder).vocabulary, SentencePieceVocabulary)


def test_the_sentencepiece_fixture_has_the_ids_of_a_model_folder(sentencepiece):
    ids = [sentencepiece.vocabulary.find(piece) for piece in ("<pad>", "<unk>", "[CLS]", "[SEP]", "[Q]")]
    assert ids == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends_are_no_part_of_pieces(tmp_path, end, last):
    path = tmp_path / "vocab.txt"
    path.write_bytes((end.join(PIECES) + (end if last else "")).encode())
    vocabulary = load_tokenizer(path).vocabulary
    assert (vocabulary.size, vocabulary.find("river")) == (6, 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks .UNK"),
        (b"\xff\xfe", "is not UTF-8"),
        ("\n".join(PIECES[:4]).encode(), "lacks .Q"),
        ("\n".join([*PIECES, "river"]).encode(), "'river' twice"),
    ],
)
def test_what_is_no_vocabulary_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        load_tokenizer(path)
    assert caught.value.path == str(path)


def test_other_paths_are_refused(tmp_path):
    (tmp_path / "broken.model").write_bytes(b"nothing")
    for path, message in {
        tmp_path / "none": "no such file or folder",
        tmp_path: "config.json",
        tmp_path / "broken.model": "not a SentencePiece model",
    }.items():
        with pytest.raises(FormatError, match=message):
            load_tokenizer(path)
