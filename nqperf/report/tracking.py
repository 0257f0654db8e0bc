"""Benchmark runs in MLflow: one run a variant, with the thesis's names, in whatever store MLflow is set to.

MLFLOW_TRACKING_URI names the store, as everywhere with MLflow; without it MLflow uses its local default.
"""

from __future__ import annotations

import importlib.util
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nqperf.errors import ConfigError, MissingExtraError
from nqperf.formats.nq.predictions_json import write_predictions
from nqperf.nq.example import Prediction
from nqperf.records.results import Results, VariantResult

EXPERIMENT = "nqperf"
EXTRA = "mlflow"
# MLflow asks a server that does not answer seven times more, over four minutes.
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_FEW_RETRIES = "2"
_NO_ANSWER = re.compile(r"API request to (\S+?)/api/\S* failed .*?((?:\[Errno -?\d+\] )?[\w ]+)['\")]*")
# What MLflow's local store, a database, needs beyond the client.
_MODULES = ("mlflow", "sqlalchemy", "alembic")


def require_mlflow() -> None:
    """Check, without importing it, that MLflow is there: to be called before the measuring.

    Raises: MissingExtraError naming the extra.
    """
    if not all(map(importlib.util.find_spec, _MODULES)):
        raise MissingExtraError(EXTRA, purpose="tracking runs in MLflow")


def store_fault() -> str | None:
    """Return why the store that MLFLOW_TRACKING_URI names cannot be used now, None where it can: it is asked once.

    MLflow's local default is not asked, for asking makes it, and the run may yet be refused.
    Raises: MissingExtraError without MLflow.
    """
    require_mlflow()
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    try:
        with _retries("0"):
            _experiment()
    except ConfigError as error:
        return str(error)
    return None


def track(results: Results, predictions: Mapping[str, Sequence[Prediction]]) -> dict[str, str]:
    """Log each variant of `results` that was measured or failed as a run of its own; return the run ids by variant.

    `predictions` of a variant become its artifact predictions.json.
    Raises: MissingExtraError without MLflow, ConfigError when its store cannot be used.
    """
    require_mlflow()
    with _retries(_FEW_RETRIES):
        client, experiment = _experiment()
        with _store_errors():
            return {
                variant.name: _log(client, experiment, results, variant, predictions.get(variant.name))
                for variant in results.variants
                if variant.status != "skipped"
            }


def _experiment() -> tuple[Any, str]:
    """Return MLflow's client and the id of the experiment, which is made where it is not there.

    Raises: ConfigError when the store cannot be used.
    """
    with _store_errors():
        from mlflow.tracking import MlflowClient

        client = MlflowClient()
        found = client.get_experiment_by_name(EXPERIMENT)
        return client, found.experiment_id if found else client.create_experiment(EXPERIMENT)


@contextmanager
def _store_errors() -> Iterator[None]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it tells its makers of every run
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        # Of a server that does not answer, the address and the system's own words are enough.
        if whole := re.fullmatch(
            r"API request to (\S+?)/api/\S* failed .*?((?:\[Errno -?\d+\] )?[\w ]+)['\")]*", reason
        ):
            reason = f"{whole[1]} does not answer: {whole[2]}"
        raise ConfigError(f"MLflow cannot keep the runs ({reason}): see its setting MLFLOW_TRACKING_URI") from error


@contextmanager
def _retries(count: str) -> Iterator[None]:
    """Ask a server that does not answer only `count` times more, unless the user says how often."""
    own = _RETRIES in os.environ
    os.environ.setdefault(_RETRIES, count)
    try:
        yield
    finally:
        if not own:
            del os.environ[_RETRIES]


def metric_name(name: str) -> str:
    """Return `name` as MLflow allows it; "noless" is how the thesis wrote >=."""
    return name.replace(">=", "-noless-")


def _log(
    client: Any,
    experiment: str,
    results: Results,
    variant: VariantResult,
    predictions: Sequence[Prediction] | None,
) -> str:
    """Write one run and return its id; the run ends FAILED if the variant did, or if it could not be written whole."""
    run_id: str = client.create_run(experiment, run_name=variant.name, tags=_tags(results, variant)).info.run_id
    status = "FAILED"
    try:
        for name, value in _params(results).items():
            client.log_param(run_id, name, value)
        for name, number in _metrics(variant):
            client.log_metric(run_id, metric_name(name), number)
        if predictions is not None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "predictions.json"
                write_predictions(path, predictions)
                client.log_artifact(run_id, str(path))
        if variant.status == "measured":
            status = "FINISHED"
    finally:
        client.set_terminated(run_id, status=status)
    return run_id


def _params(results: Results) -> dict[str, object]:
    return {
        **results.workload,
        **results.data.counts,
        # The thesis's three; its "gpu" names the device.
        "gpu": ", ".join(results.fingerprint.gpus) or "none",
        "model": results.model.name,
        "data": results.data.name,
        "device": results.fingerprint.device_key,
        "profile": results.profile or "none",
    }


def _metrics(variant: VariantResult) -> Iterator[tuple[str, float]]:
    yield from ((name, float(value)) for name, value in variant.metrics.items())
    if variant.predict_seconds is not None:
        yield "prediction_time", float(variant.predict_seconds)
    if variant.agreement is not None:
        yield "changed_predictions", float(variant.agreement.changed)
    if variant.verdict is not None:
        yield "ratio", float(variant.verdict.ratio)
        yield "pairs", float(variant.verdict.pairs)


def _tags(results: Results, variant: VariantResult) -> dict[str, str]:
    outcome = variant.verdict.outcome if variant.verdict else variant.reason or variant.status
    return {"variant": variant.name, "outcome": outcome, "run_outcome": results.outcome, "command": results.command}
