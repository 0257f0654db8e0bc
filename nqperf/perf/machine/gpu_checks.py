"""What is to be said of a GPU before times are taken on it: its code, how it is set, and who else computes on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from nqperf.engines.probe import BUILT_FOR, Check, Machine
from nqperf.errors import DeviceError
from nqperf.perf.machine.gpus import PROCESSES
from nqperf.records.results import Fingerprint

_CODE = re.compile(r"(sm|compute)_(\d+)(\d)[a-z]?")
_DIGITS = re.compile(r"\d+")
# Less than this is too little for a BERT-large's weights, activations and the library's own workspace.
_LEAST_FREE_MIB = 4096
# Only one process may have the GPU then; a comparison has several at once.
_ALONE = ("exclusive_process", "exclusive_thread", "prohibited")
_CACHE = "keep ~/.nv/ComputeCache between runs, and set CUDA_CACHE_MAXSIZE=4294967296, or it is done anew each time"


def code_for(capability: str, built_for: str) -> Literal["native", "ptx", "none"]:
    """Return what of a library's code a GPU runs: kernels for it, PTX that the driver compiles first, or nothing.

    `capability` is the GPU's, as "9.0"; `built_for` names what the library was built for, as "sm_80 compute_90".
    Kernels run on GPUs of the same major number and the same or a later minor one, PTX on all later ones.

    >>> code_for("9.0", "sm_80 sm_89 compute_90")
    'ptx'
    """
    major, minor = (int(part) for part in capability.split("."))
    found = [(kind, int(one), int(other)) for kind, one, other in _CODE.findall(built_for)]
    if any(kind == "sm" and one == major and other <= minor for kind, one, other in found):
        return "native"
    return "ptx" if any(kind == "compute" and (one, other) <= (major, minor) for kind, one, other in found) else "none"


def gpu_checks(machine: Machine) -> Iterator[Check]:
    """Yield a line on each thing that a run on the GPU of `machine` should know; none where its CPU computes."""
    if not machine.fingerprint.gpus:
        return
    yield from _code(machine)
    yield from _settings(machine.fingerprint)
    yield from _company(machine.fingerprint)


def require_shared(machine: Machine) -> None:
    """Raise where only one process may have the GPU of `machine`: a comparison has several, which take turns.

    Raises: DeviceError that says how to change it.
    """
    mode = machine.fingerprint.observed.get("gpu_compute_mode", "")
    if machine.fingerprint.gpus and mode.lower() in _ALONE:
        raise DeviceError(
            f"{machine.fingerprint.gpus[0]} is in compute mode {mode}, and the processes that are compared share it: "
            "expected mode Default: sudo nvidia-smi -c DEFAULT"
        )


def _code(machine: Machine) -> Iterator[Check]:
    observed = machine.fingerprint.observed
    capability, built_for = observed.get("compute_capability"), observed.get(BUILT_FOR)
    if capability is None or built_for is None:
        return
    found = code_for(capability, built_for)
    what = f"compute capability {capability}; {machine.engine} is built for {built_for}"
    if found == "native":
        yield Check(name="GPU code", state="ok", finding=what)
    elif found == "ptx":
        finding = f"{what}: its driver compiles every kernel at its first use, which takes minutes once"
        yield Check(name="GPU code", state="note", finding=finding, advice=_CACHE)
    else:
        finding = f"{what}: none of its kernels runs on this GPU"
        yield Check(name="GPU code", state="missing", finding=finding, advice=f"install another {machine.engine}")


def _settings(fingerprint: Fingerprint) -> Iterator[Check]:
    told = {name: fingerprint.observed.get(name, "") for name in ("gpu_persistence", "gpu_mig", "gpu_compute_mode")}
    if told["gpu_compute_mode"].lower() in _ALONE:
        finding = f"compute mode {told['gpu_compute_mode']}: one process at a time, and a comparison has several"
        yield Check(name="GPU mode", state="missing", finding=finding, advice="sudo nvidia-smi -c DEFAULT")
    if told["gpu_persistence"] == "Disabled":
        finding = "persistence mode is off: the driver is loaded anew for each first process, and clocks fall between"
        yield Check(name="GPU persistence", state="note", finding=finding, advice="sudo nvidia-smi -pm 1")
    if told["gpu_mig"] == "Enabled":
        finding = f"{fingerprint.gpus[0]} is a part that MIG has cut off: figures of the whole GPU say nothing of it"
        yield Check(name="GPU part", state="note", finding=finding)


def _company(fingerprint: Fingerprint) -> Iterator[Check]:
    processes, free = fingerprint.observed.get(PROCESSES, "0"), fingerprint.observed.get("gpu_memory_free", "")
    if processes not in ("", "0"):
        finding = f"{processes} other processes compute on it"
        yield Check(name="GPU company", state="note", finding=finding, advice="let nothing else run on it: nvidia-smi")
    number = _DIGITS.match(free)
    if number and int(number[0]) < _LEAST_FREE_MIB:
        finding = f"{free} of {fingerprint.observed.get('gpu_memory', 'its memory')} are free"
        yield Check(name="GPU memory", state="missing", finding=finding, advice="end who holds it: nvidia-smi")
