import os
import subprocess
import sys

import msgspec
import pytest

from nqperf.engines.tensorflow.device import with_tensorflow
from nqperf.perf.machine import fingerprint as module
from nqperf.perf.machine.fingerprint import parse_cpuinfo, take_fingerprint
from nqperf.perf.machine.gpus import Gpu, parse_gpus, visible_gpus

AMD = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC 9R14
flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 avx512_vnni
bugs\t\t:

processor\t: 1
vendor_id\t: AuthenticAMD
model name\t: something else
"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd asimdhp asimddp sve bf16 i8mm
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd40
"""
LISTING = """0, GPU-aaaa, 550.54.15, Tesla V100-SXM2-16GB
1, GPU-bbbb, 550.54.15, Tesla V100-SXM2-16GB
"""
V100 = "Tesla V100-SXM2-16GB"


def test_the_first_processor_counts():
    cpu = parse_cpuinfo(AMD)
    assert cpu == ("AMD EPYC 9R14", "AuthenticAMD-25-17", ("avx2", "avx512_bf16", "avx512_vnni", "avx512f"))


def test_arm_has_no_model_name():
    assert parse_cpuinfo(ARM) == (
        "0x41-0xd40-0x1",
        "0x41-0xd40-0x1",
        ("asimddp", "asimdhp", "bf16", "i8mm", "sve"),
    )


@pytest.mark.parametrize("text", ["", "\n\n", "garbage", "flags", ":::", "\x00\t:"])
def test_an_unreadable_cpuinfo_is_unknown(text):
    assert parse_cpuinfo(text) == ("unknown", "unknown", ())


def test_the_listing_of_the_driver():
    assert parse_gpus(LISTING) == (Gpu("0", "GPU-aaaa", "550.54.15", V100), Gpu("1", "GPU-bbbb", "550.54.15", V100))
    assert parse_gpus("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver, x, y, z\n") == ()
    assert parse_gpus("No devices were found\n") == ()


@pytest.mark.parametrize(
    ("visible", "numbers"),
    [
        (None, ["0", "1"]),
        ("", []),
        ("-1", []),
        ("1", ["1"]),
        ("1,0", ["1", "0"]),
        (" 1 , 0 ", ["1", "0"]),
        ("0,7,1", ["0"]),
        ("GPU-bb", ["1"]),
        ("MIG-GPU-bbbb/1/0", []),
    ],
)
def test_cuda_visible_devices(visible, numbers):
    assert [gpu.number for gpu in visible_gpus(parse_gpus(LISTING), visible)] == numbers


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Put a driver's tool with two GPUs in front of the machine's own."""

    def install(script):
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return install


def test_the_gpus_of_the_driver_make_the_device(driver, monkeypatch):
    driver(f"cat <<'E'\n{LISTING}E")
    taken = take_fingerprint()
    assert (taken.gpus, taken.driver) == ((V100, V100), "550.54.15")
    assert taken.device_key == f"gpu: 2 x {V100}"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    taken = take_fingerprint()
    assert (taken.gpus, taken.observed["CUDA_VISIBLE_DEVICES"]) == ((V100,), "1")


@pytest.mark.parametrize("script", ["exit 9", "echo failed; exit 1", "true", "echo No devices were found"])
def test_a_driver_that_fails_is_no_gpu(driver, script):
    driver(script)
    taken = take_fingerprint()
    assert (taken.gpus, taken.driver) == ((), None)
    assert taken.device_key.startswith("cpu: ")


def test_without_proc_the_platform_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "absent")
    taken = take_fingerprint()
    assert taken.cpu_model
    assert taken.isa == ()
    assert taken.device_key == take_fingerprint().device_key


def test_the_same_machine_twice_and_through_json():
    taken = take_fingerprint()
    assert taken == take_fingerprint()
    assert msgspec.json.decode(msgspec.json.encode(taken), type=module.Fingerprint) == taken
    assert taken.cores >= 1
    assert {"python", "numpy", "scipy"} <= set(taken.versions)


def test_it_imports_no_tensorflow_unless_asked():
    code = (
        "import sys; from nqperf.perf.machine.fingerprint import take_fingerprint; take_fingerprint(); "
        "print('tensorflow' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_tensorflow_says_what_it_uses():
    tf = pytest.importorskip("tensorflow")
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        tf.config.experimental.enable_tensor_float_32_execution(False)
        assert with_tensorflow(take_fingerprint()).tf32 is False
        tf.config.experimental.enable_tensor_float_32_execution(True)
        taken = with_tensorflow(take_fingerprint())
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
    assert taken.tf32 is True
    assert len(taken.gpus) == len(tf.config.list_physical_devices("GPU"))
    assert taken.intra_op_threads == tf.config.threading.get_intra_op_parallelism_threads()
