"""`nqperf casts` as its users meet it: exit codes, formats, a ledger, a SavedModel."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import click.testing
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.trackable.resource import CapturableResource

from nqperf.casts.edits.text import Edit
from nqperf.casts.findings import Finding
from nqperf.casts.trace.hooks import operations
from nqperf.casts.trace.sealed import sealed_trace
from nqperf.casts.trace.self_test import self_test
from nqperf.cli.casts import casts
from nqperf.cli.casts_audit import say_next_of
from nqperf.errors import ConfigError

MODULE = """
import keras
import tensorflow as tf
from keras import ops


def forward(x, y):
    return x + y


def clean(x):
    return tf.nn.relu(x)


def stops(x):
    raise RuntimeError("halfway")


def build(precision="float32"):
    inputs = keras.Input((8,), batch_size=2)
    dense = keras.layers.Dense(4, dtype=precision, name="dense")
    return keras.Model(inputs, dense(inputs), name="small")


class Shouting(keras.layers.Layer):
    def call(self, inputs):
        print("a user's word")
        return inputs


def chatty():
    print("a user's word")
    inputs = keras.Input((8,), batch_size=2)
    return keras.Model(inputs, Shouting()(inputs))
"""


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    (tmp_path / "cli_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "cli_models", raising=False)
    monkeypatch.delenv("CI", raising=False)

    def call(*arguments):
        return click.testing.CliRunner().invoke(casts, arguments, catch_exceptions=True)

    return call


def test_exit_codes_are_in_the_help_and_hold(invoke, monkeypatch):
    assert "3 no verdict" in " ".join(invoke("audit", "--help").output.split())
    half, single = "--input=float16[2,8]", "--input=float32[2,8]"
    assert invoke("audit", "cli_models:clean", half).exit_code == 0
    assert invoke("audit", "cli_models:forward", half, single).exit_code == 1
    assert isinstance(invoke("audit", "cli_models:missing", half).exception, ConfigError)
    stopped = invoke("audit", "cli_models:stops", half)
    assert stopped.exit_code == 3
    assert "INCOMPLETE" in stopped.output
    monkeypatch.setattr(operations.Hooks, "result_type", lambda _self, genuine: genuine)
    self_test.cache_clear()
    unsupported = invoke("audit", "cli_models:clean", half)
    assert unsupported.exit_code == 3
    assert "UNSUPPORTED" in unsupported.output
    assert "clean;" not in unsupported.output


def test_text_shows_the_line_a_caret_and_the_edit(invoke):
    shown = invoke("audit", "cli_models:forward", "--input=float16[2,8]", "--input=float32[2,8]").output
    assert "CAST001 cli_models.py:8" in shown
    assert "x + ops.cast(y, x.dtype)" in shown
    # Python 3.10 knows no columns: there the whole statement is underlined.
    assert f"|{' ' * (12 if sys.version_info >= (3, 11) else 5)}^^^^^" in shown


@pytest.mark.parametrize(
    "words", ["audit --format=json", "audit --format=sarif", "fix", "drift --json", "bisect --json"]
)
def test_what_the_users_code_prints_is_no_part_of_the_result(invoke, words):
    command, *options = words.split()
    done = invoke(command, "cli_models:chatty", *options)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "a user's word" in done.stderr
    assert "a user's word" not in done.stdout
    if options:
        json.loads(done.stdout)


@pytest.mark.parametrize("words", ["audit --precision=mixed_float16 --json", "drift --json", "bisect --json", "fix"])
def test_a_log_hears_what_is_done_and_the_result_holds_nothing_of_it(invoke, words, monkeypatch):
    monkeypatch.setattr("nqperf.report.progress.SECONDS_SILENT", 0.0)
    command, *options = words.split()
    done = invoke(command, "cli_models:build", *options)
    lines = [line for line in done.stderr.splitlines() if line.startswith("nqperf: ")]
    assert lines[0] == "nqperf: starting TensorFlow"
    traced, built = "nqperf: tracing mixed_float16", "nqperf: building the model in float32"
    assert (traced if command in ("audit", "fix") else built) in lines
    if command == "drift":
        assert "nqperf: running rows 1 to 2 of 2" in lines
    if command == "bisect":
        assert "nqperf: trying set 1: 1 of 1 layer in float32" in lines
    assert "nqperf: " not in done.stdout
    if "--json" in options:
        json.loads(done.stdout)


def test_what_to_run_next_is_said_beside_the_result(invoke):
    found = invoke("audit", "cli_models:build", "--precision=mixed_float16", "--input=float32[2,8]")
    assert found.stderr.splitlines()[-1] == (
        "nqperf: next: nqperf casts drift cli_models:build --input 'float32[2,8]' --precision mixed_float16"
    )
    assert "next:" not in invoke("audit", "cli_models:build", "--precision=mixed_float16", "--json").output


def small_bias(rule="NUM106", **changes):
    message = "of the weights head/bias 100.0%, most of the norm, are subnormal in float16"
    return Finding(rule=rule, location=None, layer="head", message=message, edit="keep it wide", **changes)


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ((small_bias(),), "casts drift m:build --precision mixed_float16 (what the warnings cost)"),
        (
            (small_bias(), small_bias("CAST001")),
            "casts audit m:build --precision mixed_float16 (after the edits by hand)",
        ),
        ((), "casts drift m:build --precision mixed_float16"),
    ],
)
def test_what_to_run_next_is_said_of_findings_without_an_edit(findings, said, capsys):
    audit = SimpleNamespace(complete=True, findings=findings, precision="mixed_float16")
    say_next_of("m:build", [audit], ())
    assert capsys.readouterr().err == f"nqperf: next: nqperf {said}\n"


def test_a_finding_without_an_edit_is_by_hand_and_no_edit_that_was_left_untried():
    assert small_bias().unverified == "by hand: there is none to try"
    proposed = small_bias(proposals=(Edit(path="m.py", changes=()),))
    assert proposed.unverified == "none that was tried works"


def test_after_a_fix_it_is_said_what_to_run_next(invoke):
    done = invoke("fix", "cli_models:build", "--precision=mixed_float16")
    assert done.stderr.splitlines()[-1] == "nqperf: next: nqperf casts drift cli_models:build --precision mixed_float16"


def test_a_limit_of_a_drift_is_said_and_its_inputs_are_handed_on(invoke):
    np.savez("my rows.npz", np.ones((3, 8), "float32"))
    done = invoke("drift", "cli_models:build", "--inputs=my rows.npz", "--limit=2")
    assert ", 1 batch of the first 2 of 3 rows of my rows.npz (--limit 3 takes all) on " in done.stdout
    assert done.stderr.splitlines()[-1] == (
        "nqperf: next: nqperf bench cli_models:build --budget 180 --variants mixed_float16,mixed_bfloat16 "
        "--inputs 'my rows.npz'"
    )


def test_json_sarif_and_annotations(invoke):
    both = ("--input=float16[2,8]", "--input=float32[2,8]")
    document = json.loads(invoke("audit", "cli_models:forward", *both, "--json").output)
    assert (document["complete"], [each["rule"] for each in document["findings"]]) == (True, ["CAST001"])
    assert json.loads(invoke("audit", "cli_models:forward", *both, "--format", "sarif").output)["version"] == "2.1.0"
    assert invoke("audit", "cli_models:forward", *both, "--format", "github").output.startswith("::error file=cli_mod")
    invoke("audit", "cli_models:forward", *both, "--sarif", "out.sarif")
    assert json.loads(Path("out.sarif").read_text())["runs"][0]["results"]
    several = invoke("audit", "cli_models:build", "--precision=mixed_float16", "--precision=mixed_bfloat16", "--json")
    assert [each["precision"] for each in json.loads(several.output)["audits"]] == ["mixed_float16", "mixed_bfloat16"]


def test_a_ledger_is_written_compared_and_guarded(invoke, monkeypatch):
    chosen = ("audit", "cli_models:build", "--precision=mixed_float16", "--ledger=casts.json")
    assert invoke(*chosen, "--update").exit_code == 0
    assert invoke(*chosen).exit_code == 0
    text = Path("casts.json").read_text()
    Path("casts.json").write_text(text.replace('"feeds": "MatMul"', '"feeds": "Softmax"'))
    moved = invoke(*chosen)
    assert moved.exit_code == 1
    assert "redirected: dense" in moved.output
    other = invoke("audit", "cli_models:build", "--precision=mixed_bfloat16", "--ledger=casts.json")
    assert "has no mixed_bfloat16" in str(other.exception)
    monkeypatch.setenv("CI", "true")
    assert "refused when CI is set" in str(invoke(*chosen, "--update").exception)


def test_a_saved_model_is_sealed_and_its_constants_are_judged(invoke, tmp_path):
    class Exported(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((2, 8), tf.float32)])
        def serve(self, x):
            half = tf.cast(x, tf.float16)
            hidden = tf.exp(tf.matmul(half, half, transpose_b=True))
            return tf.cast(hidden + tf.cast(tf.constant(1e6), tf.float16), tf.float32)

    module = Exported()
    tf.saved_model.save(module, str(tmp_path / "exported"), signatures=module.serve)
    document = json.loads(invoke("audit", "exported", "--json").output)
    rules = {finding["rule"] for finding in document["findings"]}
    assert rules == {"NUM101", "NUM105"}  # sealed in 16 bits, which is no fault of its own
    assert "is sealed" in str(invoke("drift", "exported").exception)


def test_a_saved_model_is_read_and_nothing_in_it_runs(invoke, tmp_path):
    """To load a model is to run the ops by which it starts."""

    class Starting(CapturableResource):
        def __init__(self, path):
            super().__init__()
            self.path = path

        def _create_resource(self):
            return tf.constant(0)

        def _initialize(self):
            tf.io.write_file(self.path, "ran")

    class Exported(tf.Module):
        def __init__(self, path):
            super().__init__()
            self.starting = Starting(path)

        @tf.function(input_signature=[tf.TensorSpec((2,), tf.float32)])
        def serve(self, x):
            return x + tf.cast(self.starting.resource_handle, tf.float32) + tf.constant(1e30)

    module = Exported(str(tmp_path / "ran"))
    tf.saved_model.save(module, str(tmp_path / "exported"), signatures=module.serve)
    (tmp_path / "ran").unlink(missing_ok=True)
    invoke("audit", "exported", "--json")
    assert not (tmp_path / "ran").exists()
    tf.saved_model.load(str(tmp_path / "exported"))
    assert (tmp_path / "ran").exists()


def saved_model(folder, *, size, values):
    """Write a SavedModel of one constant, whose shape says `size` values."""
    saved = SavedModel()
    graph = saved.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.signature_def["serving_default"].outputs["y"].name = "c:0"
    node = graph.graph_def.node.add(name="c", op="Const")
    node.attr["dtype"].type = 1
    tensor = node.attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.extend(values)
    tensor.tensor_shape.dim.add(size=size)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def test_a_constant_of_a_saved_model_takes_the_memory_that_its_values_take(tmp_path):
    saved_model(tmp_path / "huge", size=10**14, values=[1.0, 70000.0])
    constant, _ = sealed_trace(tmp_path / "huge").ops
    assert (constant.constant.size, constant.constant.high) == (10**14, 70000.0)


def test_a_damaged_saved_model_is_refused(invoke, tmp_path):
    saved_model(tmp_path / "cut", size=1, values=[1.0])
    file = tmp_path / "cut" / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-3])
    assert "saved_model.pb: cannot be read" in str(invoke("audit", "cut").exception)
    file.write_bytes(b"")
    assert "has no signatures" in str(invoke("audit", "cut").exception)


@pytest.mark.slow
@pytest.mark.bfloat16
def test_drift_and_bisect_of_a_users_builder(invoke):
    drifted = invoke("drift", "cli_models:build", "--precision=mixed_bfloat16", "--json")
    document = json.loads(drifted.output)
    assert document["layers"][0]["layer"] == "small/dense"
    assert 0 < document["outputs"]["output"]["relative_l2"] < 0.05
    assert "headroom" in invoke("drift", "cli_models:build").output
    assert "nothing needs float32" in invoke("bisect", "cli_models:build", "--tolerance=0.1").output
    kept = invoke("bisect", "cli_models:build", "--precision=mixed_bfloat16", "--tolerance=1e-6")
    assert "with every layer in float32" in str(kept.exception)
    found = invoke("bisect", "cli_models:build", "--precision=mixed_bfloat16", "--tolerance=0.1", "--json")
    assert json.loads(found.output)["layers"] == []
