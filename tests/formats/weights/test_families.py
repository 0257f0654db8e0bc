"""Every family's Hugging Face folder becomes a model folder, and what does not fit is refused in one line."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nqperf.errors import FormatError
from nqperf.formats.weights.checkpoints import convert
from nqperf.formats.weights.model_folder import open_model
from nqperf.formats.weights.tensorflow_checkpoint import ALBERT
from nqperf.formats.weights.tokenizers import load_tokenizer
from nqperf.model.families import FAMILIES
from nqperf.model.tensors import LAYOUTS
from nqperf.model.weights import initial_weights
from tests.checkpoints import save_checkpoint
from tests.families import CONFIGS, write_hugging_face

each_family = pytest.mark.parametrize("family", FAMILIES)
HEADS = ("span.weight", "span.bias", "answer_type.weight", "answer_type.bias")


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.mark.parametrize("prefix", [False, True])
@each_family
def test_names_with_and_without_prefix(family, prefix, source, vocabulary_of):
    weights = write_hugging_face(source, family, vocabulary_of(family), prefix=prefix)
    report = convert(source, source.with_name("out"), seed=2)
    folder = open_model(source.with_name("out"))
    read = folder.read_weights()
    assert report.new == HEADS
    assert folder.settings.heads == "new"
    assert report.untrained
    assert type(folder.config) is FAMILIES[family]
    assert json.loads((folder.path / "config.json").read_text())["nqperf"]["heads"] == "new"
    for name in set(weights) - set(HEADS):
        np.testing.assert_array_equal(read[name], weights[name])
    words = ["the", "river", "[Paragraph=1]"]
    assert (
        load_tokenizer(folder.path).encode(words).ids.tolist()
        == load_tokenizer(report.tokenizer).encode(words).ids.tolist()
    )


@each_family
def test_trained_heads_stay_and_a_model_folder_converts_to_itself(family, source, vocabulary_of):
    weights = write_hugging_face(source, family, vocabulary_of(family), prefix=True, heads=True)
    once, twice = source.with_name("once"), source.with_name("twice")
    report = convert(source, once)
    convert(once, twice)
    assert report.new == ()
    assert open_model(once).settings.heads is None
    assert all(np.array_equal(values, weights[name]) for name, values in open_model(twice).read_weights().items())
    assert {path.name: path.read_bytes() for path in once.iterdir()} == {
        path.name: path.read_bytes() for path in twice.iterdir()
    }


@each_family
def test_new_heads_are_still_new_after_a_second_conversion(family, family_folder, tmp_path):
    convert(family_folder(family), tmp_path / "again")
    assert open_model(tmp_path / "again").settings.heads == "new"


@each_family
def test_the_head_for_question_answering_is_the_span_head(family, source, vocabulary_of):
    write_hugging_face(source, family, vocabulary_of(family), prefix=True)
    stored = load_file(source / "model.safetensors")
    head = np.arange(48, dtype=np.float32).reshape(2, 24)
    save_file(
        {**stored, "qa_outputs.weight": head, "qa_outputs.bias": np.ones(2, np.float32)}, source / "model.safetensors"
    )
    report = convert(source, source.with_name("out"))
    folder = open_model(source.with_name("out"))
    assert np.array_equal(folder.read_weights()["span.weight"], head)
    assert folder.settings.heads is None
    assert report.new == ("answer_type.weight", "answer_type.bias")


@pytest.mark.parametrize(
    ("family", "unused", "constants"),
    [
        ("bert", ["cls.predictions.bias", "fit_denses.0.weight"], ["embeddings.position_ids"]),
        ("albert", ["predictions.bias", "sop_classifier.classifier.bias"], ["albert.embeddings.position_ids"]),
        ("distilbert", ["vocab_transform.bias", "vocab_layer_norm.bias", "vocab_projector.bias"], []),
        ("roberta", ["lm_head.dense.bias"], ["roberta.embeddings.position_ids"]),
        ("gpt2", ["lm_head.weight"], ["h.0.attn.bias", "h.1.attn.masked_bias"]),
    ],
)
def test_what_served_the_pre_training_is_left_out_and_named(family, unused, constants, source, vocabulary_of):
    write_hugging_face(source, family, vocabulary_of(family))
    more = {name: np.ones(3, np.float32) for name in [*unused, *constants]}
    save_file({**load_file(source / "model.safetensors"), **more}, source / "model.safetensors")
    report = convert(source, source.with_name("out"))
    assert report.unused == tuple(sorted(unused))


@pytest.mark.parametrize("family", ["bert", "albert", "roberta"])
def test_a_missing_pooler_is_made_anew(family, source, vocabulary_of):
    write_hugging_face(source, family, vocabulary_of(family))
    stored = load_file(source / "model.safetensors")
    left = {name: values for name, values in stored.items() if not name.startswith("pooler.")}
    assert len(left) == len(stored) - 2
    save_file(left, source / "model.safetensors")
    pooler = LAYOUTS[family].prefix + LAYOUTS[family].after["pooler"]
    assert convert(source, source.with_name("out")).new == (f"{pooler}.weight", f"{pooler}.bias", *HEADS)


def refused(source, said):
    with pytest.raises(FormatError, match=said) as caught:
        convert(source, source.with_name("out"))
    assert "\n" not in str(caught.value)
    assert not source.with_name("out").exists()


@pytest.mark.parametrize(
    ("weights", "configuration", "said"),
    [
        ("bert", "gpt2", "holds the tensors of bert, and the configuration is of gpt2, a causal network"),
        ("gpt2", "bert", "holds the tensors of gpt2, and the configuration is of bert"),
        ("roberta", "bert", "holds the tensors of roberta, and the configuration is of bert"),
        ("albert", "distilbert", "holds the tensors of albert, and the configuration is of distilbert"),
    ],
)
def test_weights_of_another_family_are_refused(weights, configuration, said, source, vocabulary_of, tmp_path):
    write_hugging_face(source, configuration, vocabulary_of(configuration))
    (tmp_path / "other").mkdir()
    write_hugging_face(tmp_path / "other", weights, vocabulary_of(weights), prefix=True, heads=True)
    (source / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    refused(source, said)
    with pytest.raises(FormatError, match=said):
        open_model(source).read_weights()


def test_a_causal_network_has_no_use_for_the_pooler_of_a_bidirectional_one(source, vocabulary_of):
    write_hugging_face(source, "gpt2", vocabulary_of("gpt2"))
    pooler = {"pooler.dense.weight": np.ones((24, 24), np.float32), "pooler.dense.bias": np.ones(24, np.float32)}
    save_file({**load_file(source / "model.safetensors"), **pooler}, source / "model.safetensors")
    refused(source, r"unknown: pooler.dense.bias \[24\], pooler.dense.weight \[24, 24\]")


def test_an_unknown_family_is_refused(source, vocabulary_of):
    write_hugging_face(source, "bert", vocabulary_of("bert"))
    fields = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**fields, "model_type": "xlnet"}))
    refused(source, "config.json: model_type is 'xlnet'; expected one of bert, albert")


@pytest.mark.parametrize(("family", "other"), [("bert", "roberta"), ("roberta", "bert"), ("gpt2", "roberta")])
def test_the_vocabulary_of_another_family_is_refused(family, other, source, vocabulary_of):
    write_hugging_face(source, family, dataclasses.replace(vocabulary_of(other)))
    refused(source, "the vocabulary of another family")


def test_missing_merges_are_refused(source, vocabulary_of):
    write_hugging_face(source, "gpt2", vocabulary_of("gpt2"))
    (source / "merges.txt").unlink()
    refused(source, "merges.txt: is missing beside vocab.json")


def test_what_a_vocabulary_lacks_is_told_of_that_vocabulary(source, vocabulary_of):
    """One with the markers and without [Q] was said to lack both, and another model's was called padding."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[ContextId=-1]", "river", *(f"[unused{n}]" for n in range(34))]
    (source.parent / "vocab.txt").write_text("\n".join(pieces))
    vocabulary = dataclasses.replace(vocabulary_of("bert"), path=source.parent / "vocab.txt")
    write_hugging_face(source, "distilbert", vocabulary)
    (source / "vocab.txt").write_text("\n".join(pieces[:35]))
    notes = convert(source, source.with_name("out")).notes
    assert [note for note in notes if "no [Q]" in note or "markers" in note] == [
        "the vocabulary has no [Q], the piece that begins a question in BERT Joint: questions begin without"
    ]
    assert any("35 pieces, the table of embeddings 40 rows: more than padding; check" in note for note in notes)


def test_a_plain_vocabulary_of_berts_kind_is_marked_so(source, vocabulary_of):
    """A published DistilBERT knows no [Q]: its folder can prepare, and says that the question has no marker."""
    (source.parent / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nriver\nthe\n")
    vocabulary = dataclasses.replace(vocabulary_of("bert"), path=source.parent / "vocab.txt")
    write_hugging_face(source, "distilbert", vocabulary)
    report = convert(source, source.with_name("out"))
    assert (
        "the vocabulary has no [Q], the piece that begins a question in BERT Joint: questions begin without"
        in report.notes
    )
    assert any(
        "no context markers, the pieces that begin each paragraph" in note
        and note.endswith(": they are unknown pieces")
        for note in report.notes
    )
    assert load_tokenizer(source.with_name("out")).encode_question("the river").tolist() == [5, 4]
    convert(source.with_name("out"), source.with_name("again"))
    assert open_model(source.with_name("again")).settings.plain_vocabulary
    with pytest.raises(FormatError, match=r"lacks \[Q\]"):
        load_tokenizer(source / "vocab.txt")


def test_a_tensorflow_checkpoint_of_another_family_is_refused(source):
    (source / "config.json").write_text(json.dumps(CONFIGS["roberta"].to_dict()))
    save_checkpoint(source / "x.ckpt", {"bert/a": np.zeros(3, np.float32)})
    refused(source, "is a TensorFlow checkpoint, and the configuration beside it is of roberta")


@pytest.mark.parametrize(
    ("family", "variable", "kind"),
    [("albert", "bert/a", "is not ALBERT's"), ("bert", "bert/encoder/transformer/group_0/a", "is ALBERT's")],
)
def test_a_checkpoint_beside_the_other_familys_configuration_is_refused(source, family, variable, kind):
    (source / "config.json").write_text(json.dumps(CONFIGS[family].to_dict()))
    save_checkpoint(source / "x.ckpt", {variable: np.zeros(3, np.float32)})
    refused(source, f"{kind} .* and the configuration beside it is of {family}")


def google_albert(weights, config):
    """Give ALBERT's variables under the names of Google's release, spelt out: two groups of two inner ones."""
    inner = {
        "attention_1/self/query": "attention.query",
        "attention_1/self/key": "attention.key",
        "attention_1/self/value": "attention.value",
        "attention_1/output/dense": "attention.dense",
        "ffn_1/intermediate/dense": "ffn",
        "ffn_1/intermediate/output/dense": "ffn_output",
    }
    norms = {"LayerNorm": "attention.LayerNorm", "LayerNorm_1": "full_layer_layer_norm"}
    dense = {"encoder/embedding_hidden_mapping_in": "encoder.embedding_hidden_mapping_in", "pooler/dense": "pooler"}
    norm = {"embeddings/LayerNorm": "embeddings.LayerNorm"}
    for group in range(config.num_hidden_groups):
        for number in range(config.inner_group_num):
            place = f"encoder/transformer/group_{group}/inner_group_{number}"
            ours = f"encoder.albert_layer_groups.{group}.albert_layers.{number}"
            dense |= {f"{place}/{theirs}": f"{ours}.{name}" for theirs, name in inner.items()}
            norm |= {f"{place}/{theirs}": f"{ours}.{name}" for theirs, name in norms.items()}
    found = {}
    for theirs, name in dense.items():
        found[f"bert/{theirs}/kernel"] = weights[f"albert.{name}.weight"].T
        found[f"bert/{theirs}/bias"] = weights[f"albert.{name}.bias"]
    for theirs, name in norm.items():
        found[f"bert/{theirs}/gamma"] = weights[f"albert.{name}.weight"]
        found[f"bert/{theirs}/beta"] = weights[f"albert.{name}.bias"]
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        found[f"bert/embeddings/{name}"] = weights[f"albert.embeddings.{name}.weight"]
    return found


@pytest.fixture
def google_release(source, vocabulary_of):
    """Make a folder as Google's ALBERT comes: pre-training heads, no joint ones, a configuration of no family."""
    vocabulary = vocabulary_of("albert")
    config = dataclasses.replace(
        CONFIGS["albert"], num_hidden_layers=4, num_hidden_groups=2, vocab_size=vocabulary.vocabulary_size()
    )
    generator = np.random.default_rng(5)
    # Norms and biases too, which begin alike otherwise.
    weights = {
        name: generator.standard_normal(values.shape, np.float32)
        for name, values in initial_weights(config, seed=5).items()
    }
    shutil.copyfile(vocabulary.path, source / "30k-clean.model")
    stored = config.to_dict()
    del stored["model_type"]
    (source / "albert_config.json").write_text(json.dumps({**stored, "hidden_act": "gelu"}))
    pretraining = {"cls/predictions/output_bias": np.zeros(3, np.float32), "global_step": np.int64(7)}
    save_checkpoint(source / "model.ckpt-best", {**google_albert(weights, config), **pretraining})
    return source, weights, config


def test_googles_albert_checkpoint_with_new_heads(google_release):
    source, weights, _ = google_release
    report = convert(source, source.with_name("out"), seed=3)
    assert report.source_kind == ALBERT.source
    assert report.new == ("span.weight", "span.bias", "answer_type.weight", "answer_type.bias")
    assert report.untrained
    assert report.unused == ("cls/predictions/output_bias",)
    assert report.config.hidden_act == "gelu_new"
    folder = open_model(source.with_name("out"))
    assert folder.settings.heads == "new"
    assert (source.with_name("out") / "spiece.model").is_file()
    converted = folder.read_weights()
    for name, values in weights.items():
        if name.startswith("albert."):
            np.testing.assert_array_equal(converted[name], values)
    again = open_model(convert(source, source.with_name("again"), seed=3).out).read_weights()
    np.testing.assert_array_equal(converted["span.weight"], again["span.weight"])


def test_half_a_head_of_googles_albert_is_a_fault(google_release):
    source, weights, config = google_release
    half = {"cls/nq/output_weights": np.zeros((2, config.hidden_size), np.float32)}
    save_checkpoint(source / "model.ckpt-best", {**google_albert(weights, config), **half})
    refused(source, r"missing: cls/nq/output_bias \[2\]")
