"""A saved Keras model: which of its layers --precision changes, own layers by --import, its weights in a drift."""

import importlib
import json
import sys

import click.testing
import keras
import numpy as np
import pytest

from nqperf.casts.targets import resolve
from nqperf.cli.casts import casts
from nqperf.errors import NqPerfError

OWN = """
import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("own_layers")
class Shifted(keras.layers.Layer):
    def call(self, x):
        return x + tf.ones((4,))


@keras.saving.register_keras_serializable("own_layers")
class Block(keras.layers.Layer):
    def build(self, shape):
        self.inner = keras.layers.Dense(4)
        self.inner.build(shape)

    def call(self, x):
        return x + self.inner(x)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_layers.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("own_layers", None)
    keras.saving.get_custom_objects().clear()


def saved(path, policy, *, norm=None, head="float32", own=None):
    """Save a small model of `policy` with a head and a norm of other policies."""
    inputs = keras.Input((4,), batch_size=2)
    hidden = keras.layers.Dense(4, dtype=policy, name="dense")(inputs)
    if own is not None:
        hidden = own(dtype=policy, name="own")(hidden)
    hidden = keras.layers.LayerNormalization(dtype=norm or policy, name="norm")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2, dtype=head, name="head")(hidden))
    model.save(path)
    return model


def policies(path, precision):
    return {layer.name: layer.dtype_policy.name for layer in resolve(str(path)).build(precision=precision).layers[1:]}


def audited(*words):
    outcome = click.testing.CliRunner().invoke(casts, ["audit", *words, "--json"], catch_exceptions=False)
    return json.loads(outcome.output[: outcome.output.rindex("}") + 1]), outcome.exit_code


def test_a_mixed_models_float32_layers_stay_and_its_half_ones_change(folder):
    saved(folder / "mixed.keras", "mixed_float16", norm="float32")
    found = policies(folder / "mixed.keras", "mixed_bfloat16")
    assert found == {"dense": "mixed_bfloat16", "norm": "float32", "head": "float32"}
    assert policies(folder / "mixed.keras", "mixed_float16")["norm"] == "float32"


def test_a_float32_model_becomes_what_is_asked_for(folder):
    saved(folder / "wide.keras", "float32")
    assert set(policies(folder / "wide.keras", "mixed_float16").values()) == {"mixed_float16"}


def test_the_global_policy_does_not_say_what_a_saved_model_is(folder):
    """A model without a policy of its own names the one in force when it is loaded, not the one of its layers."""
    saved(folder / "wide.keras", "float32")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = policies(folder / "wide.keras", "mixed_float16")
    finally:
        keras.config.set_dtype_policy("float32")
    assert set(found.values()) == {"mixed_float16"}


def test_without_a_precision_both_of_16_bits_are_audited(folder):
    saved(folder / "mixed.keras", "mixed_float16")
    document, code = audited("mixed.keras")
    assert [each["precision"] for each in document["audits"]] == ["mixed_float16", "mixed_bfloat16"]
    assert code == 0
    assert all(each["metrics"]["allow_list_16_bit_share"] == 0.5 for each in document["audits"])


def test_own_layers_are_imported_by_name_and_their_lines_found(folder):
    own_layers = importlib.import_module("own_layers")
    saved(folder / "own.keras", "float32", own=own_layers.Shifted)
    document, code = audited("own.keras", "--import", "own_layers", "--precision", "mixed_float16")
    assert code == 1
    assert [(each["rule"], each["path"], each["line"]) for each in document["findings"]] == [
        ("CAST001", "own_layers.py", 9)
    ]
    assert document["findings"][0]["verified"]
    sys.modules.pop("own_layers")
    keras.saving.get_custom_objects().clear()
    drifted = click.testing.CliRunner().invoke(
        casts, ["drift", "own.keras", "--import", "own_layers", "--precision", "float32"]
    )
    assert "verdict: HOLDS" in drifted.output, drifted.exception


@pytest.mark.usefixtures("folder")
def test_layers_that_an_own_layer_makes_as_it_is_built_get_the_policy_that_is_asked_for():
    """They stand in no configuration, and stayed in float32: the file had faults that its builder had not."""
    own = importlib.import_module("own_layers")
    saved("m.keras", "float32", own=own.Block)
    keras.saving.get_custom_objects().clear()
    sys.modules.pop("own_layers")
    found, code = audited("m.keras", "--import", "own_layers", "--precision", "mixed_float16")
    assert (found["findings"], code) == ([], 0)
    model = resolve("m.keras").build(precision="mixed_float16")
    assert model.get_layer("own").inner.compute_dtype == "float16"


def test_a_file_of_unknown_layers_or_none_is_one_line(folder):
    own_layers = importlib.import_module("own_layers")
    saved(folder / "own.keras", "float32", own=own_layers.Shifted)
    sys.modules.pop("own_layers")
    keras.saving.get_custom_objects().clear()
    (folder / "own_layers.py").unlink()
    (folder / "broken.keras").write_bytes(b"PK\x03\x04 no model")
    for words in (["own.keras"], ["broken.keras"], ["missing.keras"], ["own.keras", "--import", "missing_module"]):
        outcome = click.testing.CliRunner().invoke(casts, ["audit", *words])
        assert isinstance(outcome.exception, NqPerfError), (words, outcome.output)
        assert len(str(outcome.exception).splitlines()) == 1


def test_a_script_that_ends_the_program_is_no_end_of_the_audit(folder):
    (folder / "own_layers.py").write_text("import argparse\nargparse.ArgumentParser().parse_args(['--rows'])\n")
    sys.modules.pop("own_layers", None)
    with pytest.raises(NqPerfError, match=r"own_layers cannot be imported: SystemExit: 2 \(at own_layers.py:2\)"):
        resolve("own_layers:build")


def test_what_cannot_be_loaded_is_named_and_not_the_whole_model(folder):
    class Nowhere(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((4,))
    for name, layer, words in (
        ("foreign", Nowhere(), "(Could not locate class 'Nowhere'. Make sure"),
        ("anonymous", keras.layers.Lambda(lambda x: x + 1.0), "(Requested the deserialization of a `Lambda` layer"),
    ):
        keras.Model(inputs, layer(inputs)).save(folder / f"{name}.keras")
        with pytest.raises(NqPerfError) as refused:
            resolve(f"{name}.keras").build()
        assert words in str(refused.value)
        assert "register them by @keras.saving.register_keras_serializable()" in str(refused.value)


def test_a_drift_runs_the_weights_that_are_saved(folder):
    model = saved(folder / "mixed.keras", "mixed_float16")
    values = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.savez(folder / "rows.npz", values)
    words = ["drift", "mixed.keras", "--inputs", "rows.npz", "--json"]
    outcome = click.testing.CliRunner().invoke(casts, words, catch_exceptions=False)
    narrow, narrower = json.loads(outcome.output)["drifts"]
    assert (narrow["precision"], narrower["precision"]) == ("mixed_float16", "mixed_bfloat16")
    assert 0 < narrow["outputs"]["output"]["relative_l2"] < 0.01
    assert narrow["outputs"]["output"]["relative_l2"] < narrower["outputs"]["output"]["relative_l2"] < 0.1
    assert narrow["verdict"]["holds"]
    assert narrower["verdict"]["holds"]
    target = resolve("mixed.keras")
    twin = target.build(precision="float32")
    weights = target.weights(twin)
    assert {tuple(each.shape) for each in weights.values()} == {tuple(each.shape) for each in model.variables}
    np.testing.assert_array_equal(weights[twin.variables[0].path], np.asarray(model.variables[0]))
