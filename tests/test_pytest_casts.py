"""The plugin as its users meet it: in a suite of their own, in a process of its own."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SUITE = """
import keras
import pytest
import tensorflow as tf
from keras import ops


class Mixed(keras.layers.Layer):
    def call(self, x):
        return ops.relu(x + tf.ones((2, 8), tf.float32))


def model():
    inputs = keras.Input((8,), batch_size=2, dtype="float16")
    return keras.Model(inputs, keras.layers.Dense(4, dtype="mixed_float16", name="dense")(inputs), name="clean")


def test_clean(cast_audit):
    assert cast_audit(model).clean


def test_broken(cast_audit):
    cast_audit(Mixed(dtype="mixed_float16", name="mixed"), inputs=tf.TensorSpec((2, 8), tf.float16))


@pytest.mark.casts(allow=["CAST001"])
def test_allowed(cast_audit):
    cast_audit(Mixed(dtype="mixed_float16", name="mixed"), inputs=tf.TensorSpec((2, 8), tf.float16))


def test_ledger(cast_audit):
    cast_audit.holds(model, precision="mixed_float16", ledger="casts.lock.json")
"""


# Installed, the entry point brings the plugin; run from the source, this does.
INSTALLED = any(point.value == "nqperf.pytest_casts" for point in metadata.entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "nqperf.pytest_casts")


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_models.py").write_text(SUITE)
    return folder


def run(suite, *options, **environment):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN]
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    return subprocess.run(
        [*command, *options, "test_models.py"],
        cwd=suite,
        env={**kept, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_findings_fail_and_the_ledger_is_kept(suite):
    updated = run(suite, "--nqperf-ledger-update", "-k", "ledger")
    assert "1 passed" in updated.stdout, updated.stdout + updated.stderr
    held = run(suite, "--nqperf-sarif=casts.sarif")
    assert "1 failed, 3 passed" in held.stdout, held.stdout + held.stderr
    assert "CAST001 test_models.py:10 mixed" in held.stdout
    log = json.loads((suite / "casts.sarif").read_text())
    assert [len(one["results"]) for one in log["runs"]] == [0, 1, 1, 0]
    ledger = suite / "casts.lock.json"
    ledger.write_text(ledger.read_text().replace('"kind": "variable"', '"kind": "explicit"'))
    moved = run(suite, "-k", "ledger")
    assert "kind changed: dense" in moved.stdout
    assert "1 failed" in moved.stdout


def test_warn_and_off(suite):
    warned = run(suite, "--nqperf-casts=warn", "-k", "broken")
    assert "1 passed" in warned.stdout
    assert "CastWarning" in warned.stdout
    off = run(suite, "--nqperf-casts=off", "-k", "broken")
    assert "1 skipped" in off.stdout


def test_the_ledger_is_not_updated_in_ci(suite):
    refused = run(suite, "--nqperf-ledger-update", CI="true")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "refused when CI is set" in refused.stderr
