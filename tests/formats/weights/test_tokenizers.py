import dataclasses

import pytest

from nqperf.errors import FormatError
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.tokenizer_file import TOKENIZERS, find_tokenizer
from nqperf.formats.weights.tokenizers import load_tokenizer, read_tokenizer
from nqperf.formats.weights.vocabulary_checks import check_vocabulary
from nqperf.nq.library import GPT2_PIECES, ROBERTA_PIECES
from nqperf.nq.tokenization import SentencePieceVocabulary
from nqperf.nq.wordpiece import WordPieceVocabulary
from tests.families import CONFIGS

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


def copied(paths, folder):
    for path in paths:
        (folder / path.name).write_bytes(path.read_bytes())


def test_byte_level_files_are_known_by_their_names(byte_level_files, tmp_path):
    pair = byte_level_files["gpt2"]
    assert load_tokenizer(pair).vocabulary.special == GPT2_PIECES
    assert load_tokenizer(byte_level_files["roberta"]).vocabulary.special == ROBERTA_PIECES
    copied([pair, pair.with_name("merges.txt"), byte_level_files["roberta"]], tmp_path)
    both = find_tokenizer(FolderFiles(tmp_path), TOKENIZERS)
    assert both.path.name == "tokenizer.json"  # it knows the pieces that were added, too
    assert find_tokenizer(FolderFiles(pair.parent), TOKENIZERS).names() == ("vocab.json", "merges.txt")


def test_a_damaged_tokenizer_json_is_no_reason_to_read_what_stands_beside_it(wordpiece_file, tmp_path):
    copied([wordpiece_file], tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "WordPiece"}}')
    found = find_tokenizer(FolderFiles(tmp_path), TOKENIZERS)
    assert (found.kind, found.path.name, found.twin) == ("wordpiece", "tokenizer.json", "vocab.txt")
    with pytest.raises(FormatError, match=r"tokenizer\.json: is no tokenizer that can be read"):
        read_tokenizer(found)


def test_vocabularies_of_two_families_are_refused(byte_level_files, wordpiece_file, tmp_path):
    copied([wordpiece_file, byte_level_files["roberta"]], tmp_path)
    with pytest.raises(FormatError, match=r"several tokenizers \(vocab.txt, tokenizer.json\)"):
        find_tokenizer(FolderFiles(tmp_path), TOKENIZERS)


@pytest.mark.parametrize("twin", [False, True])
def test_missing_merges_are_named(byte_level_files, tmp_path, twin):
    copied([byte_level_files["gpt2"], *([byte_level_files["roberta"]] if twin else [])], tmp_path)
    for read in (
        lambda: find_tokenizer(FolderFiles(tmp_path), TOKENIZERS),
        lambda: load_tokenizer(tmp_path / "vocab.json"),
    ):
        with pytest.raises(FormatError, match=r"merges.txt: is missing beside vocab.json"):
            read()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("vocab.json", b"[]", "vocab.json: Expected `object`, got `array`; expected pieces and their ids"),
        ("vocab.json", b'{"a": "b"}', "vocab.json, .*Expected `int`, got `str`; expected pieces and their ids"),
        ("vocab.json", b"{}", "do not fit the vocabulary"),
        ("merges.txt", b"a b c\n", "merges.txt, line 1: holds 3 pieces; expected two a line"),
        ("merges.txt", b"\xff\n", "merges.txt: is not UTF-8"),
        ("merges.txt", b"#version: 0.2\nqqqq zzzz\n", "do not fit the vocabulary"),
    ],
)
def test_damaged_halves_are_refused_by_name(byte_level_files, tmp_path, name, content, said):
    pair = byte_level_files["gpt2"]
    copied([pair, pair.with_name("merges.txt")], tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=said):
        load_tokenizer(tmp_path / "vocab.json")


@pytest.mark.parametrize(
    ("family", "kind", "said"),
    [
        ("bert", "roberta", "is byte-level BPE .* network of bert reads WordPiece"),
        ("roberta", "wordpiece", "is WordPiece .* network of roberta reads byte-level BPE"),
        ("distilbert", "gpt2", "is byte-level BPE .* network of distilbert reads WordPiece"),
        ("gpt2", "roberta", r"frames inputs by <s>.* a network of gpt2 reads one with <\|endoftext\|>"),
        ("roberta", "gpt2", r"frames inputs by <\|endoftext\|>.* a network of roberta reads one with <s>"),
    ],
)
def test_the_vocabulary_of_another_family_is_refused(byte_level_files, wordpiece_file, family, kind, said):
    path = wordpiece_file if kind == "wordpiece" else byte_level_files[kind]
    file = find_tokenizer(FolderFiles(path.parent), (path.name,))
    config = dataclasses.replace(CONFIGS[family], vocab_size=file.vocabulary_size())
    with pytest.raises(FormatError, match=said):
        check_vocabulary(file, config)
