"""On which device it is computed: what the driver lists, what the engine sees, and what was required."""

import msgspec
import pytest

from nqperf.cli import doctor as doctor_command
from nqperf.cli.main import main
from nqperf.engines.tensorflow.graphs import device_kind
from nqperf.errors import DeviceError
from nqperf.perf.doctor import Diagnosis, machine_checks
from nqperf.perf.machine import examination, gpus
from nqperf.perf.machine.examination import device_fingerprint, require_device, seen_by
from nqperf.perf.suite import baseline
from nqperf.perf.variants.table import VARIANTS
from nqperf.report.summary import summarise
from tests.documents import river_examples, write_lines
from tests.perf.machine.machines import H100, ZEN_5
from tests.perf.variants.test_table import changed
from tests.runs import run as recorded

LISTED = "0, GPU-aaaa, 550.54.15, NVIDIA H100 80GB HBM3"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a driver's tool of this script in place of the machine's own; None takes it away."""

    def install(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        if script is not None:
            (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
            (folder / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return install


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "nvidia-smi is not there: install its driver, or run where there is one"),
        ("echo 'NVIDIA-SMI has failed: no driver'; exit 9", "nvidia-smi fails: NVIDIA-SMI has failed: no driver"),
        ("echo No devices were found", "nvidia-smi lists none: No devices were found"),
        ("true", "nvidia-smi lists none: it says nothing"),
        (
            f"echo '{LISTED}'",
            "the driver lists NVIDIA H100 80GB HBM3: pip install 'path/to/nqperf[gpu]' brings the CUDA",
        ),
    ],
)
def test_a_gpu_that_is_required_and_not_there_is_refused_with_the_reason(driver, script, said):
    driver(script)
    with pytest.raises(DeviceError) as caught:
        require_device("gpu", ZEN_5)
    assert str(caught.value).startswith(f"a GPU is required, and tensorflow sees none: {said}")


def test_a_driver_that_hangs_is_told(driver, monkeypatch):
    driver("/bin/sleep 60")
    monkeypatch.setattr(gpus, "_SECONDS", 0.2)
    with pytest.raises(DeviceError, match=r"nvidia-smi gives no answer within 0\.2 s"):
        require_device("gpu", ZEN_5)


def test_a_gpu_that_is_hidden_is_told(driver, monkeypatch):
    driver(f"echo '{LISTED}'")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(DeviceError, match="the driver lists NVIDIA H100 80GB HBM3, and CUDA_VISIBLE_DEVICES is '-1'"):
        require_device("gpu", ZEN_5)


def test_what_is_required_and_there_is_no_fault():
    require_device(None, ZEN_5)
    require_device("cpu", ZEN_5)
    require_device("gpu", H100)
    with pytest.raises(DeviceError, match="a CPU is required, and tensorflow computes on NVIDIA H100"):
        require_device("cpu", H100)


def test_a_baseline_that_ran_elsewhere_than_its_engine_says_is_refused():
    assert seen_by(ZEN_5, changed(device="cpu")).device == "cpu"
    assert seen_by(H100, changed(device="gpu")).device == "gpu"
    assert seen_by(H100, changed(device=None)).device == "gpu"
    with pytest.raises(DeviceError, match=r"products are computed on the cpu, and tensorflow says .* on NVIDIA H100"):
        seen_by(H100, changed(device="cpu"))
    with pytest.raises(DeviceError, match="computed on the gpu, and tensorflow says that it computes on the CPU"):
        seen_by(ZEN_5, changed(device="gpu"))


@pytest.mark.parametrize(
    ("row", "baseline", "said"),
    [
        ("cpu", "cpu", None),
        (None, "gpu", None),
        ("cpu", None, None),
        ("cpu", "gpu", "its products are computed on the cpu, the baseline's on the gpu"),
        ("cpu, gpu", "gpu", "its products are computed on the cpu, gpu, the baseline's on the gpu"),
    ],
)
def test_a_row_that_is_computed_elsewhere_than_the_baseline_is_told(row, baseline, said):
    assert VARIANTS["xla"].elsewhere(changed(device=row), changed(device=baseline)) == said


def test_who_asks_which_device_is_answered_by_the_engine_where_the_driver_lists_one(driver, monkeypatch):
    asked = []
    monkeypatch.setattr(examination, "look_at_machine", lambda _engine: asked.append(1) or H100)
    driver("true")
    assert device_fingerprint().gpus == ()
    assert asked == []
    assert device_fingerprint().device_key.startswith("cpu: ")


def test_a_gpu_that_the_engine_does_not_see_gives_no_batch_of_a_gpu(driver, monkeypatch):
    driver(f"echo '{LISTED}'")
    monkeypatch.setattr(examination, "look_at_machine", lambda _engine: ZEN_5)
    assert device_fingerprint() == ZEN_5.fingerprint


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/job:localhost/replica:0/task:0/device:CPU:0", "cpu"),
        ("/job:localhost/replica:0/task:0/device:GPU:1", "gpu"),
        ("/device:XLA_GPU:0", "xla_gpu"),
        ("", None),
        ("GPU", None),
    ],
)
def test_tensorflows_names_of_devices(name, kind):
    assert device_kind(name) == kind


def test_doctor_exits_with_one_where_the_device_is_not_there(driver, monkeypatch, capsys):
    driver(None)
    found = Diagnosis(machine=ZEN_5, checks=machine_checks(ZEN_5))
    monkeypatch.setattr(doctor_command, "examine", lambda **_: found)
    main(["doctor"])
    with pytest.raises(SystemExit) as left:
        main(["doctor", "--require", "gpu"])
    assert left.value.code == 1
    out, err = capsys.readouterr()
    assert "oneDNN" in out
    assert err.startswith("nqperf: error: a GPU is required, and tensorflow sees none: nvidia-smi is not there")
    main(["doctor", "--require", "cpu", "--quiet"])


def test_bench_exits_with_one_before_anything_is_measured(driver, monkeypatch, capsys, tmp_path, model_folder):
    driver(None)
    monkeypatch.setattr(baseline, "look_at_machine", lambda *_, **__: ZEN_5)
    data = write_lines(tmp_path / "data.jsonl", river_examples(2))
    with pytest.raises(SystemExit) as left:
        main(["bench", str(data), "--model", str(model_folder), "--max-seq-length", "48", "--require", "gpu"])
    assert left.value.code == 1
    assert "nqperf: error: a GPU is required, and tensorflow sees none" in capsys.readouterr().err


def test_the_table_says_that_a_gpu_lies_idle():
    results = recorded()
    assert not any("the driver lists" in note for note in summarise(results).notes)
    observed = {"unused_gpus": "NVIDIA H100"}
    idle = msgspec.structs.replace(results, fingerprint=msgspec.structs.replace(results.fingerprint, observed=observed))
    said = "the driver lists NVIDIA H100, and the baseline's engine sees none: all of this was computed on the CPU"
    assert said in summarise(idle).notes
