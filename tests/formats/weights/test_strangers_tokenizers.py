"""Tokenizers as people have them: all that a folder says is honoured, or refused by name."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from nqperf.cli.main import main
from nqperf.errors import ConfigError, FormatError
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.folder_files import FolderFiles
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tokenizer_file import TOKENIZERS, find_tokenizer, read_tokenizer
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.nq.vocabularies import AlbertVocabulary
from tests.documents import river_examples, write_lines
from tests.texts import random_texts

STRANGERS = Path(__file__).with_name("strangers") / "models"
FRAMING = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNKNOWN = {"unk_token": "[UNK]"}


@pytest.fixture
def stranger(tmp_path):
    """Return a function that copies one of the folders, to be changed."""

    def copied(name):
        shutil.copytree(STRANGERS / name, tmp_path / name)
        return tmp_path / name

    return copied


def asked(tokenizer, text):
    return tokenizer.encode_question(text).tolist()


def write(folder, **files):
    for name, fields in files.items():
        (folder / f"{name}.json").write_text(json.dumps(fields))


def edit(folder, name, change):
    fields = json.loads((folder / name).read_text())
    change(fields)
    (folder / name).write_text(json.dumps(fields))


# The table: each folder gives its pieces by itself, and after a conversion.


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        ("cased_by_tokenizer_json_alone", "Kea caf\u00e9 New", [13, 12, 14]),
        ("cased_config_absent_field", "Kea caf\u00e9 New", [13, 12, 14]),
        ("strip_accents_false", "caf\u00e9 Kea", [12, 6]),
        ("tokenizer_json_only", "Kea caf\u00e9 New", [6, 11, 9]),
        ("vocab_padded", "Kea caf\u00e9 New", [6, 11, 9]),
        ("added_tokens", "kea [Q] [ContextId=-1] keas", [26, 6, 26, 27, 6, 15]),
        ("vocab_duplicate", "kea keas", [25, 25, 15]),
        ("albert_wordpiece", "the kea", [5, 6]),
        ("config_bom", "the kea", [5, 6]),
    ],
)
def test_a_folder_gives_its_pieces_before_and_after_a_conversion(tmp_path, name, text, ids):
    assert asked(load_tokenizer(STRANGERS / name), text) == ids
    convert(STRANGERS / name, tmp_path / "once")
    convert(tmp_path / "once", tmp_path / "twice")
    for folder in ("once", "twice"):
        assert asked(load_tokenizer(tmp_path / folder), text) == ids


def test_a_tokenizer_json_is_named_as_any_vocabulary(tmp_path):
    file = STRANGERS / "tokenizer_json_only" / "tokenizer.json"
    assert asked(load_tokenizer(file), "Kea caf\u00e9 New") == [6, 11, 9]
    shutil.copy(file, tmp_path / "ours.json")
    assert asked(load_tokenizer(tmp_path / "ours.json"), "Kea caf\u00e9 New") == [6, 11, 9]
    report = convert(STRANGERS / "vocab_padded", tmp_path / "out", tokenizer=tmp_path / "ours.json")
    assert report.tokenizer == tmp_path / "ours.json"
    assert asked(load_tokenizer(tmp_path / "out"), "Kea caf\u00e9 New") == [6, 11, 9]


def test_a_vocabulary_that_is_named_is_read_with_what_stands_beside_it():
    """Read by itself, this list would be lower-cased."""
    tokenizer = load_tokenizer(STRANGERS / "cased_by_tokenizer_json_alone")
    files = FolderFiles(STRANGERS / "cased_by_tokenizer_json_alone")
    assert find_tokenizer(files, ("vocab.txt",)).vocabulary.encode(["Kea"]) == tokenizer.vocabulary.encode(["Kea"])


def test_added_pieces_are_never_cut_in_any_vocabulary(stranger):
    folder = stranger("added_tokens")
    assert open_model(folder).require_tokenizer().vocabulary_size() == 28
    assert asked(load_tokenizer(folder), "a[Q]b")[1:] == [21, 26, 22]
    (folder / "tokenizer.json").unlink()
    assert asked(load_tokenizer(folder), "a[Q]b [ContextId=-1]")[1:] == [21, 26, 22, 27]
    (folder / "added_tokens.json").unlink()
    decoder = {"26": {"content": "[Q]", "special": True}, "27": {"content": "[ContextId=-1]", "special": True}}
    write(folder, tokenizer_config={"do_lower_case": True, "added_tokens_decoder": decoder})
    assert asked(load_tokenizer(folder), "a[Q]b [ContextId=-1]")[1:] == [21, 26, 22, 27]


def test_pieces_added_to_a_sentencepiece_model_are_never_cut(stranger):
    folder = stranger("albert_vocab_padded")
    write(folder, added_tokens={"[Q]": 35, "kea-bird": 36})
    tokenizer = load_tokenizer(folder)
    assert tokenizer.question_id == 35
    plain = SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    cut = [*plain.encode("the"), 36, *plain.encode("s")]
    assert tokenizer.vocabulary.encode(["the", "kea-birds"]) == [plain.encode("the"), cut[len(plain.encode("the")) :]]
    write(folder, added_tokens={"[Q]": 5})
    with pytest.raises(FormatError, match=r"added piece '\[Q\]' is to be 5, which is another piece"):
        load_tokenizer(folder)


def test_a_padded_table_is_told_and_a_table_too_small_is_refused(tmp_path, stranger):
    report = convert(STRANGERS / "vocab_padded", tmp_path / "out")
    assert any("26 pieces, the table of embeddings 32 rows" in note for note in report.notes)
    report = convert(STRANGERS / "albert_vocab_padded", tmp_path / "albert")
    assert any("35 pieces, the table of embeddings 64 rows" in note for note in report.notes)
    folder = stranger("vocab_padded")
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text() + "".join(f"more{n}\n" for n in range(7)))
    with pytest.raises(FormatError, match=r"vocab\.txt: has 33 pieces; expected at most 32"):
        convert(folder, tmp_path / "again")


def test_a_piece_twice_is_told(tmp_path):
    report = convert(STRANGERS / "vocab_duplicate", tmp_path / "out")
    assert any("pieces twice, and the last line of each counts: kea" in note for note in report.notes)


@pytest.mark.parametrize("fields", [None, {"tokenizer_class": "BertTokenizer"}])
def test_a_list_with_capital_letters_that_nothing_calls_cased_is_told_of(tmp_path, stranger, fields):
    folder = stranger("vocab_padded")
    if fields is not None:
        write(folder, tokenizer_config=fields)
    (note,) = [note for note in convert(folder, tmp_path / "out").notes if "lower-cased" in note]
    assert "3 pieces with capital letters are never found (Kea, New, Zealand)" in note
    write(folder, tokenizer_config={"do_lower_case": True})
    assert not [note for note in convert(folder, tmp_path / "out").notes if "lower-cased" in note]


def test_prepare_tells_of_a_named_list_with_capital_letters(tmp_path, capsys):
    pieces = [*FRAMING, "[Q]", "the", "Kea", "kea"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    data = write_lines(tmp_path / "data.jsonl", river_examples(1))
    options = ("--tokenizer", str(tmp_path / "vocab.txt"), "--out", str(tmp_path / "x.tfrecord"))
    main(["prepare", str(data), *options])
    assert "nqperf: note: words are lower-cased, for nothing says otherwise, and 1 piece" in capsys.readouterr().err
    main(["prepare", str(data), *options, "--quiet"])
    assert capsys.readouterr().err == ""


# Settings


def settings(folder, **fields):
    """Leave a folder with a vocab.txt and these settings."""
    (folder / "tokenizer.json").unlink(missing_ok=True)
    write(folder, tokenizer_config=fields)
    return load_tokenizer(folder)


@pytest.mark.parametrize(
    ("fields", "text", "ids"),
    [
        ({}, "Kea caf\u00e9", [6, 11]),
        ({"do_lower_case": False}, "Kea caf\u00e9 New", [13, 12, 14]),
        ({"do_lower_case": False, "strip_accents": True}, "Kea caf\u00e9", [13, 11]),
        ({"strip_accents": False}, "KEA caf\u00e9", [6, 12]),
        ({"tokenize_chinese_chars": False}, "\u65b0\u897f", [18]),
        ({"tokenize_chinese_chars": True}, "\u65b0\u897f", [16, 1]),
        ({"never_split": ["a,b"]}, "a,b a,a", [1, 21, 19, 21]),
        ({"never_split": ["Kea"]}, "Kea Keas", [13, 6, 15]),
        ({"do_basic_tokenize": False}, "Kea a,", [13, 1]),
        ({"max_input_chars_per_word": 3}, "kea keas", [6, 1]),
        ({"unk_token": "[MASK]"}, "zz", [4]),
        ({"tokenizer_class": "DistilBertTokenizerFast"}, "kea", [6]),
        ({"word_tokenizer_type": "basic", "subword_tokenizer_type": "wordpiece"}, "kea", [6]),
    ],
)
def test_settings_of_a_wordpiece_list_are_followed(stranger, fields, text, ids):
    assert asked(settings(stranger("cased_config_absent_field"), **fields), text) == ids


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"word_tokenizer_type": "mecab"}, "field word_tokenizer_type: is 'mecab'; expected 'basic'"),
        ({"subword_tokenizer_type": "character"}, "field subword_tokenizer_type: is 'character'"),
        ({"do_split_on_punc": False}, "field do_split_on_punc: is False; expected True"),
        ({"tokenizer_class": "BertJapaneseTokenizer"}, "field tokenizer_class: is BertJapaneseTokenizer, which cuts"),
        ({"tokenizer_class": "XLNetTokenizer"}, "field tokenizer_class: is XLNetTokenizer, which cuts"),
        ({"auto_map": {"AutoTokenizer": ["code.Tokenizer", None]}}, "field auto_map: names a tokenizer in Python code"),
        ({"auto_map": "code.AutoTokenizer"}, "field auto_map: names a tokenizer in Python code"),
        ({"do_lower_case": "false"}, "field do_lower_case: is 'false'; expected true or false"),
        ({"never_split": "kea"}, "field never_split: is 'kea'; expected a list of words"),
        ({"max_input_chars_per_word": -1}, "field max_input_chars_per_word: is '-1'; expected a count"),
        ({"added_tokens_decoder": {"7": {"content": "[Q]"}}}, r"added piece '\[Q\]' is to be 7, and the vocabulary"),
        ({"added_tokens_decoder": {"x": {"content": "[Q]"}}}, "field added_tokens_decoder: holds 'x'"),
        ({"cls_token": 3}, "field cls_token: is '3'; expected a piece"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused_by_name(stranger, fields, said):
    with pytest.raises(FormatError, match=said):
        settings(stranger("cased_config_absent_field"), **fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do_lower_case": True}, "says do_lower_case true"),
        ({"do_lower_case": False, "strip_accents": True}, "says strip_accents true"),
        ({"tokenize_chinese_chars": False}, "says tokenize_chinese_chars false"),
        ({"do_basic_tokenize": False}, "says do_basic_tokenize false"),
        ({"max_input_chars_per_word": 200}, "says max_input_chars_per_word 200"),
    ],
)
def test_settings_that_a_tokenizer_json_does_not_follow_are_refused(stranger, fields, said):
    folder = stranger("cased_by_tokenizer_json_alone")
    write(folder, tokenizer_config=fields)
    with pytest.raises(FormatError, match=rf"tokenizer_config\.json: {said}, and tokenizer\.json beside it"):
        load_tokenizer(folder)


def test_a_vocabulary_beside_a_tokenizer_json_must_hold_its_pieces(stranger):
    folder = stranger("cased_by_tokenizer_json_alone")
    lines = (folder / "vocab.txt").read_text().splitlines()
    (folder / "vocab.txt").write_text("\n".join([*lines[:5], "an", *lines[6:]]))
    with pytest.raises(FormatError, match=r"vocab\.txt: has 'an' as its piece 5, and tokenizer\.json .* none"):
        load_tokenizer(folder)
    (folder / "vocab.txt").write_text("\n".join(lines[:-1]))
    with pytest.raises(FormatError, match=r"vocab\.txt: has 25 pieces, and tokenizer\.json beside it 26"):
        load_tokenizer(folder)


def test_merges_beside_a_tokenizer_json_must_be_its_own(shared, tmp_path):
    source = shared / "reference" / "encoders" / "roberta-tokenizer"
    if not source.is_dir():
        pytest.skip("../shared/reference/encoders is not here")
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        shutil.copyfile(source / name, tmp_path / name)
    file = find_tokenizer(FolderFiles(tmp_path), TOKENIZERS)
    assert file.names() == ("tokenizer.json", "vocab.json", "merges.txt")
    assert file.vocabulary.size == 420
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").split("\n")
    lines[1:3] = lines[2:0:-1]
    (tmp_path / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FormatError, match=r"merges\.txt: has other merges than tokenizer\.json beside it"):
        load_tokenizer_of(tmp_path)


def test_a_sentencepiece_model_beside_a_tokenizer_json_must_hold_its_pieces(tmp_path):
    unigram(tmp_path, list(random_texts(200, seed=3)))
    (tmp_path / "spiece.model").write_bytes(sentencepiece_model(list(random_texts(300, seed=3))))
    with pytest.raises(FormatError, match=r"spiece\.model: has '.*' as its piece \d+, and tokenizer\.json beside it"):
        load_tokenizer_of(tmp_path)


def test_added_pieces_of_two_files_must_agree(stranger):
    folder = stranger("added_tokens")
    write(folder, added_tokens={"[Q]": 27, "[ContextId=-1]": 26})
    with pytest.raises(FormatError, match=r"tokenizer\.json: has '\[Q\]' as 26, and the files beside it as 27"):
        load_tokenizer(folder)


def test_our_own_lower_case_and_hugging_faces_must_agree(tmp_path):
    convert(STRANGERS / "vocab_padded", tmp_path / "out")
    edit(tmp_path / "out", "config.json", lambda fields: fields["nqperf"].update(lower_case=False))
    write(tmp_path / "out", tokenizer_config={"do_lower_case": True})
    with pytest.raises(FormatError, match=r"says do_lower_case true, and config\.json says lower_case false"):
        load_tokenizer(tmp_path / "out")


def test_longer_words_are_unknown_to_hugging_face_and_known_to_google(tmp_path, stranger):
    word = "a" * 150
    folder = stranger("vocab_padded")
    assert asked(load_tokenizer(folder), word) == [1]
    shutil.copy(folder / "vocab.txt", tmp_path / "vocab.txt")
    assert find_tokenizer(FolderFiles(tmp_path), TOKENIZERS).vocabulary.encode([word]) == [[21] + [23] * 149]


def test_a_byte_level_bpe_keeps_its_letters(byte_level_files, tmp_path):
    pair = byte_level_files["gpt2"]
    for path in (pair, pair.with_name("merges.txt")):
        shutil.copy(path, tmp_path)
    write(tmp_path, tokenizer_config={"do_lower_case": True})
    with pytest.raises(FormatError, match="field do_lower_case: is true; expected false"):
        load_tokenizer(tmp_path / "vocab.json")
    write(tmp_path, tokenizer_config={"add_prefix_space": True})
    spaced = load_tokenizer(tmp_path / "vocab.json")
    assert asked(spaced, "river") == spaced.encode(["river"]).ids.tolist()
    write(tmp_path, tokenizer_config={"add_prefix_space": False})
    assert asked(load_tokenizer(tmp_path / "vocab.json"), "river") != asked(spaced, "river")


def test_bert_with_robertas_network_is_read_where_the_folder_says_so(stranger):
    folder = stranger("cased_config_absent_field")
    edit(folder, "config.json", lambda fields: fields.update(model_type="roberta", pad_token_id=0))
    assert asked(load_tokenizer(folder), "Kea") == [13]
    (folder / "tokenizer_config.json").unlink()
    edit(folder, "config.json", lambda fields: fields.update(tokenizer_class="BertTokenizer"))
    assert asked(load_tokenizer(folder), "Kea") == [13]
    assert b"BertTokenizer" in open_model(folder).require_tokenizer().contents()["tokenizer_config.json"]
    edit(folder, "config.json", lambda fields: fields.pop("tokenizer_class"))
    write(folder, tokenizer_config={})
    with pytest.raises(FormatError, match=r"is WordPiece .* the vocabulary of another family"):
        load_tokenizer(folder)


def test_accents_of_alberts_are_kept_where_it_is_said(stranger):
    folder = stranger("albert_vocab_padded")
    spelt = SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    for fields, text in (
        ({}, "cafe"),
        ({"keep_accents": True}, "caf\u00e9"),
        ({"keep_accents": True, "do_lower_case": False}, "Caf\u00e9"),
        ({"do_lower_case": False}, "Cafe"),
    ):
        write(folder, tokenizer_config=fields)
        assert asked(load_tokenizer(folder), "Caf\u00e9") == spelt.encode(text)
    write(folder, tokenizer_config={"add_dummy_prefix": False})
    with pytest.raises(FormatError, match="says add_dummy_prefix false"):
        load_tokenizer(folder)


# What words cut one by one cannot follow is refused by name.


def library(folder, *, model=None, added=(), **parts):
    """Write a tokenizer.json of a few words, and return what the library makes of it."""
    pieces = [*FRAMING, "a", "The", "the", "kea", "lives", "in", "\u00e9", " "]
    model = model or models.WordLevel({piece: number for number, piece in enumerate(pieces)}, "[UNK]")
    found = Library(model)
    found.pre_tokenizer = parts.get("pre_tokenizer", pre_tokenizers.WhitespaceSplit())
    if "normalizer" in parts:
        found.normalizer = parts["normalizer"]
    found.add_tokens(list(added))
    found.save(str(folder / "tokenizer.json"))
    return found


def bpe(pre_tokenizer=None, **options):
    corpus = ["the kea lives in the mountains", "where the kea lives", "a kea in the alps"] * 20
    trained = Library(models.BPE(**UNKNOWN, **options))
    if pre_tokenizer is not None:
        trained.pre_tokenizer = pre_tokenizer
    trained.train_from_iterator(corpus, trainers.BpeTrainer(special_tokens=FRAMING, show_progress=False))
    return trained.model


ROBERTAS = ["<s>", "<pad>", "</s>", "<unk>", "a", "T", "h", "e", "\u0120"]
UNPARTED = pre_tokenizers.Metaspace(split=False)
TENFOLD = [normalizers.Replace("a", "a" * 10)] * 9
REFUSED = {
    "words that are not parted": ({"pre_tokenizer": pre_tokenizers.Punctuation()}, "cuts a word otherwise within"),
    "pieces over spaces": (
        {"model": bpe(UNPARTED), "pre_tokenizer": UNPARTED},
        "otherwise within",
    ),
    "a piece added with a space": ({"added": [AddedToken("lives in")]}, "the added piece 'lives in', which takes in"),
    "a piece that takes spaces": (
        {
            "model": models.BPE({piece: n for n, piece in enumerate(ROBERTAS)}, []),
            "pre_tokenizer": pre_tokenizers.ByteLevel(add_prefix_space=False),
            "added": [AddedToken("kea", rstrip=True)],
        },
        "the added piece 'kea', which takes in spaces",
    ),
    "chance": ({"model": bpe(dropout=0.5)}, r"leaves merges out at random \(dropout 0\.5\)"),
    "growth": ({"normalizer": normalizers.Sequence(TENFOLD)}, "makes of a word more than 16 times its letters"),
    "many steps": ({"normalizer": normalizers.Sequence([normalizers.NFC()] * 99)}, "in more than 64 steps"),
    "long words": (
        {"model": models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, max_input_chars_per_word=10**9)},
        "cuts words of up to 1000000000 letters",
    ),
}


@pytest.mark.parametrize(("parts", "said"), REFUSED.values(), ids=REFUSED)
def test_a_tokenizer_that_words_cannot_follow_is_refused(tmp_path, parts, said):
    library(tmp_path, **parts)
    with pytest.raises(FormatError, match=said):
        load_tokenizer_of(tmp_path)


def test_a_word_that_the_library_breaks_off_at_is_one_line(tmp_path):
    endless = normalizers.Replace(Regex("(a|aa)+$"), "b")
    library(tmp_path, normalizer=endless)
    tokenizer = load_tokenizer_of(tmp_path)
    with pytest.raises(ConfigError, match="cannot cut a word"):
        tokenizer.encode(["a" * 40 + "!"])


@pytest.mark.parametrize(
    "normalizer",
    [
        normalizers.Strip(),
        normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), " ")]
        ),
    ],
    ids=["strip", "as T5's"],
)
def test_white_space_at_words_edges_is_cut_as_in_the_text(tmp_path, normalizer):
    found = library(tmp_path, model=bpe(), normalizer=normalizer, pre_tokenizer=pre_tokenizers.Metaspace())
    tokenizer = load_tokenizer_of(tmp_path)
    for text in ("the  kea", "the kea\x85 lives", "the kea\u00a0 lives", "the \u3000kea lives", "the   kea   a"):
        assert cut(tokenizer, text.split(" "))[0] == found.encode(text, add_special_tokens=False).ids, text


def test_a_word_that_is_nothing_by_itself_is_cut_as_in_the_text(tmp_path):
    """What is no character is of no script, and the library drops it where nothing stands before it."""
    parts = pre_tokenizers.Sequence([pre_tokenizers.UnicodeScripts(), pre_tokenizers.WhitespaceSplit()])
    found = library(tmp_path, pre_tokenizer=parts)
    text = "the \u0e70 kea lives \u0e70"
    assert cut(load_tokenizer_of(tmp_path), text.split(" "))[0] == found.encode(text, add_special_tokens=False).ids


def test_what_is_said_of_added_pieces_is_followed(stranger):
    """Each entry may say that its piece is a word of its own, and that it is found before the text is normalised."""
    folder = stranger("vocab_padded")
    entry = {"content": "ea", "special": False}
    for flags, text, ids in (
        ({}, "kea ea", [1, 26, 26]),
        ({"single_word": True}, "kea ea", [6, 26]),
        ({"normalized": True}, "EA", [26]),
        ({"normalized": False}, "EA", [1]),
    ):
        assert asked(settings(folder, added_tokens_decoder={"26": {**entry, **flags}}), text) == ids
    folder = stranger("albert_vocab_padded")
    plain = asked(load_tokenizer(folder), "keas")
    write(folder, tokenizer_config={"added_tokens_decoder": {"36": {"content": "kea", "single_word": True}}})
    assert asked(load_tokenizer(folder), "keas kea") == [*plain, 36]
    write(folder, tokenizer_config={"sp_model_kwargs": {"enable_sampling": True}})
    with pytest.raises(FormatError, match="field sp_model_kwargs: is"):
        load_tokenizer(folder)


# Random texts: the library's own ids on the same folder, and each piece under the word that it is of.


def wordpiece(folder, corpus, *, fields=None, **rules):
    library = Library(models.WordPiece(**UNKNOWN))
    library.normalizer = normalizers.BertNormalizer(**rules)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=9000, special_tokens=FRAMING, show_progress=False)
    library.train_from_iterator(corpus, trainer)
    if fields is None:
        library.save(str(folder / "tokenizer.json"))
    else:
        pieces = sorted(library.get_vocab(), key=library.get_vocab().get)
        (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
        write(folder, tokenizer_config=fields)
    return library


def byte_level(folder, corpus, *, pair, prefix_space):
    library = Library(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>"] if pair else ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    library.train_from_iterator(
        corpus,
        trainers.BpeTrainer(vocab_size=4000, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    if pair:
        library.model.save(str(folder))
        write(folder, tokenizer_config={"add_prefix_space": prefix_space})
    else:
        library.save(str(folder / "tokenizer.json"))
    return library


def unigram(folder, corpus):
    """Write what Hugging Face makes of ALBERT's SentencePiece."""
    library = Library(models.Unigram())
    steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD()]
    library.normalizer = normalizers.Sequence([*steps, normalizers.StripAccents(), normalizers.Lowercase()])
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    unknown = {"unk_token": "<unk>"}
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.UnigramTrainer(vocab_size=9000, special_tokens=special, show_progress=False, **unknown)
    library.train_from_iterator(corpus, trainer)
    library.save(str(folder / "tokenizer.json"))
    write(folder, special_tokens_map={**unknown, "pad_token": "<pad>"})
    return Library.from_file(str(folder / "tokenizer.json"))  # what was trained may order pieces of one score otherwise


LIBRARY_FAMILIES = {
    "wordpiece": lambda folder, corpus: wordpiece(folder, corpus, lowercase=True),
    "cased": lambda folder, corpus: wordpiece(folder, corpus, lowercase=False),
    "cased list": lambda folder, corpus: wordpiece(folder, corpus, lowercase=False, fields={"do_lower_case": False}),
    "accents": lambda folder, corpus: wordpiece(folder, corpus, lowercase=True, strip_accents=False),
    "accents list": lambda folder, corpus: wordpiece(
        folder, corpus, lowercase=True, strip_accents=False, fields={"strip_accents": False}
    ),
    "ideographs": lambda folder, corpus: wordpiece(folder, corpus, lowercase=True, handle_chinese_chars=False),
    "list": lambda folder, corpus: wordpiece(folder, corpus, lowercase=True, fields={}),
    "roberta": lambda folder, corpus: byte_level(folder, corpus, pair=False, prefix_space=False),
    "roberta spaced": lambda folder, corpus: byte_level(folder, corpus, pair=False, prefix_space=True),
    "gpt2": lambda folder, corpus: byte_level(folder, corpus, pair=True, prefix_space=False),
    "unigram": unigram,
}


def cut(tokenizer, words):
    """Return the ids of a text, and the word that each piece is of."""
    encode = tokenizer.vocabulary.encode
    encoded = encode(words[:1], opening=True) + encode(words[1:])
    return [number for own in encoded for number in own], [word for word, own in enumerate(encoded) for _ in own]


def words_of(text, offsets):
    """Return the word that each stretch of the text begins in; a space is the next word's."""
    word_at = [text.count(" ", 0, place) for place in range(len(text) + 1)]
    return [word_at[start + 1] if text[start : start + 1] == " " else word_at[start] for start, _ in offsets]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", LIBRARY_FAMILIES)
def test_random_texts_are_cut_as_the_library_cuts_them(tmp_path, family, count):
    library = LIBRARY_FAMILIES[family](tmp_path, list(random_texts(count // 3, seed=99)))
    tokenizer = load_tokenizer_of(tmp_path)
    for text in random_texts(count, seed=1):
        ids, words = cut(tokenizer, text.split(" "))
        encoded = library.encode(text, add_special_tokens=False)
        assert ids == encoded.ids, text
        assert words == words_of(text, encoded.offsets), text


def load_tokenizer_of(folder):
    found = find_tokenizer(FolderFiles(folder), TOKENIZERS)
    return read_tokenizer(dataclasses.replace(found, plain=True))


def sentencepiece_model(corpus, **options):
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=(text.replace("\n", " ").replace("\0", " ") for text in corpus),
        model_writer=model,
        vocab_size=7000,
        hard_vocab_limit=False,
        character_coverage=0.98,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        user_defined_symbols=["[CLS]", "[SEP]"],
        minloglevel=2,
        **options,
    )
    return model.getvalue()


# Unigram pieces of one score in sum can stand in two orders; which one is found is a matter of the sum's rounding, and
# so of what stands before the word.
MOST_TIES = 5


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalization_rule_name": "nmt_nfkc_cf"},
        {"model_type": "bpe"},
        {"add_dummy_prefix": False},
        {"remove_extra_whitespaces": False},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_random_texts_are_cut_as_sentencepiece_cuts_them(tmp_path, options, count):
    model = sentencepiece_model(list(random_texts(max(count // 3, 300), seed=99)), **options)
    (tmp_path / "tokenizer.model").write_bytes(model)
    library, tokenizer = SentencePieceProcessor(model_proto=model), load_tokenizer_of(tmp_path)
    ties = 0
    for text in random_texts(count, seed=1):
        words = ["kea", *text.split(" ")]  # a first word that gives no piece opens nothing
        ids, _ = cut(tokenizer, words)
        expected = library.encode(" ".join(words))
        if ids != expected:
            assert sorted(ids) == sorted(expected), text
            ties += 1
    assert ties <= MOST_TIES


def test_a_model_with_spaces_behind_its_words_is_refused(tmp_path):
    corpus = ["the kea lives in the mountains of new zealand", "where the kea lives", "keas are parrots"] * 20
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        treat_whitespace_as_suffix=True,
        minloglevel=2,
    )
    (tmp_path / "tokenizer.model").write_bytes(model.getvalue())
    with pytest.raises(FormatError, match="puts spaces behind words"):
        load_tokenizer_of(tmp_path)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_texts_are_cut_as_alberts_authors_cut_them(tmp_path, count):
    """Their code prepares a whole text, cuts it, and parts numbers from commas; ours goes word by word."""
    model = sentencepiece_model(list(random_texts(max(count // 3, 300), seed=99)))
    (tmp_path / "spiece.model").write_bytes(model)
    library, tokenizer = SentencePieceProcessor(model_proto=model), load_tokenizer_of(tmp_path)
    whole, ties = AlbertVocabulary(model), 0
    for text in random_texts(count, seed=1):
        words = [word for word in text.split(" ") if not any(map(str.isdigit, word))]
        ids, expected = cut(tokenizer, words)[0], library.encode(whole.prepared(" ".join(words)))
        ties += ids != expected and sorted(ids) == sorted(expected)
        assert ids == expected or sorted(ids) == sorted(expected), text
    assert ties <= MOST_TIES
