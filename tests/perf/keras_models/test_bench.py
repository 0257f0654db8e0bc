"""A whole run of a user's model: processes, outputs, times, record and report. Slow, for each row starts TensorFlow."""

import pytest

from nqperf.cli.main import main
from nqperf.formats.results.results_json import read_results

MODULE = """
import keras
import tensorflow as tf

class Broken(keras.layers.Layer):
    def call(self, inputs):
        return tf.cast(tf.exp(tf.cast(inputs, self.compute_dtype) * 0 + 20), self.compute_dtype) * inputs

def build(broken=False):
    ids = keras.Input((16,), dtype="int32", name="ids")
    x = keras.layers.Embedding(50, 32)(ids)
    x = keras.layers.Dense(64, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    if broken:
        x = Broken()(x)
    return keras.Model(ids, keras.layers.Dense(3, dtype="float32")(x))

def overflowing():
    return build(broken=True)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "bench_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends(*arguments):
    with pytest.raises(SystemExit) as leave:
        main(["bench", *arguments])
    return leave.value.code


@pytest.mark.long
@pytest.mark.slow(40)
def test_a_model_in_a_row_of_16_bits(folder, capsys):
    options = ("--quick", "--budget", "150", "--rounds", "1", "--variants", "mixed_bfloat16")
    code = ends("bench_models:build", *options, "--out", "run.json", "--report", "run.html")
    out, err = capsys.readouterr()
    assert code in (0, 4), out + err
    results = read_results(folder / "run.json")
    row = results.variant("mixed_bfloat16")
    assert row.status == "measured"
    assert row.agreement.metric == "same decisions"
    assert 0 < row.agreement.details["relative_error"] < 0.1
    assert results.model.name == "bench_models:build"
    assert results.data.counts == {"rows": 80}
    assert "same decisions" in out
    assert "rows/s" in (folder / "run.html").read_text()


@pytest.mark.long
@pytest.mark.slow(30)
def test_a_model_that_overflows_in_float16_fails(folder, capsys):
    options = ("--quick", "--budget", "150", "--rounds", "1", "--variants", "mixed_float16", "--out", "run.json")
    assert ends("bench_models:overflowing", *options) in (1, 4), capsys.readouterr()
    row = read_results(folder / "run.json").variant("mixed_float16")
    assert row.status == "failed"
    assert "NaN or infinite" in row.reason


@pytest.mark.slow(10)
def test_a_builder_that_needs_arguments_is_one_line(folder, capsys):
    (folder / "bench_needs.py").write_text("def build(size):\n    return size\n")
    assert ends("bench_needs:build", "--quick", "--budget", "150") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().splitlines()[-1].startswith("nqperf: error: bench_needs:build needs arguments")
