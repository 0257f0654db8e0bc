"""A second engine takes the whole way: the main command, one stage, a worker, and a row of the variants table."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nqperf.cli.main import main
from nqperf.engines.registry import ENGINES, EngineRow
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.logits import MODEL_OUTPUTS
from nqperf.perf.machine.environment import worker_environment
from nqperf.perf.suite.config import SuiteConfig
from nqperf.perf.suite.suite import run_suite
from nqperf.perf.variants.variant import Effect, Variant
from nqperf.perf.workers import protocol
from nqperf.perf.workers.process import WorkerProcess
from nqperf.records.verdict import GateConfig
from tests.documents import river_examples, write_lines
from tests.engines.numpy_engine import ROW
from tests.perf.machine.machines import ZEN_5

SHORT_WINDOWS = ("--max-seq-length", "48", "--doc-stride", "16", "--max-query-length", "12")


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    """Register the engine, and let workers find its file; register one that is not installed."""
    monkeypatch.setitem(ENGINES, ROW.name, ROW)
    monkeypatch.setitem(ENGINES, "far", EngineRow(name="far", target=ROW.target, needs=("not_there",), extra="far"))
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_lines(tmp_path_factory.mktemp("data") / "data.jsonl", river_examples(3))


def answered(data, model, out, *options):
    main(["run", str(data), "--model", str(model), "--out", str(out), *SHORT_WINDOWS, "--quiet", *options])
    return np.load(out / "logits.npz"), json.loads((out / "run.json").read_bytes())


@pytest.fixture(scope="module")
def sources(data, model_folder):
    """Return what each command reads."""
    features = data.with_name("features.tfrecord")
    main(["prepare", str(data), "--tokenizer", str(model_folder), "--out", str(features), *SHORT_WINDOWS, "--quiet"])
    return {"run": data, "predict": features}


def test_the_main_command_gives_the_same_logits(data, model_folder, tmp_path):
    expected, _ = answered(data, model_folder, tmp_path / "tensorflow")
    logits, record = answered(data, model_folder, tmp_path / "numpy", "--engine", "numpy", "--batch-size", "3")
    assert np.array_equal(logits["unique_id"], expected["unique_id"])
    for name in MODEL_OUTPUTS:
        np.testing.assert_allclose(logits[name], expected[name], rtol=0, atol=1e-4)
    settings = {"name": "numpy", "batch_size": 3, "buckets": [], "in_flight": 1, "doubled": False}
    assert record["configuration"]["engine"] == settings
    assert record["observed"]["compute_dtype"] == "float64"


def test_one_stage_gives_them_too(data, model_folder, tmp_path):
    expected, _ = answered(data, model_folder, tmp_path, "--engine", "numpy")
    out = tmp_path / "again.npz"
    features = str(tmp_path / "features.tfrecord")
    main(["predict", features, "--model", str(model_folder), "--engine", "numpy", "--out", str(out), "--quiet"])
    logits = np.load(out)
    for name in MODEL_OUTPUTS:
        assert np.array_equal(logits[name], expected[name])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--engine", "nunpy"],
            f"unknown engine 'nunpy'; expected one of {', '.join(ENGINES)}, numpy, far; did you mean numpy?",
        ),
        (
            ["--engine", "numpy", "--xla"],
            "the engine numpy has no setting xla; expected some of batch_size, buckets, in_flight, doubled",
        ),
        (["--engine", "numpy", "--batch-size", "0"], "batch_size is 0; expected at least 1"),
        (
            ["--engine", "far"],
            "the engine far needs the extra 'far' (not installed: not_there): pip install 'path/to/nqperf[far]'",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "predict"])
def test_an_engine_that_cannot_run_is_refused(command, options, said, sources, model_folder, capsys):
    out = sources[command].parent / "out"
    with pytest.raises(SystemExit) as left:
        main([command, str(sources[command]), "--model", str(model_folder), "--out", str(out), *options])
    assert left.value.code == 2
    assert capsys.readouterr().err == f"nqperf: error: {said}\n"
    assert not out.exists()


def test_a_worker_runs_it_in_an_environment_of_its_own(model_folder):
    environment = worker_environment(ROW, {"MINE": "yes"}, {**os.environ, "NPY_PROMOTION_STATE": "legacy"})
    assert "NPY_PROMOTION_STATE" not in environment
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in environment.keys() - os.environ.keys()
    assert (environment["NQPERF_NUMPY_ENGINE"], environment["MINE"]) == ("1", "yes")
    with WorkerProcess("numpy", environment) as worker:
        inputs = np.ones((3, 5, 16), np.int32)
        request = protocol.Load(
            model=str(model_folder),
            identity=open_model(model_folder).identity,
            engine=ROW,
            settings={},
            inputs=inputs.tobytes(),
            seq_length=16,
            batch_size=2,
        )
        assert worker.ask(request, protocol.Loaded, timeout=300).batches == 2
        start, _, _ = worker.ask(protocol.Predict(rows=5), protocol.Predicted, timeout=300).arrays(5)
        assert np.ptp(start, axis=0).max() < 1e-6 < np.ptp(start, axis=1).min()  # five times the same row
        assert worker.ask(protocol.Plant(fraction=0.5), protocol.Planted, timeout=300).fraction > 0
        assert worker.ask(protocol.TimeBatch(number=1), protocol.Timed, timeout=300).seconds > 0


@pytest.mark.slow
def test_a_row_of_the_variants_table_is_measured_against_tensorflow(model_folder, data):
    twice = Effect(failure="it was not computed twice", holds=lambda seen: seen.own["calls_a_batch"] == 2)
    wide = Effect(failure="it is not in 64 bits", holds=lambda seen: seen.compute_dtype == "float64")
    row = {"description": "", "engine": "numpy"}
    variant = Variant(name="numpy", **row, settings={"doubled": True}, effects=(twice, wide))
    idle = Variant(name="idle", **row, effects=(twice, wide))
    assert variant.missing(ZEN_5) is None
    config = SuiteConfig(
        model=model_folder,
        data=str(data),
        variants=(variant, idle),
        own=(variant, idle),
        gate=GateConfig(sets=1, rounds=2),
        batch_size=2,
        max_seq_length=48,
    )
    results = run_suite(config).results
    record = results.variant("numpy")
    assert results.variant("idle").reason == "idle: the switches had no effect: it was not computed twice"
    assert results.variant("idle").status == "failed"
    assert record.verdict.outcome == "REPORTED"
    assert record.agreement.changed == 0
    assert 0 < record.agreement.details["max_abs_logit_difference"] < 1e-4
    assert record.requested == {"engine": "numpy", "doubled": True}
    assert record.observed["calls_a_batch"] == 2
