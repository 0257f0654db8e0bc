"""What a row of the variants table may require of a machine, and in which words it is told that it is not there.

Each requirement is a state that was seen, never what an architecture's name promises. An effect that can only be had
where the baseline is in some state (to turn oneDNN off, it must be on) has that state among its requirements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from nqperf.perf.machine.examination import Machine

Requirement = Literal[
    "cpu",
    "gpu",
    "onednn_on",
    "onednn_off",
    "grappler",
    "xla",
    "tf32",
    "float16",
    "bfloat16",
    "glibc_malloc",
    "openvino_int8",
    "openvino_bfloat16",
    "openvino_int8_bfloat16",
]

# Where units compute in a type, large products are 1.5 to 16 times as fast as in float32, without them 0.3 to 0.95. A
# row is skipped only where the whole interval of what was measured lies below this. Unsure, it is run: that costs
# seconds and tells its speed, while a row that was promised and is skipped by noise would be missed.
_FASTER = 1.15


def missing(requirement: Requirement, machine: Machine) -> str | None:
    """Return why `machine` does not meet a requirement, or None when it does."""
    return _MISSING[requirement](machine)


def _gpu(machine: Machine) -> str | None:
    return None if machine.fingerprint.gpus else "needs a GPU that TensorFlow sees: nqperf doctor tells what is missing"


def _cpu(machine: Machine) -> str | None:
    return "is for machines that compute on the CPU" if machine.fingerprint.gpus else None


def _onednn_on(machine: Machine) -> str | None:
    if on_gpu := _cpu(machine):
        return on_gpu
    return None if machine.onednn else f"needs oneDNN's kernels, and {_no_onednn(machine)}"


def _onednn_off(machine: Machine) -> str | None:
    if on_gpu := _cpu(machine):
        return on_gpu
    if machine.onednn:
        return "oneDNN is on already, by default or by TF_ENABLE_ONEDNN_OPTS"
    if machine.onednn is None:
        return _unseen(machine, "oneDNN", "graph")
    if not machine.on_x86_linux:
        system = f"{machine.fingerprint.system} on {machine.fingerprint.machine}"
        return f"is for Linux on x86-64, whose oneDNN TensorFlow can turn on; this is {system}"
    return None


def _no_onednn(machine: Machine) -> str:
    if machine.onednn is None:
        return _unseen(machine, "oneDNN", "graph")
    return "TensorFlow does not use them here, by default or by TF_ENABLE_ONEDNN_OPTS"


def _grappler(machine: Machine) -> str | None:
    if machine.grappler is None:
        return _unseen(machine, "Grappler", "graph")
    return None if machine.grappler else "Grappler changes no graph here, so there is nothing to turn off"


def _xla(machine: Machine) -> str | None:
    return None if machine.xla else _unseen(machine, "XLA", "xla")


def _tf32(machine: Machine) -> str | None:
    if no_gpu := _gpu(machine):
        return no_gpu
    if machine.tf32 is None:
        return _unseen(machine, "TF32", "tf32")
    name = machine.fingerprint.gpus[0]
    return None if machine.tf32 else f"matrix products on {name} do not round to TF32; expected Ampere or later"


def _float16(machine: Machine) -> str | None:
    return _unseen(machine, "float16", "float16") if machine.float16 is None else None


def _bfloat16(machine: Machine) -> str | None:
    if machine.bfloat16 is None:
        return _unseen(machine, "bfloat16", "bfloat16")
    low, high = machine.bfloat16
    if high >= _FASTER:
        return None
    return (
        f"bfloat16 products are {low:.2f} to {high:.2f} times as fast as float32 ones here: no kernel that TensorFlow "
        "has for them uses units of their own"
    )


def _glibc_malloc(machine: Machine) -> str | None:
    if on_gpu := _cpu(machine):
        return on_gpu
    if machine.malloc is None or not machine.malloc.startswith("glibc"):
        return f"sets glibc's malloc, and {machine.malloc or 'another one, which does not tell its name,'} serves here"
    if machine.keeps_memory is None:
        return _unseen(machine, "what malloc keeps", "memory")
    return "malloc keeps its memory here already" if machine.keeps_memory else None


def _openvino(machine: Machine, state: str, what: str) -> str | None:
    """Say why OpenVINO has no products in `what` here; the state and the step that sees it have one name."""
    if on_gpu := _cpu(machine):
        return on_gpu
    if getattr(machine, state) is None:
        return _unseen(machine, what, state)
    return None if getattr(machine, state) else f"OpenVINO multiplies wider than in {what}: the CPU has no units for it"


def _unseen(machine: Machine, what: str, step: str) -> str:
    return f"{what} cannot be used here: {machine.faults.get(step, 'it was not seen to work')}"


_MISSING: Mapping[Requirement, Callable[[Machine], str | None]] = {
    "cpu": _cpu,
    "gpu": _gpu,
    "onednn_on": _onednn_on,
    "onednn_off": _onednn_off,
    "grappler": _grappler,
    "xla": _xla,
    "tf32": _tf32,
    "float16": _float16,
    "bfloat16": _bfloat16,
    "glibc_malloc": _glibc_malloc,
    "openvino_int8": lambda machine: _openvino(machine, "openvino_int8", "8 bits"),
    "openvino_bfloat16": lambda machine: _openvino(machine, "openvino_bfloat16", "bfloat16"),
    "openvino_int8_bfloat16": lambda machine: _openvino(
        machine, "openvino_int8_bfloat16", "8 bits amid layers of bfloat16"
    ),
}
