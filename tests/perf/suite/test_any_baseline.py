"""Any row of any engine as the baseline: the same verdict and record, also where TensorFlow is not installed."""

import json
import os
import subprocess

import msgspec
import pytest

from nqperf.engines.registry import ENGINES, EngineRow
from nqperf.errors import ConfigError, VariantError
from nqperf.formats.results.results_json import read_results
from nqperf.perf.machine import examination
from nqperf.perf.suite.baseline import machine_of, require_installed
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.variants.table import DISPLACED, VARIANTS
from nqperf.records.comparison import compare
from nqperf.records.profiles import HELD_TO, Device
from nqperf.records.results import BASELINE
from nqperf.report.summary import summarise
from tests.extensions.packages import fresh_environment
from tests.perf.machine.machines import H100, ZEN_5
from tests.runs import measured
from tests.runs import run as recorded
from tests.suites import SEQ_LENGTH, write_inputs

WITHOUT_TENSORFLOW = ("tensorflow", "tensorflow_text", "tf_keras", "keras_hub")
EXIT = {"PASS": 0, "REPORTED": 0, "FAIL": 1, "INCONCLUSIVE": 3, "INVALID": 4}


def config(**options):
    return SuiteConfig.from_options(**options)


def test_the_chosen_row_goes_by_the_baselines_name_and_the_tables_own_stands_among_the_others():
    rows = config(baseline="jax").rows()
    assert (rows[0].name, rows[0].engine) == (BASELINE, "jax")
    assert (rows[1].name, rows[1].engine, rows[1].settings) == (DISPLACED, "tensorflow", {})
    assert {row.name for row in rows} == {*VARIANTS, DISPLACED} - {"jax"}
    some = config(baseline="jax", variants="tensorflow,openvino").rows()
    assert [(row.name, row.engine) for row in some] == [
        (BASELINE, "jax"),
        (DISPLACED, "tensorflow"),
        ("openvino", "openvino"),
    ]
    assert config(baseline=VARIANTS["jax"], variants="openvino").rows()[0] == some[0]
    assert config(baseline=BASELINE) == SuiteConfig()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"baseline": "jaxx"}, "unknown variant 'jaxx'.*did you mean jax"),
        ({"baseline": "openvino_bfloat16"}, "openvino_bfloat16 cannot be the baseline: its answers are .*sixteen_bit"),
        ({"baseline": "jax", "variants": "jax,xla"}, "jax is the baseline here.*leave it out"),
        ({"baseline": "jax", "variants": BASELINE}, "no variant beside baseline is selected"),
        ({"variants": DISPLACED}, "unknown variant 'tensorflow'"),
    ],
)
def test_what_cannot_be_a_baseline_is_refused(options, said):
    with pytest.raises(VariantError, match=said):
        config(**options)


def test_the_engine_of_the_baseline_says_which_device_it_is_and_its_row_stands_among_the_states(monkeypatch):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    asked = []

    def look(engine, **_):
        asked.append(engine)
        return ZEN_5

    monkeypatch.setattr("nqperf.perf.suite.baseline.look_at_machine", look)
    assert machine_of(config(baseline="openvino")).fingerprint.states[HELD_TO] == "openvino"
    assert machine_of(SuiteConfig()) == ZEN_5
    assert asked == ["openvino", "tensorflow"]


def test_a_row_that_does_not_run_here_is_no_baseline(monkeypatch):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    monkeypatch.setattr("nqperf.perf.suite.baseline.look_at_machine", lambda _engine, **_: H100)
    with pytest.raises(ConfigError, match="openvino cannot be the baseline on this machine: is for"):
        machine_of(config(baseline="openvino"))


def test_a_baseline_that_is_not_installed_is_told_with_those_that_are(monkeypatch):
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    lost = EngineRow(name="tensorflow", target=ENGINES["tensorflow"].target, needs=("not_there",))
    monkeypatch.setitem(ENGINES, "tensorflow", lost)
    with pytest.raises(ConfigError, match=r"is not installed: the engine tensorflow needs.*; or .*--baseline"):
        require_installed(VARIANTS[BASELINE])
    assert examination.usual_engine() != "tensorflow"


def test_floors_and_old_runs_of_another_baseline_are_none_for_this_one():
    seen = ZEN_5.fingerprint
    held = msgspec.structs.replace(seen, states={**seen.states, HELD_TO: "jax"})
    device = Device(cpu=seen.cpu_model, states={"onednn": "on"})
    assert device.fits(seen)
    assert not device.fits(held)
    assert msgspec.structs.replace(device, states={HELD_TO: "jax"}).fits(held)
    old = recorded(measured("xla", 1.2))
    new = msgspec.structs.replace(
        old, fingerprint=msgspec.structs.replace(old.fingerprint, states={**old.fingerprint.states, HELD_TO: "jax"})
    )
    with pytest.raises(ConfigError, match="baseline baseline and jax"):
        compare(old, new)
    said = "the baseline is the row jax, in the place of TensorFlow's float32"
    assert [said in summarise(run).notes for run in (old, new)] == [False, True]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return the Python of an environment that has all but TensorFlow."""
    return fresh_environment(tmp_path_factory.mktemp("environment") / "env", without=WITHOUT_TENSORFLOW)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_config, sentencepiece_file):
    return write_inputs(tmp_path_factory.mktemp("suite"), tiny_config, sentencepiece_file)


@pytest.fixture
def nqperf(python, tmp_path):
    """Run a command there; return its exit code, standard output and standard error."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "KERAS_BACKEND"}}

    def run(*arguments):
        done = subprocess.run(
            [python, "-m", "nqperf.cli.main", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.slow
def test_where_tensorflow_is_not_installed_a_run_says_how_to_go_on(nqperf, inputs, tmp_path):
    model, data = inputs
    code, out, err = nqperf("bench", data, "--model", model, "--max-seq-length", SEQ_LENGTH, "--out", "run.json")
    assert (code, out) == (2, "")
    assert "the baseline is not installed: the engine tensorflow needs" in err
    assert "--baseline: onnxruntime, jax, openvino" in err
    assert not (tmp_path / "run.json").exists()


@pytest.mark.slow(20)
def test_the_suite_judges_and_records_without_tensorflow(nqperf, inputs, tmp_path):
    """The times are noise here, so any verdict may come out; what is written must agree with it."""
    model, data = inputs
    sizes = ("--model", model, "--max-seq-length", SEQ_LENGTH)
    code, out, err = nqperf(
        *("bench", data, *sizes, "--baseline", "onnxruntime", "--variants", "openvino,tensorflow"),
        *("--rounds", 2, "--out", "run.json", "--json"),
    )
    results = read_results(tmp_path / "run.json")
    assert code == EXIT[results.outcome], err
    assert json.loads(out)["outcome"] == results.outcome
    rows = {row.name: row for row in results.variants}
    assert [*rows] == [BASELINE, DISPLACED, "openvino"]
    assert rows[BASELINE].requested["engine"] == "onnxruntime"
    assert rows[DISPLACED].status == "skipped"
    assert "the engine tensorflow needs" in rows[DISPLACED].reason
    assert rows["openvino"].status == "measured", rows["openvino"].reason
    assert rows["openvino"].agreement.changed == 0
    assert rows["openvino"].verdict.ratio > 0
    assert results.controls.same is not None
    assert results.fingerprint.states[HELD_TO] == "onnxruntime"
    assert not any(name.startswith("tensorflow") for name in results.fingerprint.versions)


@pytest.mark.long
@pytest.mark.slow(30)
def test_doctor_run_tune_and_pairs_work_without_tensorflow(nqperf, inputs, tmp_path):
    model, data = inputs
    sizes = ("--max-seq-length", SEQ_LENGTH)
    code, out, err = nqperf("doctor", "--noise-seconds", 0)
    assert code == 0, err
    assert "engine tensorflow" in out
    windows = ("--doc-stride", 32, "--max-query-length", 24)
    code, _, err = nqperf("run", data, "--model", model, *sizes, *windows, "--engine", "jax", "--out", "out")
    assert code == 0, err
    assert (tmp_path / "out" / "predictions.json").exists()
    code, out, err = nqperf(
        *("tune", model, data, *sizes, "--baseline", "onnxruntime", "--variants", "openvino"),
        *("--budget", 60, "--out", "recipe.toml"),
    )
    assert code == 0, err
    assert 'baseline = "onnxruntime"' in (tmp_path / "recipe.toml").read_text()


@pytest.mark.slow
def test_two_callables_are_held_to_each_other_without_tensorflow(python, tmp_path):
    (tmp_path / "test_own.py").write_text(
        "import numpy as np\n"
        "def test_pair(nqperf_paired):\n"
        "    ones = np.ones((64, 64))\n"
        "    found = nqperf_paired(lambda: ones @ ones, lambda: ones @ ones, floor=None)\n"
        "    assert found.outcome == 'REPORTED'\n"
        "    assert 'jax' in found.fingerprint.versions\n"
    )
    options = ("-q", "-p", "no:cacheprovider", "--nqperf-quick", "--nqperf-rounds", "2")
    done = subprocess.run(
        [python, "-m", "pytest", "test_own.py", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
