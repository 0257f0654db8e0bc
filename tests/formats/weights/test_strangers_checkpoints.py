"""Checkpoints as people have them: pre-trained, of SQuAD, in mixed precision, under wrappers, in shards, padded."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import nqperf
from nqperf.cli.main import main
from nqperf.errors import FormatError
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.model_folder import open_model
from nqperf.model.families import FAMILIES
from nqperf.model.tensors import LAYOUTS
from tests.arrays import arrays_of
from tests.checkpoints import save_checkpoint
from tests.pytorch_files import save_archive, save_stream

STRANGERS = Path(__file__).with_name("strangers")
HEADS = ("span.weight", "span.bias", "answer_type.weight", "answer_type.bias")
FAMILY_LIMIT = 2e-5


@pytest.fixture
def stranger(tmp_path):
    """Return a function that copies one of the folders, to be changed."""

    def copied(name):
        shutil.copytree(STRANGERS / name, tmp_path / Path(name).name)
        return tmp_path / Path(name).name

    return copied


@pytest.fixture
def out(tmp_path):
    return tmp_path / "converted"


def refused(source, said, **options):
    with pytest.raises(FormatError, match=said) as caught:
        convert(source, source.with_name("converted"), **options)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not source.with_name("converted").exists()


def rewrite(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def variables(folder):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "bert_model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def resave(folder, change):
    found = change(variables(folder))
    for path in folder.glob("bert_model.ckpt.*"):
        path.unlink()
    save_checkpoint(folder / "bert_model.ckpt", found)
    return found


# TensorFlow 1


def test_a_pre_trained_network_gets_new_heads(out):
    report = convert(STRANGERS / "tf1" / "pretrained_bert", out)
    assert report.new == HEADS
    assert report.untrained
    assert [name for name in report.unused if not name.startswith("cls/")] == []
    assert len(report.unused) == 7
    assert report.left_out == ("global_step",)
    assert open_model(out).settings.heads == "new"


def test_the_head_of_squad_is_the_span_head(out):
    folder = STRANGERS / "tf1" / "squad_bert"
    report = convert(folder, out)
    assert report.new == HEADS[2:]
    assert not report.untrained
    assert any("cls/squad" in note for note in report.notes)
    expected = variables(folder)["cls/squad/output_weights"]
    np.testing.assert_array_equal(open_model(out).read_weights()["span.weight"], expected)


def test_a_joint_head_beside_that_of_squad_is_the_span_head(stranger, out):
    folder = stranger("tf1/squad_bert")
    joint = {"cls/nq/output_weights": np.full((2, 8), 5, np.float32), "cls/nq/output_bias": np.zeros(2, np.float32)}
    resave(folder, lambda found: {**found, **joint})
    report = convert(folder, out)
    assert report.unused == ("cls/squad/output_bias", "cls/squad/output_weights")
    np.testing.assert_array_equal(open_model(out).read_weights()["span.weight"], joint["cls/nq/output_weights"])


def test_what_loss_scaling_leaves_is_left_out_and_counted(out, capsys):
    folder = STRANGERS / "tf1" / "nq_joint_amp"
    left = ("bad_steps", "beta1_power", "beta2_power", "current_loss_scale", "global_step", "good_steps")
    assert convert(folder, out).left_out == left
    main(["convert", str(folder), str(out), "--force"])
    assert "left by training, 6 left out: bad_steps" in capsys.readouterr().out


def test_what_other_optimizers_and_stopping_leave_is_left_out(stranger, out):
    folder = stranger("tf1/nq_joint_vocab_padded")
    kernel = "bert/pooler/dense/kernel"
    states = {f"{kernel}/{name}": np.zeros((8, 8), np.float32) for name in ("lamb_m", "lamb_v", "Momentum", "vr")}
    states |= {"signal_early_stopping/STOP": np.array(False), "loss_scale/good_steps": np.int64(3), "lr": np.float32(1)}
    resave(folder, lambda found: {**found, **states})
    report = convert(folder, out)
    assert sorted(report.left_out) == sorted(states)
    assert report.unused == report.new == ()


def test_float32_copies_beside_float16_variables_are_the_weights(stranger, out):
    folder = stranger("tf1/nq_joint_manual_fp16")
    convert(folder, out)
    found, name = variables(folder), "bert/encoder/layer_1/output/dense/kernel"
    assert found[name].dtype == np.float16
    read = open_model(out).read_weights()["bert.encoder.layer.1.output.dense.weight"]
    np.testing.assert_array_equal(read, found[f"{name}/shadow"].T, strict=True)


def test_moving_averages_are_named_and_asked_for(stranger, out):
    folder, name = stranger("tf1/nq_joint_amp"), "cls/nq/output_bias"
    ending = "/ExponentialMovingAverage"
    resave(folder, lambda found: {**found, f"{name}{ending}": np.array([7, 8], np.float32)})
    refused(folder, r"moving averages \(cls/nq/output_bias/ExponentialMovingAverage\): say which by --ema or --no-ema")
    for averages, expected in ((True, [7, 8]), (False, variables(folder)[name])):
        report = convert(folder, out, averages=averages)
        assert any("moving averages" in note for note in report.notes)
        np.testing.assert_array_equal(open_model(out).read_weights()["span.bias"], expected)


def test_a_prefix_before_a_checkpoints_names_is_left_out_and_named(stranger, out):
    folder = stranger("tf1/nq_joint_amp")
    plain = open_model(convert(folder, out).out).read_weights()
    resave(folder, lambda found: {f"tower/{name}": values for name, values in found.items()})
    report = convert(folder, out)
    assert any("'tower/'" in note for note in report.notes)
    for name, values in open_model(out).read_weights().items():
        np.testing.assert_array_equal(values, plain[name])


def test_variables_of_a_larger_network_are_cut_in_the_message(stranger):
    folder = stranger("tf1/pretrained_bert")
    config = json.loads((folder / "bert_config.json").read_text())
    (folder / "bert_config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    said = r"the configuration says num_hidden_layers 1, and the weights have 2: put the configuration there"
    refused(folder, rf"unknown: bert/encoder/layer_1/.* and 15 more\): {said}")
    (folder / "bert_config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    refused(folder, r"says num_hidden_layers 3, and the weights have 2: .*, or the weights with all of their layers")
    (folder / "bert_config.json").write_text(json.dumps({**config, "hidden_size": 4}))
    refused(
        folder,
        r"misshapen: .* and \d+ more\): the configuration says hidden_size 4, and the weights have 8: put the "
        "configuration there that these weights were made with$",
    )


# Hugging Face


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module."])
def test_a_wrappers_prefix_is_left_out_and_named(prefix, out):
    report = convert(STRANGERS / "models" / f"prefix_{prefix.replace('.', '-')}", out)
    assert report.new == HEADS
    assert any(repr(prefix) in note for note in report.notes)


@pytest.mark.parametrize("prefix", ["module._orig_mod.", "student.encoder."])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_any_prefix_before_all_names_is_left_out(family, prefix, family_folder, tmp_path, out):
    shutil.copytree(family_folder(family), tmp_path / "source")
    (tmp_path / "source" / "config.json").write_bytes((family_folder(family) / "config.json").read_bytes())
    rewrite(tmp_path / "source", lambda stored: {f"{prefix}{name}": values for name, values in stored.items()})
    report = convert(tmp_path / "source", out)
    assert report.new == ()
    assert report.notes[0] == f"the prefix {prefix!r} of all names is left out"


def test_a_prefix_before_some_names_is_named_as_the_cause(stranger):
    folder = stranger("models/classifier_head")
    rewrite(
        folder,
        lambda stored: {name if "classifier" in name else f"model.{name}": each for name, each in stored.items()},
    )
    refused(folder, r"has its network under 'model\.', and beside it classifier\.bias, classifier\.weight; expected")


def test_heads_of_other_tasks_are_left_out_and_named(stranger, out):
    report = convert(STRANGERS / "models" / "classifier_head", out)
    assert report.unused == ("classifier.bias", "classifier.weight")
    folder = stranger("models/vocab_padded")
    more = {"qa_outputs.weight": np.ones((2, 8), np.float32), "qa_outputs.bias": np.zeros(2, np.float32)}
    rewrite(folder, lambda stored: {**stored, **more, "score.weight": np.zeros((3, 8), np.float32)})
    report = convert(folder, out)
    assert (report.unused, report.new) == (("score.weight",), HEADS[2:])


def test_a_part_of_an_encoder_that_is_not_built_is_no_head(stranger):
    folder = stranger("models/classifier_head")
    rewrite(folder, lambda stored: {**stored, "bert.encoder.adapter.weight": np.zeros((3, 8), np.float32)})
    refused(folder, r"unknown: bert\.encoder\.adapter\.weight \[3, 8\]\): this network has parts that are not built")


def test_weights_of_a_family_that_is_not_built_are_named(stranger):
    refused(stranger("models/config_bert_weights_electra"), "holds the weights of ELECTRA, which is not built here")
    folder = stranger("models/classifier_head")
    rewrite(folder, lambda stored: {name.replace("bert.", "deberta."): values for name, values in stored.items()})
    refused(folder, "holds the weights of DeBERTa")


def test_a_network_of_another_kind_is_said_to_be_none_of_ours(stranger):
    folder = stranger("models/classifier_head")
    names = ["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight", "decoder.final_layer_norm.weight"]
    rewrite(folder, lambda _: {name: np.zeros((2, 2), np.float32) for name in names})
    refused(folder, r"holds no network of bert, albert, .*; its tensors are named .*SelfAttention\.q\.weight")


def test_a_checkpoint_of_a_family_that_is_not_built_is_named(stranger):
    folder = stranger("tf1/pretrained_bert")
    resave(folder, lambda found: {name.replace("bert/", "electra/"): values for name, values in found.items()})
    refused(folder, "is ELECTRA's, which is not built here; expected BERT's or ALBERT's")


def test_more_layers_than_the_configurations_are_the_cause(stranger):
    folder = stranger("models/prefix_module-")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    refused(
        folder,
        r"unknown: .* and 159 more\): the configuration says num_hidden_layers 2, and the weights have 12: put "
        "the configuration there that these weights were made with$",
    )


def test_fewer_layers_than_the_configurations_are_no_broken_file(stranger):
    folder = stranger("models/prefix_module-")
    config = json.loads((folder / "config.json").read_text())
    changed = {"num_hidden_layers": 14, "vocab_size": config["vocab_size"] + 1, "max_position_embeddings": 3}
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    refused(
        folder,
        f"says num_hidden_layers 14, and the weights have 12; it says vocab_size {changed['vocab_size']}, and the "
        f"weights have {config['vocab_size']}; it says max_position_embeddings 3, and the weights have "
        f"{config['max_position_embeddings']}: put "
        "the configuration there that these weights were made with, or the weights with all of their layers$",
    )


def test_a_layer_that_is_there_in_part_is_no_other_number_of_layers(stranger):
    folder = stranger("models/prefix_module-")
    rewrite(folder, lambda stored: dict(sorted(stored.items())[:-9]))
    refused(folder, r"missing: .*: the file is not whole: copy or save it again$")


def test_shards_are_read_by_their_index(stranger, out):
    report = convert(STRANGERS / "models" / "sharded", out)
    assert report.new == HEADS
    folder = stranger("models/sharded")
    stored = {name: values for path in sorted(folder.glob("*.safetensors")) for name, values in load_file(path).items()}
    save_file(stored, folder / "whole.safetensors")
    again = convert(folder / "whole.safetensors", out.with_name("again"))
    one, other = (open_model(each.out).read_weights() for each in (report, again))
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 4\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"PK\x03\x04" + bytes(30), r"is a zip, as PyTorch's weights are: give it their ending, \.bin"),
    ],
)
def test_weights_of_another_kind_are_named(stranger, content, said):
    folder = stranger("models/config_bom")
    (folder / "model.safetensors").write_bytes(content)
    refused(folder, rf"model\.safetensors: {said}")


def test_pytorchs_weights_of_another_kind_are_named(stranger):
    folder = stranger("models/config_bom")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(folder, r"pytorch_model\.bin: is a safetensors file; expected weights")
    (folder / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 4\n")
    refused(folder, r"pytorch_model\.bin: is a Git LFS pointer")


def test_an_averaged_model_is_read(stranger, out):
    """PyTorch's AveragedModel keeps the count of its steps beside the module."""
    folder = stranger("models/prefix_module-")
    rewrite(folder, lambda tensors: {**tensors, "n_averaged": np.array(3)})
    assert any("'module.'" in note for note in convert(folder, out).notes)


def test_weights_that_are_no_file_are_said_to_be_none(stranger):
    folder = stranger("models/config_bom")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    refused(folder, "holds no model; expected")


def test_an_index_that_names_itself_is_refused(stranger):
    folder = stranger("models/sharded")
    name = "model.safetensors.index.json"
    (folder / name).write_text(json.dumps({"weight_map": {"a": name}}))
    refused(folder, r"names the file 'model\.safetensors\.index\.json'; expected files of weights beside it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda index: index["weight_map"].update({"x": "../other.safetensors"}), r"names the file '\.\./other\."),
        (lambda index: index["weight_map"].update({"x": "no.safetensors"}), r"no\.safetensors: no such file"),
        (
            lambda index: index["weight_map"].update({"x": "model-00001-of-00002.safetensors"}),
            "holds x, and it does not",
        ),
        (lambda index: index["weight_map"].update({"x": 3}), r"field weight_map.*expected an index of weights"),
        (lambda index: index.pop("weight_map"), "missing required field `weight_map`"),
    ],
)
def test_an_index_that_says_what_is_not_so_is_refused(stranger, change, said):
    folder = stranger("models/sharded")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    change(index)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder, said)


@pytest.mark.parametrize("save", [save_archive, save_stream])
def test_pytorchs_weights_are_the_same_weights(stranger, save, out):
    folder = stranger("models/classifier_head")
    expected = open_model(convert(folder, out).out).read_weights()
    save(folder / "pytorch_model.bin", load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").unlink()
    for name, values in open_model(convert(folder, out).out).read_weights().items():
        np.testing.assert_array_equal(values, expected[name])


def test_safetensors_count_where_a_folder_has_both_forms(stranger, out):
    folder = stranger("models/classifier_head")
    (folder / "pytorch_model.bin").write_bytes(b"broken")
    assert convert(folder, out).source == folder / "model.safetensors"


def test_moving_averages_beside_the_weights_are_asked_for(stranger, out):
    folder = stranger("models/classifier_head")
    expected = load_file(folder / "model.safetensors")["bert.pooler.dense.bias"]
    rewrite(
        folder,
        lambda stored: {
            **{name: values for name, values in stored.items() if name.startswith("bert.")},
            **{f"ema.{name}": values + 1 for name, values in stored.items() if name.startswith("bert.")},
        },
    )
    refused(folder, r"moving averages \(ema\.\): say which by --ema or --no-ema")
    for averages, more in ((True, 1), (False, 0)):
        report = convert(folder, out, averages=averages)
        assert len(report.left_out) == 39
        found = open_model(out).read_weights()["bert.pooler.dense.bias"]
        np.testing.assert_array_equal(found, expected + np.float32(more))


def test_two_networks_in_one_file_are_refused(stranger):
    folder = stranger("models/classifier_head")
    rewrite(
        folder,
        lambda stored: {f"{one}.{name}": values for one in ("teacher", "student") for name, values in stored.items()},
    )
    refused(folder, r"holds 2 networks, under '(teacher|student)\.', '(teacher|student)\.'; expected one")


@pytest.mark.parametrize(("name", "framework"), [("tf_model.h5", "Keras"), ("flax_model.msgpack", "Flax")])
def test_weights_for_another_framework_alone_are_named(stranger, name, framework):
    folder = stranger("models/classifier_head")
    (folder / "model.safetensors").rename(folder / name)
    refused(folder, f"holds the weights for {framework} alone")


def test_weights_under_another_name_are_to_be_named(stranger, out):
    folder = stranger("models/classifier_head")
    (folder / "model.safetensors").rename(folder / "best.safetensors")
    refused(folder, r"holds no model\.safetensors, and it holds best\.safetensors: name the file that you mean")
    assert convert(folder / "best.safetensors", out).new == HEADS


# Five families in the forms that people have them: the outputs of Hugging Face's own code.


def pre_trained(stored, config, layout):
    names = {"gpt2": "lm_head.weight", "distilbert": "vocab_transform.bias"}
    head = names.get(layout.prefix.rstrip("."), "cls.predictions.bias")
    return {**stored, head: np.zeros(7, np.float32)}, config


def fine_tuned(stored, config, layout):
    heads = {"qa_outputs.weight": np.ones((2, 32), np.float32), "qa_outputs.bias": np.zeros(2, np.float32)}
    more = {**heads, "classifier.weight": np.ones((3, 32), np.float32)}
    return {**{f"{layout.prefix}{name}": values for name, values in stored.items()}, **more}, config


def prefixed(stored, config, layout):
    return {f"module.{layout.prefix}{name}": values for name, values in stored.items()}, config


def padded(stored, config, layout):
    words = f"{layout.before['embeddings.word']}.weight"
    rows = np.full((8, stored[words].shape[1]), 99, np.float32)
    return {**stored, words: np.concatenate([stored[words], rows])}, {**config, "vocab_size": config["vocab_size"] + 8}


def in_shards(folder, stored):
    names = sorted(stored)
    places = {name: f"model-{number % 3 + 1:05}-of-00003.safetensors" for number, name in enumerate(names)}
    for shard in set(places.values()):
        save_file({name: stored[name] for name in names if places[name] == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


FORMS = {"pre-trained": pre_trained, "fine-tuned": fine_tuned, "prefixed": prefixed, "padded": padded}


@pytest.mark.parametrize(
    ("family", "form"),
    [
        pytest.param(family, form, marks=() if family == "bert" and form == "fine-tuned" else pytest.mark.slow(3))
        for family in FAMILIES
        for form in (*FORMS, "sharded", "pytorch")
    ],
)
def test_an_encoder_in_any_form_gives_its_golden_outputs(family, form, shared, tmp_path, out):
    source = shared / "reference" / "encoders" / family
    if not source.is_dir():
        pytest.skip("../shared/reference/encoders is not here")
    stored, config = load_file(source / "model.safetensors"), json.loads((source / "config.json").read_text())
    if form in FORMS:
        stored, config = FORMS[form](stored, config, LAYOUTS[family])
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    if form == "sharded":
        in_shards(folder, stored)
    elif form == "pytorch":
        save_archive(folder / "pytorch_model.bin", stored)
    else:
        save_file(stored, folder / "model.safetensors")
    convert(folder, out)
    golden = arrays_of(source / "golden.npz")
    arguments = {name: golden[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in golden}
    real = golden["attention_mask"] == 1
    for place in (folder, out):
        found = nqperf.load_encoder(place)(**arguments)
        assert np.abs(found.last_hidden_state - golden["last_hidden_state"])[real].max() < FAMILY_LIMIT
        if "pooler_output" in golden:
            assert np.abs(found.pooler_output - golden["pooler_output"]).max() < FAMILY_LIMIT
