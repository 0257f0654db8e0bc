"""What is asked of a run of a user's model, refused before anything starts where it cannot be met."""

import numpy as np
import pytest

from nqperf.errors import ConfigError, VariantError
from nqperf.perf.keras_models.config import KerasBenchConfig, names_keras_model
from nqperf.perf.keras_models.outputs import LIMITS
from nqperf.statistics.answers import fewest_within


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mymodel:build", True),
        ("pkg.models:build", True),
        ("model.keras", True),
        (None, False),
        ("dev.jsonl.gz", False),
        ("s3://bucket/dev.jsonl.gz", False),
        ("-", False),
    ],
)
def test_a_model_is_told_from_data(text, found):
    assert names_keras_model(text) is found


def test_the_rows_are_those_that_tensorflow_runs():
    names = [row.name for row in KerasBenchConfig.from_options("m:build").rows()]
    assert {"xla", "xla_clusters", "mixed_bfloat16", "eager", "grappler"} <= set(names)
    assert not {"baseline", "onnxruntime", "jax", "mixed_bfloat16_weights"} & set(names)


def test_the_rows_that_are_asked_for_are_known():
    config = KerasBenchConfig.from_options("m:build", variants="xla,eager")
    assert config.asked == {"xla", "eager"}
    assert [row.name for row in config.rows()] == ["eager", "xla"]


@pytest.mark.parametrize(
    ("target", "options", "error", "words"),
    [
        ("m:build", {"variants": "onnxruntime"}, VariantError, "nqperf's own networks in onnxruntime"),
        ("m:build", {"variants": "mixed_bfloat16_weights"}, VariantError, "narrow_weights"),
        ("m:build", {"against": "other"}, ConfigError, "against has no effect"),
        ("m:build", {"vocabulary": 0}, ConfigError, "vocabulary is 0"),
        ("m:build", {"inputs": "none.npz"}, ConfigError, "none.npz: no such file"),
        ("none.keras", {}, ConfigError, "no such file"),
        ("m:a:b", {}, ConfigError, "module:function"),
    ],
)
def test_what_cannot_be_met_is_refused(target, options, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "inputs" in options:
        options = {"inputs": tmp_path / options["inputs"]}
    with pytest.raises(error, match=words.replace(".", r"\.")):
        KerasBenchConfig.from_options(target, **options)


def test_real_inputs_and_a_vocabulary_do_not_go_together(tmp_path):
    path = tmp_path / "in.npz"
    np.savez(path, ids=np.zeros((2, 3)))
    with pytest.raises(ConfigError, match="vocabulary is for inputs that are drawn"):
        KerasBenchConfig.from_options("m:build", inputs=path, vocabulary=5)


def test_a_quick_run_takes_as_many_rows_as_tell_that_decisions_stay(tmp_path):
    path = tmp_path / "in.npz"
    np.savez(path, ids=np.zeros((2, 3)))
    quick, whole = (KerasBenchConfig.from_options("m:build", inputs=path, quick=each) for each in (True, False))
    fewest = fewest_within(0, LIMITS["sixteen_bit"].decisions, 0.95)
    for batch_size in (1, 4, 32, 100):
        assert fewest <= quick.row_count(batch_size) // batch_size * batch_size < fewest + 8 + batch_size
    assert whole.row_count(4) == 192
    assert KerasBenchConfig.from_options("m:build", inputs=path, quick=True, limit=32).row_count(4) == 32


@pytest.mark.parametrize(
    ("options", "run", "given", "said"),
    [
        ({}, 60, 60, None),
        ({"limit": 40}, 40, 200, None),
        (
            {"quick": True},
            80,
            200,
            "80 of 200 rows of the inputs were run: --quick takes no more by itself (--limit",
        ),
        (
            {},
            192,
            200,
            "192 of 200 rows of the inputs were run: a run takes no more by itself (--limit 200",
        ),
        ({"limit": 300}, 200, 200, "--limit 300 asks for more rows than the 200 of the inputs: give more in in.npz"),
        ({}, 76, 77, "the last of 77 rows of the inputs: no whole batch of 4 is left (--batch-size takes another"),
        ({"limit": 42}, 40, 77, "the last 2 of 42 rows of the inputs: no whole batch of 4 is left"),
    ],
)
def test_why_no_more_rows_were_run_is_said(tmp_path, options, run, given, said):
    path = tmp_path / "in.npz"
    np.savez(path, ids=np.zeros((2, 3)))
    told = "; ".join(KerasBenchConfig.from_options("m:build", inputs=path, **options).rows_left(run, given, 4))
    assert told.startswith(said) if said else told == ""
    assert not list(KerasBenchConfig.from_options("m:build", **options).rows_left(run, given, 4))
