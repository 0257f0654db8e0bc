import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from nqperf.engines.registry import ENGINES
from nqperf.formats.weights.model_folder import open_model
from nqperf.nq.features import MODEL_INPUTS
from nqperf.perf.machine.environment import worker_environment
from nqperf.perf.measuring.limits import TooSlowError
from nqperf.perf.workers import protocol
from nqperf.perf.workers.process import WorkerError, WorkerProcess

SEQ_LENGTH = 16
TENSORFLOW = ENGINES["tensorflow"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")


def gone(pid):
    """Wait until a process has ended; one that nobody waits for is a zombie then."""
    state = Path(f"/proc/{pid}/stat")
    for _ in range(600):
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def started(name="xla", inherited=None):
    return WorkerProcess(name, worker_environment(TENSORFLOW, {}, inherited))


def load_request(model, rows=5, **changes):
    inputs = np.ones((3, rows, SEQ_LENGTH), np.int32)
    inputs[0] = np.arange(rows)[:, None] + 7
    plain = {"engine": TENSORFLOW, "settings": {}, "inputs": inputs.tobytes(), "seq_length": SEQ_LENGTH}
    identity = open_model(model).identity if Path(model, "config.json").is_file() else {}
    return protocol.Load(**{"model": str(model), "identity": identity, **plain, "batch_size": 2, **changes})


@pytest.fixture(scope="module")
def begun(model_folder):
    """Yield a process that has done its first batch, and what it said of each step on the way."""
    steps = (
        (load_request(model_folder), protocol.Loaded),
        (protocol.Trace(), protocol.Traced),
        (protocol.FirstBatch(), protocol.Timed),
        (protocol.FirstBatch(), protocol.Timed),
        (protocol.Observe(), protocol.ObservedStates),
    )
    with started("baseline") as process:
        yield process, [process.ask(request, kind, timeout=300) for request, kind in steps]


@pytest.fixture
def worker(begun):
    process, _ = begun
    return process


def test_every_row_is_predicted_as_the_engine_does(worker, tiny_config, tiny_weights):
    from nqperf.engines.tensorflow import TensorFlowConfig, TensorFlowEngine

    start, end, answer_type = worker.ask(protocol.Predict(rows=5), protocol.Predicted, timeout=300).arrays(5)
    engine = TensorFlowEngine(tiny_config, tiny_weights, TensorFlowConfig(batch_size=5), seq_length=SEQ_LENGTH)
    inputs = load_request("").arrays()
    outputs = engine.run(dict(zip(MODEL_INPUTS, inputs, strict=True)))
    np.testing.assert_allclose(start, outputs["start_logits"].numpy(), atol=1e-5)
    np.testing.assert_allclose(end, outputs["end_logits"].numpy(), atol=1e-5)
    np.testing.assert_allclose(answer_type, outputs["answer_type_logits"].numpy(), atol=1e-5)


def test_other_features_are_predicted_as_those_that_were_loaded(worker):
    whole = worker.ask(protocol.Predict(rows=5), protocol.Predicted, timeout=300).arrays(5)
    last = np.ascontiguousarray(load_request("").arrays()[:, 2:]).tobytes()
    said = worker.ask(protocol.Predict(rows=3, inputs=last), protocol.Predicted, timeout=300)
    for one, other in zip(said.arrays(3), whole, strict=True):
        np.testing.assert_allclose(one, other[2:], atol=1e-5)
    again = worker.ask(protocol.Predict(rows=5), protocol.Predicted, timeout=300).arrays(5)
    np.testing.assert_array_equal(again[0], whole[0])


def test_batches_are_timed_and_none_traces_again(worker):
    times = [worker.ask(protocol.TimeBatch(number=n), protocol.Timed, timeout=300).seconds for n in range(5)]
    assert min(times) > 0
    assert worker.ask(protocol.Observe(), protocol.ObservedStates, timeout=300).states.traces == 1


def test_planted_work_is_measured_and_taken_away(worker):
    assert worker.ask(protocol.Plant(fraction=0.5), protocol.Planted, timeout=300).fraction > 0
    assert worker.ask(protocol.TimeBatch(number=0), protocol.Timed, timeout=300).seconds > 0
    assert worker.ask(protocol.Plant(fraction=0.0), protocol.Planted, timeout=300).fraction == 0


def test_a_request_that_raises_is_told_and_the_worker_lives_on():
    with started() as process:
        for _ in range(2):
            with pytest.raises(WorkerError, match=r"worker of xla failed at Predict: ConfigError: .*before Load"):
                process.ask(protocol.Predict(rows=5), protocol.Predicted, timeout=60)
        assert process.alive


def test_a_model_that_cannot_be_loaded_is_the_reason(tmp_path):
    with (
        started() as process,
        pytest.raises(WorkerError, match=r"worker of xla failed at Load: FormatError: .*no such folder"),
    ):
        process.ask(load_request(tmp_path / "nowhere"), protocol.Loaded, timeout=300)


def test_a_model_that_has_changed_since_the_parent_opened_it_is_refused(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    request = load_request(folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    said = r"worker of xla failed at Load: FormatError: .*model\.safetensors: is not the file that the run began with"
    with started() as process, pytest.raises(WorkerError, match=said):
        process.ask(request, protocol.Loaded, timeout=300)


def test_a_killed_worker_is_told_with_its_signal():
    with started() as process:
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"worker of xla died at Observe: killed by SIGKILL, as .*memory"):
            process.ask(protocol.Observe(), protocol.ObservedStates, timeout=60)
        assert not process.alive


def test_a_worker_that_ends_by_itself_is_told_with_its_last_words(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false" if Path("/bin/false").exists() else "false")
    with (
        started() as process,
        pytest.raises(WorkerError, match="died at Observe: exit status 1; it said nothing"),
    ):
        process.ask(protocol.Observe(), protocol.ObservedStates, timeout=60)


@LINUX
def test_a_hanging_worker_is_ended():
    with started() as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match=r"no reply to Observe within 0\.2 s"):
            process.ask(protocol.Observe(), protocol.ObservedStates, timeout=0.2)
        assert not process.alive
        with pytest.raises(WorkerError, match="it was ended before"):
            process.ask(protocol.Observe(), protocol.ObservedStates, timeout=0.2)


@LINUX
@pytest.mark.parametrize("killed_with", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_its_parent(killed_with):
    script = (
        "import time\n"
        "from nqperf.engines.registry import ENGINES\n"
        "from nqperf.perf.machine.environment import worker_environment\n"
        "from nqperf.perf.workers.process import WorkerProcess\n"
        "worker = WorkerProcess('xla', worker_environment(ENGINES['tensorflow'], {}))\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env=worker_environment(TENSORFLOW, {}),
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        os.kill(parent.pid, killed_with)
    assert gone(pid)


@LINUX
def test_what_libraries_leave_behind_goes_with_the_worker(monkeypatch, tmp_path):
    """AutoGraph writes the code that it makes into the temporary folder, and a kill leaves it there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with started():
        (folder,) = tmp_path.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "left.py").touch()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_ends_when_its_pipe_is_closed():
    process = started()
    try:
        process._pipes[0].close()
        assert gone(process.pid)
    finally:
        process.end()


def test_what_libraries_print_does_not_reach_the_protocol():
    # The worker's standard output is its channel: here a module that prints is imported before it.
    environment = {**os.environ, "PYTHONVERBOSE": "1"}
    with (
        started(inherited=environment) as process,
        pytest.raises(WorkerError, match="before Load"),
    ):
        process.ask(protocol.Observe(), protocol.ObservedStates, timeout=60)


@LINUX
def test_a_worker_that_is_stopped_and_one_that_computes_are_told_apart(model_folder):
    with started() as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerError, match="it is stopped"):
            process.ask(protocol.Observe(), protocol.ObservedStates, timeout=0.3)
    with started() as process, pytest.raises(TooSlowError, match="no reply to Load within 1 s, in which it computed"):
        process.ask(load_request(model_folder), protocol.Loaded, timeout=1.0)  # importing TensorFlow takes longer


def test_loading_tracing_and_the_first_batch_are_asked_apart(begun):
    _, (loaded, traced, first, again, seen) = begun
    assert loaded.batches == 2
    assert traced.seconds > 0
    assert first.seconds > 0
    assert again.seconds == 0  # there is but one
    assert seen.states.traces == 1
    assert seen.resident_bytes is None or seen.resident_bytes > 0
