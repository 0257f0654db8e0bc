"""A table of fakes: what can be wrong with a GPU runner, and what is told of it; scripts stand for NVIDIA's tool.

No GPU is needed: the tool's words are written from its documentation, and what an engine sees is said by the test.
"""

from types import SimpleNamespace

import msgspec
import pytest

from nqperf.engines import conflicts
from nqperf.engines.probe import BUILT_FOR, GPU_WORDS, Sight
from nqperf.engines.tensorflow.probe import TensorFlowProbe
from nqperf.errors import DeviceError
from nqperf.perf.doctor import machine_checks
from nqperf.perf.machine.examination import require_device
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.machine.gpu_checks import code_for, require_shared
from nqperf.perf.machine.gpus import PROCESSES, SETTINGS, Gpu, gpu_settings, listed_gpus, visible_gpus
from nqperf.perf.measuring.budget import Budget
from nqperf.perf.suite import session as session_module
from nqperf.records.comparison import compare
from nqperf.records.history import history
from nqperf.records.results import GPU_FAULT
from nqperf.records.settings import GPU_SETTINGS
from nqperf.records.verdict import QUICK_GATE
from nqperf.report.summary import summarise
from tests.perf.machine.machines import H100, ZEN_5
from tests.runs import measured
from tests.runs import run as recorded

NAME = "NVIDIA H100 80GB HBM3"
# By the word that the tool is asked: what it answers on a healthy machine.
HEALTHY = {
    "power.limit": "700.00 W",
    "clocks.max.sm": "1980 MHz",
    "clocks.max.memory": "2619 MHz",
    "clocks.applications.graphics": "[N/A]",
    "persistence_mode": "Enabled",
    "mig.mode.current": "Disabled",
    "ecc.mode.current": "Enabled",
    "compute_mode": "Default",
    "memory.total": "81559 MiB",
    "memory.free": "80997 MiB",
}
LISTED = f"0, GPU-aaaa, 550.54.15, {NAME}"
MIG = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-1111-2222)
  MIG 1g.5gb      Device  1: (UUID: MIG-3333-4444)
"""


def tool(*, listed=LISTED, parts="", processes="", unknown=(), **answers):
    """Return a script that answers as nvidia-smi does; it does not know the words in `unknown`."""
    known = {**HEALTHY, **{name.replace("__", "."): value for name, value in answers.items()}}
    table = "\n".join(f"    {word}) printf '%s, ' '{value}' ;;" for word, value in known.items() if word not in unknown)
    return f"""
case "$1" in
--query-gpu=index,*) echo '{listed}' ;;
-L) printf '%s' '{parts}' ;;
--query-compute-apps=*) printf '{processes}' ;;
--query-gpu=*)
  for word in $(echo "${{1#--query-gpu=}}" | tr , ' '); do
    case "$word" in
{table}
    *) echo "Field \\"$word\\" is not a valid field to query."; exit 2 ;;
    esac
  done | {{ read -r line; case "$line" in Field*) echo "$line"; exit 2 ;; *) echo "${{line%,*}}" ;; esac }} ;;
esac
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a script in place of the machine's nvidia-smi; None takes it away."""

    def install(script, visible=None):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        if script is not None:
            (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
            (folder / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return install


def seen(**observed):
    """Return a machine that computes on an H100 of which this was observed."""
    known = {"compute_capability": "9.0", BUILT_FOR: "sm_80 sm_90", **observed}
    return msgspec.structs.replace(H100, fingerprint=msgspec.structs.replace(H100.fingerprint, observed=known))


def checks(machine, listed=()):
    return {check.name: check for check in machine_checks(machine, listed)}


# What the tool says, what is recorded of it.
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(tool(), {"gpu_power_limit": "700.00 W", "gpu_clock": "1980 MHz", "gpu_ecc": "Enabled"}, id="all"),
        pytest.param(tool(), {"gpu_application_clock": None, PROCESSES: "0"}, id="what it does not tell is left out"),
        pytest.param(tool(processes="4711\\n4712\\n"), {PROCESSES: "2"}, id="company"),
        pytest.param(tool(unknown=("mig.mode.current",)), {"gpu_mig": None, "gpu_clock": "1980 MHz"}, id="old driver"),
        pytest.param(tool(compute_mode="Exclusive_Process"), {"gpu_compute_mode": "Exclusive_Process"}, id="mode"),
        pytest.param("echo garbage; exit 3", dict.fromkeys(SETTINGS), id="a tool that fails"),
    ],
)
def test_how_a_gpu_is_set_is_on_record(driver, script, expected):
    driver(script)
    found = gpu_settings(Gpu("0", "GPU-aaaa", "550.54.15", NAME))
    assert {name: found.get(name) for name in expected} == expected
    assert set(SETTINGS) <= set(GPU_SETTINGS)


def test_the_fingerprint_has_what_the_driver_tells(driver):
    driver(tool())
    taken = take_fingerprint()
    assert (taken.gpus, taken.driver) == ((NAME,), "550.54.15")
    assert taken.observed["gpu_persistence"] == "Enabled"
    assert GPU_FAULT not in taken.observed


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA A100-SXM4-40GB MIG 3g.20gb"]),
        ("MIG-3333-4444", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb"]),
        ("MIG-1111,MIG-3333", ["NVIDIA A100-SXM4-40GB MIG 3g.20gb", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"]),
        ("MIG-9999", []),
        ("0", ["NVIDIA A100-SXM4-40GB"]),
    ],
)
def test_a_part_of_a_gpu_is_a_gpu(driver, visible, names):
    """Before: the name of a part was no GPU, and the batch that of a CPU."""
    driver(tool(listed="0, GPU-aaaa, 550.54.15, NVIDIA A100-SXM4-40GB", parts=MIG), visible)
    assert [gpu.name for gpu in visible_gpus(listed_gpus().gpus, visible)] == names
    assert take_fingerprint().gpus == tuple(names)


# A driver that is there and lists nothing: before, everything ran on the CPU and nobody was told.
BROKEN = [
    ("echo 'NVIDIA-SMI has failed: it could not communicate with the driver'; exit 9", "could not communicate"),
    ("echo No devices were found", "No devices were found"),
    ("echo 'Unable to determine the device handle for GPU0000:41:00.0: GPU is lost'; exit 15", "GPU is lost"),
    ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "version mismatch"),
]


@pytest.mark.parametrize(("script", "said"), BROKEN)
def test_a_gpu_that_is_gone_is_no_silent_cpu(driver, script, said):
    driver(script)
    taken = take_fingerprint()
    assert said in taken.observed[GPU_FAULT]
    found = checks(msgspec.structs.replace(ZEN_5, fingerprint=taken))["GPU"]
    assert (found.state, said in found.finding, "everything would run on the CPU" in found.finding) == (
        "missing",
        True,
        True,
    )
    results = recorded()
    alone = msgspec.structs.replace(results.fingerprint, observed=taken.observed)
    notes = summarise(msgspec.structs.replace(results, fingerprint=alone)).notes
    assert any(said in note and "all of this was computed on the CPU" in note for note in notes)
    with pytest.raises(DeviceError, match=said):
        require_device("gpu", ZEN_5)


def test_a_machine_without_the_tool_has_no_fault(driver):
    driver(None)
    assert GPU_FAULT not in take_fingerprint().observed


@pytest.mark.parametrize(
    ("capability", "built_for", "code"),
    [
        ("9.0", "sm_80 sm_90", "native"),
        ("9.0", "sm_80 sm_89 compute_90", "ptx"),
        ("8.9", "sm_80", "native"),
        ("8.0", "sm_86", "none"),
        ("10.0", "sm_60 sm_80 compute_80", "ptx"),
        ("12.0", "sm_120a", "native"),
        ("7.0", "sm_80 compute_80", "none"),
        ("9.0", "", "none"),
    ],
)
def test_what_code_a_gpu_runs(capability, built_for, code):
    assert code_for(capability, built_for) == code


# What was observed of a GPU, and what doctor says of it: before, nothing.
@pytest.mark.parametrize(
    ("observed", "check", "state", "words"),
    [
        ({}, "GPU code", "ok", "compute capability 9.0; tensorflow is built for sm_80 sm_90"),
        ({BUILT_FOR: "sm_80 compute_80"}, "GPU code", "note", "compiles every kernel at its first use"),
        ({BUILT_FOR: "sm_100"}, "GPU code", "missing", "none of its kernels runs on this GPU"),
        ({"gpu_persistence": "Disabled"}, "GPU persistence", "note", "persistence mode is off"),
        ({"gpu_mig": "Enabled"}, "GPU part", "note", "is a part that MIG has cut off"),
        ({"gpu_compute_mode": "Exclusive_Process"}, "GPU mode", "missing", "one process at a time"),
        ({PROCESSES: "2"}, "GPU company", "note", "2 other processes compute on it"),
        ({"gpu_memory_free": "812 MiB", "gpu_memory": "81559 MiB"}, "GPU memory", "missing", "812 MiB of 81559 MiB"),
    ],
)
def test_what_a_run_on_a_gpu_should_know_is_told(observed, check, state, words):
    found = checks(seen(**observed))[check]
    assert (found.state, words in found.finding) == (state, True), found
    assert found.advice or found.state != "missing"


def test_a_healthy_gpu_has_nothing_to_tell_but_its_code():
    told = {"gpu_persistence": "Enabled", "gpu_mig": "Disabled", "gpu_compute_mode": "Default", PROCESSES: "0"}
    names = set(checks(seen(**told, gpu_memory_free="80997 MiB")))
    assert {name for name in names if name.startswith("GPU")} == {"GPU", "GPU code"}
    assert not {name for name in checks(ZEN_5) if name.startswith("GPU ")}


@pytest.mark.parametrize("mode", ["Exclusive_Process", "Prohibited"])
def test_a_gpu_for_one_process_is_refused_before_anything_runs(mode):
    """Before: the second process failed in the middle of the first set."""
    with pytest.raises(DeviceError, match=f"compute mode {mode}.*sudo nvidia-smi -c DEFAULT") as caught:
        require_shared(seen(gpu_compute_mode=mode))
    assert caught.value.exit_code == 1
    require_shared(seen(gpu_compute_mode="Default"))
    require_shared(ZEN_5)


# TensorFlow 2.21's own lines.
LOG = """2026-12-01 10:00:00.000001: E external/local_xla/xla/stream_executor/cuda/cuda_platform.cc:51] failed call to \
cuInit: INTERNAL: CUDA error: Failed call to cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has unsupported driver
W0000 00:00:1764590000.123456    1234 gpu_device.cc:2342] Cannot dlopen some GPU libraries. Please make sure the \
missing libraries mentioned above are installed properly. Skipping registering GPU devices...
I0000 00:00:1764590000.123456    1234 port.cc:153] oneDNN custom operations are on.
"""


def test_tensorflows_own_words_say_why_it_sees_no_gpu():
    words = TensorFlowProbe().heard(LOG)[GPU_WORDS]
    assert len(words) == 2
    blind = msgspec.structs.replace(ZEN_5, sights={**ZEN_5.sights, "tensorflow": Sight(states={GPU_WORDS: words})})
    found = checks(blind, listed=(NAME,))["GPU"]
    assert found.state == "missing"
    assert "tensorflow sees none; it says: failed call to cuInit" in found.finding
    assert "Cannot dlopen some GPU libraries" in found.finding
    assert GPU_WORDS not in TensorFlowProbe().heard("all is well\n")


def test_a_change_of_what_decides_on_a_gpu_is_told_by_compare_and_history():
    old = recorded(measured("xla", 1.2))
    runs = {}
    for name, limit, driver_version in (("old", "700.00 W", "550.54.15"), ("new", "350.00 W", "560.28.03")):
        fingerprint = msgspec.structs.replace(
            H100.fingerprint, driver=driver_version, observed={"gpu_power_limit": limit, "gpu_memory_free": name}
        )
        runs[name] = msgspec.structs.replace(
            old, fingerprint=fingerprint, created=f"2026-01-0{len(runs) + 1}T00:00:00Z"
        )
    said = "gpu power limit 700.00 W and 350.00 W"
    notes = compare(runs["old"], runs["new"]).notes
    assert said in notes
    assert "driver 550.54.15 and 560.28.03" in notes
    assert not any("free" in note for note in notes)
    changes = history(runs).runs[1].changes
    assert "gpu power limit: 700.00 W -> 350.00 W" in changes
    assert "driver: 550.54.15 -> 560.28.03" in changes


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        (("onnxruntime", "onnxruntime-gpu"), "bring the same module"),
        (("tensorflow", "tensorflow-cpu"), "bring the same module"),
        (("jax-cuda12-plugin", "jax-cuda13-plugin"), "plug-in"),
    ],
)
def test_extras_that_overwrite_each_other_are_told(monkeypatch, installed, said):
    monkeypatch.setattr(conflicts, "installed_versions", lambda names: dict.fromkeys({*names} & {*installed}, "1"))
    (found,) = conflicts.conflicts()
    assert said in found.finding
    assert all(name in found.finding and name in found.advice for name in installed)
    kept = "tensorflow" if "tensorflow" in installed else "that one"
    assert found.advice.endswith(f"then pip install {kept}")


def test_what_is_alone_has_no_conflict(monkeypatch):
    monkeypatch.setattr(conflicts, "installed_versions", lambda names: dict.fromkeys({*names} & {"tensorflow"}, "1"))
    assert conflicts.conflicts() == ()


@pytest.mark.parametrize(("on_gpu", "started"), [(True, ["warm-up", None]), (False, [None])])
def test_one_process_warms_a_gpu_up_before_a_start_is_timed(monkeypatch, on_gpu, started):
    """Before: minutes in which the driver compiles PTX were the seconds of a start, and the plan was made of them."""
    seconds = {"warm-up": 200.0, None: 3.0}
    clock, names, ended = [0.0], [], []

    class Process:
        warmed = None

        def __init__(self, name):
            self.name = name

        def end(self):
            ended.append(self.name)

        def batch(self, _number):
            return 0.1

    def start(_self, _variant, *, name=None):
        names.append(name)
        clock[0] += seconds[name]
        return Process(name)

    seen_states = SimpleNamespace(states="states", huge_page_bytes=None, resident_bytes=None)
    monkeypatch.setattr(session_module.Session, "start", start)
    monkeypatch.setattr(session_module.Session, "observe", lambda *_: seen_states)
    monkeypatch.setattr(session_module.time, "perf_counter", lambda: clock[0])
    session = session_module.Session(
        folder=None,
        task=SimpleNamespace(features=None),
        batch_size=4,
        gate=QUICK_GATE,
        budget=Budget(seconds=600.0),
        progress=lambda *_: None,
        on_gpu=on_gpu,
    )
    assert session.start_baseline() == "states"
    assert names == started
    assert ended == started[:-1]
    assert session.speed.start == 3.0
