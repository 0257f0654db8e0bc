"""A model folder is opened once: its files are opened and read once, and one that changes is refused."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nqperf.errors import FormatError
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.safetensors_file import SafetensorsFile
from nqperf.nq.answers import AnswerConfig
from nqperf.nq.features import FeatureConfig
from tests.families import write_hugging_face

COUNTING = """
import collections, os, sys
opened = collections.Counter()
folder = sys.argv[1]

def count(event, arguments):
    if event == "open" and str(arguments[0]).startswith(folder):
        opened[os.path.basename(arguments[0])] += 1

sys.addaudithook(count)
from pathlib import Path
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.answers import AnswerConfig

model = open_model(Path(folder))
for _ in range(2):
    model.identity, model.weights_sha256, model.read_weights(), model.tokenizer.encode(["river"])
    AnswerConfig.of(model.settings), model.require_tokenizer().vocabulary_size()
print(sorted(opened.items()))
"""


@pytest.mark.parametrize("family", ["bert", "albert", "roberta", "gpt2"])
def test_whatever_is_asked_each_file_is_opened_once(family, family_folder):
    folder = family_folder(family)
    command = [sys.executable, "-c", COUNTING, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = sorted(path.name for path in folder.iterdir())
    assert done.stdout == f"{[(name, 1) for name in names]}\n"


def test_the_identity_is_of_every_file_that_decides(family_folder):
    folder = family_folder("gpt2")
    expected = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert set(expected) == {"config.json", "model.safetensors", "vocab.json", "merges.txt"}
    model = open_model(folder)
    assert model.identity == expected
    assert model.weights_sha256 == expected["model.safetensors"]
    assert open_model(folder, identity=model.identity).identity == expected


def test_settings_and_added_pieces_decide_too(tmp_path):
    source = Path(__file__).with_name("strangers") / "models" / "added_tokens"
    folder = convert(source, tmp_path / "model").out
    tokenizer = {"tokenizer.json", "vocab.txt", "tokenizer_config.json", "added_tokens.json"}
    model = open_model(folder)
    assert set(model.identity) == {"config.json", "model.safetensors", *tokenizer}
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "model_max_length": 512}')
    with pytest.raises(FormatError, match=r"tokenizer_config\.json: is not the file that the run began with"):
        open_model(folder, identity=model.identity)


@pytest.fixture
def changing(tmp_path, vocabulary_of):
    (tmp_path / "source").mkdir()
    write_hugging_face(tmp_path / "source", "gpt2", vocabulary_of("gpt2"))
    return convert(tmp_path / "source", tmp_path / "model").out


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "merges.txt"])
def test_another_process_refuses_a_folder_that_has_changed(changing, name):
    began = open_model(changing).identity
    content = bytearray((changing / name).read_bytes())
    if name == "model.safetensors":
        content[-2] ^= 1
    else:
        content += b"\n"
    (changing / name).write_bytes(content)
    with pytest.raises(FormatError, match=rf"{name}: is not the file that the run began with .*start again"):
        open_model(changing, identity=began)


def test_a_file_more_or_less_is_a_change(changing):
    began = open_model(changing).identity
    with pytest.raises(FormatError, match=r"vocab\.txt: is not the file that the run began with"):
        open_model(changing, identity={**began, "vocab.txt": "0" * 64})


@pytest.mark.parametrize("name", ["config.json", "merges.txt"])
def test_a_file_that_changes_before_it_is_hashed_is_refused(changing, name):
    model = open_model(changing)
    content = (changing / name).read_bytes()
    (changing / name).write_bytes(content + b"\n")
    with pytest.raises(FormatError, match=f"{name}: has changed since it was read"):
        _ = model.identity


def test_weights_that_are_replaced_after_the_hash_are_refused(changing):
    model = open_model(changing)
    before = model.read_weights()
    kept = {name: values.copy() for name, values in before.items()}
    _ = model.identity
    other = changing.with_name("other")
    other.write_bytes((changing / "model.safetensors").read_bytes())
    other.replace(changing / "model.safetensors")
    with pytest.raises(FormatError, match=r"model\.safetensors: has changed since it was read"):
        model.read_weights()
    assert all(np.array_equal(kept[name], values) for name, values in before.items())


def test_a_folder_without_weights_still_opens(changing):
    (changing / "model.safetensors").unlink()
    model = open_model(changing)
    assert len(model.tokenizer.encode(["river"]).ids)
    with pytest.raises(FormatError, match=r"model\.safetensors: no such file"):
        _ = model.identity


def safetensors(header, data=b""):
    return len(header).to_bytes(8, "little") + header + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        (1 << 62).to_bytes(8, "little") + b"{}",
        safetensors(b"[]"),
        safetensors(b'{"t": 3}'),
        safetensors(b'{"t": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', b"123"),
        safetensors(b'{"t": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', b"12345"),
        safetensors(b'{"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', b"1234"),
        safetensors(b'{"t": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}}', b""),
        safetensors(b'{"t": {"dtype": "X32", "shape": [1], "data_offsets": [0, 4]}}', b"1234"),
        safetensors(b'{"t": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]}}', b"123456"),
        safetensors(b'{"t": {"dtype": "F32", "shape": [99999999999999999999999], "data_offsets": [0, 4]}}', b"1234"),
        safetensors(b'{"t": ' * 5000 + b"}" * 5000),
    ],
)
def test_a_file_that_is_no_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="cannot be read as safetensors") as caught:
        SafetensorsFile(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_pipe_is_no_file_of_weights(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(FormatError, match="no such file"):
        SafetensorsFile(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("length", "stride", "question"), [(512, 128, 64), (1024, 128, 64), (384, 96, 64), (256, 64, 64), (48, 12, 12)]
)
def test_lengths_follow_one_rule(length, stride, question):
    config = FeatureConfig.for_length(length)
    assert (config.max_seq_length, config.doc_stride, config.max_query_length) == (length, stride, question)
    asked = FeatureConfig.for_length(length, doc_stride=7, max_query_length=9)
    assert (asked.doc_stride, asked.max_query_length) == (7, 9)


def test_thresholds_follow_one_rule(family_folder):
    settings = open_model(family_folder("bert")).settings
    assert AnswerConfig.of(settings) == AnswerConfig()
    own = AnswerConfig.of(type(settings)(long_threshold=1.5))
    assert (own.long_threshold, own.short_threshold) == (1.5, 8.0)
    asked = AnswerConfig(yes_no=True, short_threshold=2.0)
    both = AnswerConfig.of(type(settings)(long_threshold=1.5), asked)
    assert (both.long_threshold, both.short_threshold, both.yes_no) == (1.5, 2.0, True)
