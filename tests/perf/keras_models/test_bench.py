"""A whole run of a user's model: processes, outputs, times, record and report. Slow, for each row starts TensorFlow."""

import contextlib
import dataclasses
import io

import pytest

from nqperf.cli.main import main
from nqperf.formats.results.results_json import read_results
from nqperf.perf.variants.table import VARIANTS

MODULE = """
import os
import keras
import tensorflow as tf

class Overflowing(keras.layers.Layer):
    def call(self, inputs):
        return tf.cast(tf.exp(tf.cast(inputs, self.compute_dtype) * 0 + 20), self.compute_dtype) * inputs

def build():
    ids = keras.Input((16,), dtype="int32", name="ids")
    x = keras.layers.Embedding(50, 32)(ids)
    x = keras.layers.Dense(64, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    if os.environ.get("XLA_PYTHON_CLIENT_MEM_FRACTION") == ".123":
        x = Overflowing()(x)
    return keras.Model(ids, keras.layers.Dense(3, dtype="float32")(x))
"""

SHORT = """
import keras
import tensorflow as tf

class Places(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.slice(tf.ones((64, 8)), [0, 0], [tf.shape(inputs)[1], 8])

def build():
    ids = keras.Input((None,), dtype="int32", name="ids")
    return keras.Model(ids, Places()(keras.layers.Embedding(50, 8)(ids)))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends(*arguments):
    with pytest.raises(SystemExit) as leave:
        main(["bench", *arguments])
    return leave.value.code


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return the folder of a run with a row of float16 and with one in which the model overflows, and what it said."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "bench_models.py").write_text(MODULE)
    options = ("--quick", "--budget", "150", "--rounds", "1", "--variants", "mixed_float16,overflowing")
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        patched.chdir(folder)
        # Rows may set few variables. This one, which TensorFlow does not read, tells the builder which row it is in.
        overflowing = {"name": "overflowing", "environment": {"XLA_PYTHON_CLIENT_MEM_FRACTION": ".123"}}
        patched.setitem(VARIANTS, "overflowing", dataclasses.replace(VARIANTS["mixed_float16"], **overflowing))
        code = ends("bench_models:build", *options, "--out", "run.json", "--report", "run.html")
    assert code in (1, 4), said.getvalue()  # one row failed
    return folder, said.getvalue()


@pytest.mark.slow(50)
def test_a_model_in_a_row_of_16_bits(measured):
    folder, said = measured
    results = read_results(folder / "run.json")
    row = results.variant("mixed_float16")
    assert row.status == "measured"
    assert row.agreement.metric == "same decisions"
    assert 0 < row.agreement.details["relative_error"] < 0.1
    assert results.model.name == "bench_models:build"
    assert results.data.counts == {"rows": 80}
    assert "same decisions" in said
    assert "rows/s" in (folder / "run.html").read_text()


@pytest.mark.slow
def test_a_model_that_overflows_in_float16_fails(measured):
    folder, _ = measured
    row = read_results(folder / "run.json").variant("overflowing")
    assert row.status == "failed"
    assert "NaN or infinite" in row.reason


@pytest.mark.slow(10)
def test_a_builder_that_needs_arguments_is_one_line(folder, capsys):
    (folder / "bench_needs.py").write_text("def build(size):\n    return size\n")
    assert ends("bench_needs:build", "--quick", "--budget", "150") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().splitlines()[-1].startswith("nqperf: error: build(size) needs arguments")


@pytest.mark.slow(10)
def test_a_model_that_does_not_take_the_inputs_that_were_drawn_names_the_options(folder, capsys):
    (folder / "bench_short.py").write_text(SHORT)
    assert ends("bench_short:build", "--quick", "--budget", "150") == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("nqperf: error: ")]
    assert " failed at FirstBatch: " in said
    assert said.endswith(
        "(inputs were drawn, 128 where a size is open: if it takes others, name --max-seq-length SIZE, or real ones by "
        "--inputs FILE.npz)"
    )
