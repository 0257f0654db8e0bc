import os
import re

import pytest

from nqperf.errors import ConfigError, MissingExtraError
from nqperf.formats.nq.predictions_json import read_predictions
from nqperf.report import tracking
from tests import runs

RESULTS = runs.run(runs.measured("xla", 1.2, 1.1), runs.broken(), runs.SKIPPED)
PREDICTIONS = {"baseline": [runs.PREDICTION], "xla": [runs.PREDICTION], "mixed_float16": [runs.WRONG]}
# MLflow 3.17 asks SQLAlchemy 2.1 for a loader that this calls deprecated; nothing here can change it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A real store where MLflow puts it by itself: in the working folder."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    pytest.importorskip("sqlalchemy", reason="the extra mlflow is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("store"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "")  # so that it is taken back
        patch.delenv("MLFLOW_DISABLE_TELEMETRY")
        from mlflow.tracking import MlflowClient

        assert set(tracking.track(RESULTS, PREDICTIONS)) == {"baseline", "xla", "mixed_float16"}
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
        yield MlflowClient()


@pytest.fixture(scope="module")
def tracked(client):
    experiment = client.get_experiment_by_name("nqperf")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_one_run_for_each_variant_that_ran(tracked):
    assert {name: run.info.status for name, run in tracked.items()} == {
        "baseline": "FINISHED",
        "xla": "FINISHED",
        "mixed_float16": "FAILED",
    }


def test_the_parameters_and_metrics_of_the_thesis(tracked):
    data = tracked["xla"].data
    assert (data.params["gpu"], data.params["model"], data.params["data"]) == ("none", "tiny", "world")
    assert data.metrics["prediction_time"] == 30.0 / 1.2
    nq_eval = {name.replace(">=", "-noless-"): float(value) for name, value in runs.METRICS.items()}
    assert nq_eval.items() <= data.metrics.items()
    assert "long-recall-at-precision-noless-0.75" in data.metrics
    assert data.tags["outcome"] == "PASS"
    assert tracked["mixed_float16"].data.tags["outcome"] == "parity: 1 of 1 predictions changed"


def test_the_predictions_are_the_artifact(client, tracked, tmp_path):
    path = client.download_artifacts(tracked["mixed_float16"].info.run_id, "predictions.json", str(tmp_path))
    assert read_predictions(path) == [runs.WRONG]


def test_a_second_run_joins_the_same_experiment(client, tracked):
    ids = tracking.track(runs.run(), {})
    assert len(ids) == 1
    experiment = client.get_experiment_by_name("nqperf")
    assert len(client.search_runs([experiment.experiment_id])) == len(tracked) + 1


def test_a_store_that_cannot_be_used(monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nosuchscheme://somewhere")
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI"):
        tracking.track(RESULTS, {})


def test_a_server_that_does_not_answer_is_told_before_and_after_within_seconds(monkeypatch):
    """Nothing listens on port 9 (discard). Before: MLflow's own eight tries held a finished run for four minutes."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    expected = (
        "MLflow cannot keep the runs (http://127.0.0.1:9 does not answer: [Errno 111] Connection refused): "
        "see its setting MLFLOW_TRACKING_URI"
    )
    assert tracking.store_fault() == expected
    monkeypatch.setattr(tracking, "_FEW_RETRIES", "0")
    with pytest.raises(ConfigError, match=re.escape(expected)):
        tracking.track(RESULTS, PREDICTIONS)
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_store_that_answers_has_no_fault_and_the_default_is_not_made_by_asking(monkeypatch, tmp_path):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking.store_fault() is None
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
    assert tracking.store_fault() is None


def test_without_the_extra(monkeypatch):
    monkeypatch.setattr(tracking, "_MODULES", ("mlflow", "no_such_module"))
    with pytest.raises(MissingExtraError, match=r"nqperf\[mlflow\]"):
        tracking.require_mlflow()
