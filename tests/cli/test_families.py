"""Every family through every command, on tiny networks that were converted from Hugging Face's files."""

import json

import numpy as np
import pytest

from nqperf.formats.nq.logits_npz import read_logits
from nqperf.model.families import FAMILIES
from tests.documents import river_examples, write_lines
from tests.families import write_hugging_face

SHORT_WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12")
each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("data") / "rivers.jsonl", river_examples(3))


@each_family
def test_convert_says_loudly_that_heads_are_new(call, family, tmp_path, vocabulary_of):
    source = tmp_path / "source"
    source.mkdir()
    write_hugging_face(source, family, vocabulary_of(family))
    code, out, err = call("convert", source, tmp_path / "out")
    assert code == 0
    assert "THE SPAN HEAD IS NEW" in err
    assert "new, drawn with seed 0: span.weight, span.bias, answer_type.weight, answer_type.bias" in out
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == family


@each_family
def test_run_answers_and_warns_of_untrained_answers(call, family, family_folder, data, tmp_path):
    code, out, err = call("run", data, "--model", family_folder(family), "--out", tmp_path / "out", *SHORT_WINDOWS)
    assert code == 0, err
    assert "has a new span head: its answers are untrained" in err
    assert "3 examples" in out
    logits = list(read_logits(tmp_path / "out" / "logits.npz"))
    for name in ("start_logits", "end_logits", "answer_type_logits"):
        values = np.concatenate([getattr(block, name) for block in logits])
        assert np.isfinite(values).all()
        # The null answer depends on the window in a causal network, too.
        assert len(np.unique(values[:, 0])) == len(values)


# BERT goes through these commands in tests of their own. The findings of tiny random weights are no news.
@pytest.mark.slow
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "bert"])
def test_the_casts_of_a_model_folder(call, family, family_folder, data):
    folder = family_folder(family)
    code, out, err = call("casts", "audit", folder, "--precision", "mixed_float16", "--json")
    assert (code, json.loads(out)["findings"]) == (0, []), err
    options = ("--precision", "mixed_float16", "--data", data, "--limit", 1, "--max-seq-length", 80, "--json")
    code, out, err = call("casts", "drift", folder, *options)
    assert code in (0, 1), err
    drifted = json.loads(out)
    assert drifted["task"]["features"] > 0
    code, out, err = call("casts", "bisect", folder, *options, "--tolerance", 0.5)
    assert code == 0, err
    assert json.loads(out)["layers"] == []  # 16 bits are that near without any layer in float32


# The two whose graphs differ most from BERT's. All of these but the row of 16 bits start faster than TensorFlow would.
@pytest.mark.slow(15)
@pytest.mark.parametrize(("family", "row"), [("albert", "openvino"), ("gpt2", "mixed_bfloat16")])
def test_bench_measures_another_family(call, family, row, family_folder, data, tmp_path):
    requested = ("--model", family_folder(family), "--max-seq-length", 96, "--variants", row)
    brief = ("--baseline", "onnxruntime", "--rounds", 1, "--quiet")
    code, _, err = call("bench", data, *requested, *brief, "--out", tmp_path / "run.json")
    assert code in (0, 1, 3, 4), err  # the times are noise here, so any verdict may come out
    baseline, variant = json.loads((tmp_path / "run.json").read_text())["variants"]
    assert baseline["status"] == "measured", baseline["reason"]
    assert variant["status"] in {"measured", "skipped"}, variant["reason"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "merges.txt").unlink(), "merges.txt: is missing beside vocab.json"),
        (lambda folder: (folder / "vocab.json").rename(folder / "vocab.txt"), "the vocabulary of another family"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "xlnet"}'), "model_type is 'xlnet'"),
    ],
)
def test_a_broken_folder_is_one_line_and_leaves_nothing(call, change, said, tmp_path, vocabulary_of):
    source = tmp_path / "source"
    source.mkdir()
    write_hugging_face(source, "gpt2", vocabulary_of("gpt2"))
    change(source)
    code, out, err = call("convert", source, tmp_path / "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
