import json
import os
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nqperf.errors import FormatError
from nqperf.formats.weights.checkpoints import convert, find_source
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tensorflow_checkpoint import GOOGLE, THESIS
from nqperf.model.config import BertConfig
from nqperf.model.weights import expected_shapes, initial_weights
from tests.arrays import arrays_of
from tests.checkpoints import save_checkpoint
from tests.reference_files import REFERENCE, needs_reference
from tests.references import bert

CONFIG = BertConfig(
    vocab_size=9,
    hidden_size=6,
    num_hidden_layers=24,
    num_attention_heads=3,
    intermediate_size=10,
    max_position_embeddings=5,
    hidden_act="gelu_new",
)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[Q]", "the", "kea", "##s", "."]
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def without(mapping, *names):
    return {name: value for name, value in mapping.items() if name not in names}


def write_config(folder, name="bert_config.json", **fields):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({**CONFIG.to_dict(), "hidden_act": "gelu", **fields}))


def some_values(shapes):
    generator = np.random.default_rng(5)
    return {name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def google_variables():
    """Give the 396 variables of Google's BERT Joint, spelt out, at tiny sizes."""
    size, inner = CONFIG.hidden_size, CONFIG.intermediate_size
    norm = {"beta": (size,), "gamma": (size,)}
    layer = {f"attention/output/LayerNorm/{role}": shape for role, shape in norm.items()}
    layer |= {f"output/LayerNorm/{role}": shape for role, shape in norm.items()}
    for name, (into, out) in {
        "attention/self/query": (size, size),
        "attention/self/key": (size, size),
        "attention/self/value": (size, size),
        "attention/output/dense": (size, size),
        "intermediate/dense": (size, inner),
        "output/dense": (inner, size),
    }.items():
        layer |= {f"{name}/kernel": (into, out), f"{name}/bias": (out,)}
    shapes = {f"bert/embeddings/LayerNorm/{role}": shape for role, shape in norm.items()} | {
        "bert/embeddings/word_embeddings": (CONFIG.vocab_size, size),
        "bert/embeddings/position_embeddings": (CONFIG.max_position_embeddings, size),
        "bert/embeddings/token_type_embeddings": (2, size),
        "bert/pooler/dense/kernel": (size, size),
        "bert/pooler/dense/bias": (size,),
        "cls/nq/output_weights": (2, size),
        "cls/nq/output_bias": (2,),
        "answer_type_output_weights": (5, size),
        "answer_type_output_bias": (5,),
    }
    for index in range(24):
        shapes |= {f"bert/encoder/layer_{index}/{name}": shape for name, shape in layer.items()}
    return {**some_values(shapes), "global_step": np.int64(31)}


@pytest.fixture(scope="module")
def variables():
    return google_variables()


@pytest.fixture
def hugging_face(tmp_path):
    """Make a folder as Hugging Face's BertModel saves it: no prefix, no heads."""
    folder = tmp_path / "hugging-face"
    write_config(folder, "config.json")
    weights = initial_weights(CONFIG, seed=1)
    encoder = {name.removeprefix("bert."): values for name, values in weights.items() if name.startswith("bert.")}
    save_file(encoder, folder / "model.safetensors")
    return folder


def restore(folder, change):
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")


def converted(source, out, **options):
    report = convert(source, out, **options)
    return report, open_model(out).read_weights()


# Reference files


@needs_reference
def test_names_and_shapes_of_googles_published_checkpoint():
    large = BertConfig(
        vocab_size=30522,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        max_position_embeddings=512,
    )
    lines = (REFERENCE / "bert_joint-variables.txt").read_text().splitlines()
    published = {line.split()[0]: tuple(json.loads(line[line.index("[") : line.index("]") + 1])) for line in lines}
    assert len(published) == 396
    assert published == {**GOOGLE.shapes(large), "global_step": ()}


@needs_reference
def test_both_reference_checkpoints_give_one_model_and_its_logits(tmp_path):
    folder = REFERENCE / "checkpoints"
    google, weights = converted(folder / "bert_joint.ckpt", tmp_path / "google")
    thesis, same = converted(folder / "model_cpkt-1", tmp_path / "thesis")
    assert (google.source_kind, thesis.source_kind) == (GOOGLE.source, THESIS.source)
    assert google.config == thesis.config
    assert google.tokenizer is None
    assert any("no tokenizer" in note and "vocab.txt" in note for note in google.notes)
    for name, values in weights.items():
        np.testing.assert_array_equal(values, same[name])
    expected = arrays_of(folder / "outputs.npz")
    inputs = [expected[name] for name in ("input_ids", "input_mask", "segment_ids")]
    names = ("start_logits", "end_logits", "answer_type_logits")
    for name, values in zip(names, bert.logits(weights, google.config, *inputs), strict=True):
        # 1e-4 is promised; float64 against the thesis's float32 is far closer, and the exact GELU is at 4e-4.
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5)


@needs_reference
def test_a_hugging_face_encoder_gives_its_outputs(tmp_path):
    folder = REFERENCE / "bert-tiny"
    report, weights = converted(folder, tmp_path / "out", seed=4)
    assert report.new == ("span.weight", "span.bias", "answer_type.weight", "answer_type.bias")
    assert report.config.hidden_act == "gelu"
    expected = arrays_of(folder / "outputs.npz")
    inputs = [expected[name] for name in ("input_ids", "input_mask", "segment_ids")]
    sequence, pooled = bert.encode(weights, report.config, *inputs)
    np.testing.assert_allclose(sequence, expected["sequence_output"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(pooled, expected["pooled_output"], rtol=0, atol=2e-5)


@needs_reference
def test_a_folder_with_two_checkpoints_asks_which(tmp_path):
    with pytest.raises(FormatError, match=r"several models \(bert_joint\.ckpt, model_cpkt-1\); expected one: name it"):
        convert(REFERENCE / "checkpoints", tmp_path / "out")


# Google


def test_googles_checkpoint_in_its_own_layout(tmp_path, variables):
    assert len(variables) == 396
    source = tmp_path / "bert-joint"
    write_config(source)
    (source / "vocab-nq.txt").write_text("\n".join(PIECES))
    training = {
        "bert/pooler/dense/bias/adam_m": np.zeros(6, np.float32),
        "bert/pooler/dense/bias/adam_v": np.zeros(6, np.float32),
        "beta1_power": np.float32(0.9),
        "beta2_power": np.float32(0.999),
        "cls/predictions/output_bias": np.zeros(9, np.float32),
        "cls/seq_relationship/output_weights": np.zeros((2, 6), np.float32),
    }
    save_checkpoint(source / "bert_joint.ckpt", {**variables, **training})
    report, weights = converted(source, tmp_path / "out")
    assert report.source_kind == GOOGLE.source
    assert (report.tensors, report.new) == (395, ())
    assert report.unused == ("cls/predictions/output_bias", "cls/seq_relationship/output_weights")
    assert open_model(tmp_path / "out").require_tokenizer().path == tmp_path / "out" / "vocab.txt"
    for ours, theirs in {
        "bert.embeddings.word_embeddings.weight": variables["bert/embeddings/word_embeddings"],
        "bert.embeddings.LayerNorm.weight": variables["bert/embeddings/LayerNorm/gamma"],
        "bert.encoder.layer.10.attention.output.LayerNorm.bias": variables[
            "bert/encoder/layer_10/attention/output/LayerNorm/beta"
        ],
        "bert.encoder.layer.23.attention.self.query.weight": variables[
            "bert/encoder/layer_23/attention/self/query/kernel"
        ].T,
        "bert.encoder.layer.1.output.dense.weight": variables["bert/encoder/layer_1/output/dense/kernel"].T,
        "span.weight": variables["cls/nq/output_weights"],
        "answer_type.bias": variables["answer_type_output_bias"],
    }.items():
        np.testing.assert_array_equal(weights[ours], theirs)


def test_every_fault_of_a_checkpoint_is_listed(tmp_path, variables):
    write_config(tmp_path)
    faulty = without(variables, "bert/pooler/dense/bias", "cls/nq/output_bias")
    faulty |= {"bert/extra": np.zeros(3, np.float32), "answer_type_output_weights": np.zeros((4, 6), np.float32)}
    save_checkpoint(tmp_path / "x.ckpt", faulty)
    with pytest.raises(FormatError) as caught:
        convert(tmp_path / "x.ckpt", tmp_path / "out")
    for part in (
        "x.ckpt: tensors that do not fit the configuration: 4 (",
        "unknown: bert/extra [3]",
        "missing: bert/pooler/dense/bias [6], cls/nq/output_bias [2]",
        "misshapen: answer_type_output_weights [4, 6], expected [5, 6]",
    ):
        assert part in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_integers_under_a_weights_name_are_refused(tmp_path, variables):
    write_config(tmp_path)
    save_checkpoint(tmp_path / "x.ckpt", {**variables, "cls/nq/output_bias": np.zeros(2, np.int32)})
    with pytest.raises(FormatError, match="field cls/nq/output_bias: has type int32"):
        convert(tmp_path / "x.ckpt", tmp_path / "out")


def test_variables_of_something_else_are_no_bert(tmp_path):
    write_config(tmp_path)
    save_checkpoint(tmp_path / "x.ckpt", {"resnet/kernel": np.zeros(3, np.float32)})
    with pytest.raises(FormatError, match=r"is no BERT checkpoint; expected .* got resnet/kernel"):
        convert(tmp_path / "x.ckpt", tmp_path / "out")


def damage(path, fault):
    if fault == "missing":
        path.unlink()
    elif fault == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif fault == "empty":
        os.truncate(path, 0)
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("data-00000-of-00001", "missing"),
        ("data-00000-of-00001", "truncated"),
        ("data-00000-of-00001", "flipped"),
        ("index", "truncated"),
        ("index", "flipped"),
        ("index", "empty"),
    ],
)
def test_a_damaged_checkpoint_is_refused(tmp_path, variables, part, fault):
    write_config(tmp_path)
    save_checkpoint(tmp_path / "x.ckpt", variables)
    damage(tmp_path / f"x.ckpt.{part}", fault)
    with pytest.raises(FormatError, match=r"x\.ckpt.*cannot be read as a TensorFlow checkpoint") as caught:
        convert(tmp_path / "x.ckpt", tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


# The thesis


def test_the_thesiss_checkpoint_with_heads_apart_and_training_state(tmp_path):
    weights = some_values(expected_shapes(CONFIG))
    apart = (CONFIG.num_attention_heads, CONFIG.hidden_size // CONFIG.num_attention_heads)
    saved = {}
    for name, values in weights.items():
        theirs = THESIS.name_of(name)
        if theirs.endswith("kernel" + VALUE) and name.startswith("bert."):
            values = values.T  # noqa: PLW2901  # the checkpoint's orientation
        if ".attention.self." in name:
            values = values.reshape(*values.shape[:-1], *apart)  # noqa: PLW2901
        if name.endswith("attention.output.dense.weight"):
            values = values.reshape(*apart, CONFIG.hidden_size)  # noqa: PLW2901
        saved[theirs] = values
    bias = THESIS.name_of("span.bias").removesuffix(VALUE)
    saved |= {
        "_CHECKPOINTABLE_OBJECT_GRAPH": b"graph",
        f"save_counter{VALUE}": np.int64(1),
        f"optimizer/iter{VALUE}": np.int64(7),
        f"model/optimizer/learning_rate{VALUE}": np.float32(1e-5),
        f"{bias}/.OPTIMIZER_SLOT/optimizer/m{VALUE}": np.zeros(2, np.float32),
    }
    write_config(tmp_path / "source")
    save_checkpoint(tmp_path / "source" / "model_cpkt-1", saved)
    report, read = converted(tmp_path / "source", tmp_path / "out")
    assert report.source_kind == THESIS.source
    assert saved["model/layer_with_weights-0/encoder/layers/0/attention_layer/query_dense/kernel" + VALUE].ndim == 3
    for name, values in weights.items():
        np.testing.assert_array_equal(read[name], values)


# Hugging Face


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: f"bert.{name}",
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    ],
    ids=["bare", "prefix", "gamma and beta"],
)
def test_hugging_face_names_old_and_new(tmp_path, hugging_face, rename):
    restore(hugging_face, lambda stored: {rename(name): values for name, values in stored.items()})
    extra = {"bert.embeddings.position_ids": np.arange(5), "cls.predictions.bias": np.zeros(9, np.float32)}
    restore(hugging_face, lambda stored: {**stored, **extra})
    report, weights = converted(hugging_face, tmp_path / "out", seed=8)
    assert report.unused == ("cls.predictions.bias",)
    assert (report.new, report.seed) == (
        ("span.weight", "span.bias", "answer_type.weight", "answer_type.bias"),
        8,
    )
    for name, values in (initial_weights(CONFIG, seed=1) | initial_weights(CONFIG, seed=8, names=report.new)).items():
        np.testing.assert_array_equal(weights[name], values)


def test_a_missing_pooler_is_made_anew(tmp_path, hugging_face):
    restore(hugging_face, lambda stored: without(stored, "pooler.dense.weight", "pooler.dense.bias"))
    assert convert(hugging_face, tmp_path / "out").new[:2] == ("bert.pooler.dense.weight", "bert.pooler.dense.bias")


def test_half_a_head_is_missing_the_other_half(tmp_path, hugging_face):
    restore(hugging_face, lambda stored: {**stored, "span.weight": np.zeros((2, 6), np.float32)})
    with pytest.raises(FormatError, match=r"configuration: 1 \(missing: span\.bias \[2\]\)"):
        convert(hugging_face, tmp_path / "out")


def test_the_head_of_bert_for_question_answering_is_the_span_head(tmp_path, hugging_face):
    head = {"qa_outputs.weight": np.full((2, 6), 3, np.float32), "qa_outputs.bias": np.ones(2, np.float32)}
    restore(hugging_face, lambda stored: {**stored, **head})
    report, weights = converted(hugging_face, tmp_path / "out")
    assert report.new == ("answer_type.weight", "answer_type.bias")
    np.testing.assert_array_equal(weights["span.weight"], head["qa_outputs.weight"])


def test_one_tensor_under_two_names_is_refused(tmp_path, hugging_face):
    restore(hugging_face, lambda stored: {**stored, "bert.pooler.dense.bias": np.zeros(6, np.float32)})
    with pytest.raises(FormatError, match="is there twice"):
        convert(hugging_face, tmp_path / "out")


def test_every_fault_of_a_hugging_face_folder_is_listed(tmp_path, hugging_face):
    restore(
        hugging_face,
        lambda stored: {
            **without(stored, "encoder.layer.3.output.dense.bias"),
            "embeddings.classes.weight": np.zeros((3, 6), np.float32),
            "pooler.dense.weight": np.zeros((6, 5), np.float32),
        },
    )
    with pytest.raises(FormatError, match=r"unknown: bert\.emb.*classes.*missing: bert\.enc.*misshapen: bert\.pooler"):
        convert(hugging_face, tmp_path / "out")


def test_a_model_folder_converts_to_itself_with_its_settings(tmp_path, hugging_face):
    (hugging_face / "vocab.txt").write_text("\n".join(PIECES))
    (hugging_face / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    write_config(hugging_face, "config.json", nqperf={"long_threshold": 2.5})
    convert(hugging_face, tmp_path / "first")
    report = convert(tmp_path / "first", tmp_path / "second", dtype="float16")
    assert report.new == ()
    read = open_model(tmp_path / "second")
    assert read.settings.long_threshold == 2.5
    assert not read.require_tokenizer().lower_case


# Sources, configurations, tokenizers, outputs


def test_a_checkpoint_is_found_by_any_of_its_files(tmp_path):
    for suffix in ("index", "meta", "data-00000-of-00001"):
        (tmp_path / f"bert_joint.ckpt.{suffix}").touch()
        assert find_source(tmp_path / f"bert_joint.ckpt.{suffix}") == tmp_path / "bert_joint.ckpt"
    assert find_source(tmp_path / "bert_joint.ckpt") == tmp_path / "bert_joint.ckpt"
    assert find_source(tmp_path) == tmp_path / "bert_joint.ckpt"


@pytest.mark.parametrize("name", ["nowhere", ".index", "file"])
def test_what_is_no_source_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match=r"is neither a folder nor a checkpoint; expected PREFIX\.index"):
        find_source(tmp_path / name)


def test_an_unfit_folder_says_what_it_holds(tmp_path):
    with pytest.raises(FormatError, match=r"holds no model; .*got nothing"):
        find_source(tmp_path)
    (tmp_path / "notes.md").touch()
    with pytest.raises(FormatError, match=r"got notes\.md"):
        find_source(tmp_path)


def test_a_missing_configuration_says_where_it_was_looked_for(tmp_path, hugging_face):
    (hugging_face / "config.json").unlink()
    with pytest.raises(FormatError, match=r"hugging-face: has no config\.json and no bert_config\.json"):
        convert(hugging_face, tmp_path / "out")


def test_a_named_vocabulary_is_taken_and_a_missing_one_is_refused(tmp_path, hugging_face):
    with pytest.raises(FormatError, match=r"words\.txt: no such file; expected a vocab\.txt"):
        convert(hugging_face, tmp_path / "out", tokenizer=tmp_path / "words.txt")
    (tmp_path / "words.txt").write_text("\n".join(PIECES))
    report = convert(hugging_face, tmp_path / "out", tokenizer=tmp_path / "words.txt")
    assert report.tokenizer == tmp_path / "words.txt"
    assert report.notes == ()


def test_a_vocabulary_of_another_size_is_refused(tmp_path, hugging_face):
    (hugging_face / "vocab.txt").write_text("\n".join([*PIECES, "a"]))
    with pytest.raises(FormatError, match=r"vocab\.txt: has 10 pieces; expected at most 9"):
        convert(hugging_face, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_source_is_never_the_output(hugging_face):
    before = (hugging_face / "model.safetensors").read_bytes()
    with pytest.raises(FormatError, match=re.escape(f"{hugging_face}: is the source's own folder")):
        convert(hugging_face, hugging_face)
    assert (hugging_face / "model.safetensors").read_bytes() == before


def test_an_output_that_cannot_be_replaced_is_refused_before_any_reading(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    (tmp_path / "empty.index").touch()
    with pytest.raises(FormatError, match=r"no part of a model folder \(thesis\.tex\)"):
        convert(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(FormatError, match="nowhere: is neither a folder nor a checkpoint"):
        convert(tmp_path / "nowhere", tmp_path / "out")
