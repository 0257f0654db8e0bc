"""The plugin as its users meet it: in a suite of their own."""

import json
from importlib import metadata
from pathlib import Path

# Now, for an inner session forgets what was imported in it, and TensorFlow cannot be imported twice.
import keras  # noqa: F401
import pytest
import tensorflow as tf  # noqa: F401

import nqperf.casts.audit
import nqperf.report.casts_text
import nqperf.report.sarif  # noqa: F401

pytest_plugins = ["pytester"]

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


@pytest.fixture
def run(pytester, monkeypatch):
    """Run the suite in a session inside of this one, or as its users do in a process of its own."""
    for name in ("CI", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (pytester.path / "test_models.py").write_text(SUITE)

    def once(*options, apart=False):
        session = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        # The plugins that an inner session has no use for, and whose state is the outer one's.
        return session(
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
            "-p",
            "no:randomly",
            *PLUGIN,
            *options,
            "test_models.py",
        )

    once.path = pytester.path
    return once


@pytest.mark.slow
def test_findings_fail_and_the_ledger_is_kept(run):
    run("--nqperf-ledger-update", "-k", "ledger").assert_outcomes(passed=1, deselected=3)
    held = run("--nqperf-sarif=casts.sarif", apart=True)
    held.assert_outcomes(passed=3, failed=1)
    held.stdout.fnmatch_lines(["*CAST001 test_models.py:10 mixed*"])
    log = json.loads((run.path / "casts.sarif").read_text())
    assert [len(one["results"]) for one in log["runs"]] == [0, 1, 1, 0]
    ledger = run.path / "casts.lock.json"
    ledger.write_text(ledger.read_text().replace('"kind": "variable"', '"kind": "explicit"'))
    moved = run("-k", "ledger")
    moved.assert_outcomes(failed=1, deselected=3)
    moved.stdout.fnmatch_lines(["*kind changed: dense*"])


def test_warn_and_off(run):
    warned = run("--nqperf-casts=warn", "-W", "default", "-k", "broken")
    warned.assert_outcomes(passed=1, deselected=3, warnings=1)
    warned.stdout.fnmatch_lines(["*CastWarning*"])
    run("--nqperf-casts=off", "-k", "broken").assert_outcomes(skipped=1, deselected=3)


def test_the_ledger_is_not_updated_in_ci(run, monkeypatch):
    monkeypatch.setenv("CI", "true")
    refused = run("--nqperf-ledger-update")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*refused when CI is set*"])
