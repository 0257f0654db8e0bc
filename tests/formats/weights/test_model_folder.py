import json
import os
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nqperf.errors import FormatError
from nqperf.formats.weights import model_folder
from nqperf.formats.weights.model_folder import FolderSettings, open_model, write_model_folder
from nqperf.formats.weights.safetensors_file import SafetensorsFile
from nqperf.formats.weights.tokenizer_file import TokenizerFile
from nqperf.model.config import BertConfig
from nqperf.model.weights import initial_weights

CONFIG = BertConfig(
    vocab_size=7,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=12,
    max_position_embeddings=6,
    hidden_act="gelu_new",
)
WEIGHTS = initial_weights(CONFIG, seed=1)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[Q]", "river", "##s"]


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "pieces.txt"
    path.write_text("\n".join(PIECES) + "\n")
    return TokenizerFile(path=path, kind="wordpiece", lower_case=False)


@pytest.fixture
def folder(tmp_path, vocabulary):
    path = tmp_path / "model"
    write_model_folder(path, CONFIG, WEIGHTS, vocabulary)
    return path


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".partial"))


def edit_config(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_is_written_is_read_back(tmp_path, vocabulary):
    settings = FolderSettings(long_threshold=2.5, short_threshold=7)
    write_model_folder(tmp_path / "model", CONFIG, WEIGHTS, vocabulary, settings=settings)
    read = open_model(tmp_path / "model")
    assert read.config == CONFIG
    assert read.tokenizer_file == TokenizerFile(
        path=tmp_path / "model" / "vocab.txt", kind="wordpiece", lower_case=False
    )
    assert (read.settings.long_threshold, read.settings.short_threshold) == (2.5, 7)
    weights = read.read_weights()
    assert list(weights) == list(WEIGHTS)
    for name, values in weights.items():
        np.testing.assert_array_equal(values, WEIGHTS[name], strict=True)
    assert not leftovers(tmp_path)


def test_float16_is_read_as_float32(tmp_path):
    write_model_folder(tmp_path / "model", CONFIG, WEIGHTS, None, dtype="float16")
    assert load_file(tmp_path / "model" / "model.safetensors")["span.weight"].dtype == np.float16
    for name, values in open_model(tmp_path / "model").read_weights().items():
        np.testing.assert_array_equal(values, WEIGHTS[name].astype(np.float16).astype(np.float32), strict=True)


def test_weights_are_read_only_and_stay_in_the_file(folder):
    values = open_model(folder).read_weights()["span.weight"]
    assert not values.flags.writeable
    assert not values.flags.owndata


def test_the_weights_are_as_readable_as_any_new_file(folder):
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode


def test_a_transposed_array_is_stored_as_it_looks(tmp_path):
    turned = {**WEIGHTS, "span.weight": np.asfortranarray(WEIGHTS["span.weight"])}
    write_model_folder(tmp_path / "model", CONFIG, turned, None)
    read = open_model(tmp_path / "model").read_weights()
    np.testing.assert_array_equal(read["span.weight"], WEIGHTS["span.weight"])


def test_every_stored_float_type_is_read(tmp_path):
    values = np.array([[0.0, -1.5, 3.25]])
    save_file({"half": values.astype(np.float16), "double": values}, tmp_path / "file")
    file = SafetensorsFile(tmp_path / "file")
    for read in file.float32({name: name for name in file.header}).values():
        np.testing.assert_array_equal(read, values.astype(np.float32), strict=True)


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    header = json.dumps({"t": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode().ljust(64)
    upper = (np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16).astype("<u2")
    (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header + upper.tobytes())
    read = SafetensorsFile(tmp_path / "file").float32({"t": "t"})["t"]
    np.testing.assert_array_equal(read, np.array([1.5, -2.0], np.float32), strict=True)


def test_integers_are_no_weights(tmp_path):
    save_file({"t": np.arange(3)}, tmp_path / "file")
    with pytest.raises(FormatError, match="field t: has type I64"):
        SafetensorsFile(tmp_path / "file").float32({"t": "t"})


def test_without_a_tokenizer_the_folder_is_read_but_cannot_prepare(tmp_path):
    write_model_folder(tmp_path / "model", CONFIG, WEIGHTS, None)
    read = open_model(tmp_path / "model")
    assert read.tokenizer_file is None
    with pytest.raises(FormatError, match="has no tokenizer"):
        read.require_tokenizer()


def test_lower_case_is_taken_from_hugging_faces_file_where_ours_says_nothing(tmp_path):
    write_model_folder(tmp_path / "model", CONFIG, WEIGHTS, None)
    (tmp_path / "model" / "vocab.txt").write_text("\n".join(PIECES))
    assert open_model(tmp_path / "model").require_tokenizer().lower_case
    (tmp_path / "model" / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert not open_model(tmp_path / "model").require_tokenizer().lower_case


def test_a_missing_folder_and_a_missing_config_are_named(tmp_path):
    (tmp_path / "my-model").mkdir()
    with pytest.raises(FormatError, match=r"my-modle: no such folder; expected a model folder with config\.json and "):
        open_model(tmp_path / "my-modle")  # what lies beside it is no model
    (tmp_path / "my-model" / "config.json").touch()
    with pytest.raises(FormatError, match=r"my-modle: no such folder; did you mean .*/my-model\?"):
        open_model(tmp_path / "my-modle")
    (tmp_path / "model").mkdir()
    with pytest.raises(FormatError, match=r"config\.json: no such file"):
        open_model(tmp_path / "model")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": "\xff"}'])
def test_a_config_that_is_no_object_is_refused(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(FormatError, match="expected a configuration, a JSON object"):
        open_model(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hidden_size": "8"}, r"config\.json: hidden_size is '8'; expected an integer"),
        ({"hidden_act": "relu"}, r"config\.json: hidden_act is 'relu'"),
        ({"nqperf": {"long_threshold": "3"}}, r"config\.json, field nqperf: Expected `float \| null`, got `str`"),
        ({"nqperf": {"long_treshold": 3}}, r"field nqperf: .*long_treshold.*expected long_threshold"),
        ({"nqperf": 3}, "field nqperf"),
        ({"vocab_size": 6}, r"vocab\.txt: has 7 pieces; expected at most 6"),
    ],
)
def test_a_wrong_field_is_named(folder, fields, message):
    edit_config(folder, **fields)
    with pytest.raises(FormatError, match=message):
        open_model(folder)


def test_two_tokenizers_are_refused(folder):
    (folder / "tokenizer.model").write_bytes(b"")
    with pytest.raises(FormatError, match=r"several tokenizers \(tokenizer\.model, vocab\.txt\)"):
        open_model(folder)


def test_a_broken_sentencepiece_model_is_refused(folder):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(FormatError, match="not a SentencePiece model"):
        open_model(folder)


@pytest.mark.parametrize(("ending", "size"), [("", 7), ("\n", 7), ("\n\n", 8)])
def test_a_word_list_has_a_piece_a_line(tmp_path, ending, size):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + ending)
    assert TokenizerFile(path=tmp_path / "vocab.txt", kind="wordpiece").vocabulary_size() == size


def test_unknown_missing_and_misshapen_tensors_are_listed_together(folder):
    stored = load_file(folder / "model.safetensors")
    stored["extra"] = stored.pop("span.bias")
    stored["span.weight"] = np.ascontiguousarray(stored["span.weight"].T)
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(FormatError, match=r"unknown: extra .*missing: span\.bias .*misshapen: span\.weight"):
        open_model(folder).read_weights()


def test_a_folder_of_another_task_is_told_first_how_to_bring_it_in(folder):
    stored = load_file(folder / "model.safetensors")
    others = {name: values for name, values in stored.items() if not name.startswith(("span.", "answer_type."))}
    save_file({**others, "qa_outputs.weight": stored["span.weight"]}, folder / "model.safetensors")
    advice = f"`nqperf convert {folder} OUT` makes a model folder of it; missing: span.weight and 3"
    with pytest.raises(FormatError, match=re.escape(advice)):
        open_model(folder).read_weights()


def test_a_value_that_is_no_number_is_refused_by_the_tensors_name(folder):
    stored = load_file(folder / "model.safetensors")
    stored["span.bias"][1] = np.nan
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(FormatError, match=r"NaN or infinity in span\.bias"):
        open_model(folder).read_weights()


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_truncated_weights_are_refused(folder, size):
    path = folder / "model.safetensors"
    os.truncate(path, size if size >= 0 else path.stat().st_size - 1)
    with pytest.raises(FormatError, match="cannot be read as safetensors"):
        open_model(folder).read_weights()


def test_missing_weights_are_named(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FormatError, match=r"model\.safetensors: no such file"):
        open_model(folder).read_weights()


def test_nothing_is_written_when_the_parts_do_not_fit(tmp_path, vocabulary):
    large = {**WEIGHTS, "span.bias": np.array([0, 7e4], np.float32)}
    fewer = {name: values for name, values in WEIGHTS.items() if name != "span.bias"}
    with pytest.raises(FormatError, match=r"NaN or infinity in span\.bias"):
        write_model_folder(tmp_path / "model", CONFIG, large, vocabulary, dtype="float16")
    with pytest.raises(FormatError, match=r"missing: span\.bias"):
        write_model_folder(tmp_path / "model", CONFIG, fewer, vocabulary)
    vocabulary.path.write_text("one\n" * 8)
    with pytest.raises(FormatError, match="has 8 pieces; expected at most 7"):
        write_model_folder(tmp_path / "model", CONFIG, WEIGHTS, vocabulary)
    assert [path.name for path in tmp_path.iterdir()] == ["pieces.txt"]


def test_an_older_model_folder_is_replaced(tmp_path, folder):
    newer = initial_weights(CONFIG, seed=2)
    write_model_folder(folder, CONFIG, newer, None)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    np.testing.assert_array_equal(open_model(folder).read_weights()["span.weight"], newer["span.weight"])
    assert not leftovers(tmp_path)


def test_a_folder_with_anything_else_in_it_is_left_alone(folder):
    (folder / "notes.md").write_text("mine")
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(FormatError, match=r"no part of a model folder \(notes\.md\)"):
        write_model_folder(folder, CONFIG, initial_weights(CONFIG, seed=2), None)
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_file_and_a_missing_parent_are_no_place_to_write(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FormatError, match="is no folder"):
        write_model_folder(tmp_path / "file", CONFIG, WEIGHTS, None)
    with pytest.raises(FormatError, match=rf"its parent is no folder: make {tmp_path / 'none'} first"):
        write_model_folder(tmp_path / "none" / "model", CONFIG, WEIGHTS, None)


@pytest.mark.parametrize("file", ["bert_joint.ckpt.index", "pytorch_model-00001-of-00002.bin"])
def test_a_checkpoint_in_a_model_folders_place_names_the_command_that_converts_it(tmp_path, file):
    (tmp_path / file).write_bytes(b"")
    asked = [tmp_path, tmp_path / "bert_joint.ckpt"] if file.endswith(".index") else [tmp_path]
    for path in asked:
        with pytest.raises(FormatError, match=rf"is a checkpoint and no model folder: `nqperf convert {path} OUT`"):
            open_model(path)


def test_weights_that_may_not_be_read_are_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    refusal = PermissionError(13, "Permission denied")
    monkeypatch.setattr(type(path), "open", lambda *_: (_ for _ in ()).throw(refusal))
    with pytest.raises(FormatError, match=r"cannot be read \(Permission denied\); expected the weights"):
        SafetensorsFile(path)


@pytest.mark.parametrize("older", [False, True])
def test_a_write_that_is_broken_off_changes_nothing(tmp_path, monkeypatch, older):
    out = tmp_path / "model"
    if older:
        write_model_folder(out, CONFIG, WEIGHTS, None)
    before = {path.name: path.read_bytes() for path in out.iterdir()} if older else None

    def broken_off(path, tensors):
        path.write_bytes(tensors["span.weight"].tobytes())
        raise KeyboardInterrupt

    monkeypatch.setattr(model_folder, "write_safetensors", broken_off)
    with pytest.raises(KeyboardInterrupt):
        write_model_folder(out, CONFIG, initial_weights(CONFIG, seed=2), None)
    assert ({path.name: path.read_bytes() for path in out.iterdir()} if older else None) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == (["model"] if older else [])
