"""What TensorFlow does on this machine before any switch is set, seen in a process of its own.

Started with the arguments STEP..., it does each step and prints what it saw at once, for a step
may end the process: oneDNN aborts it where a type has no kernel.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from nqperf.engines.registry import find_engine
from nqperf.engines.tensorflow import device
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.machine.resources import keeps_memory, malloc_library

# Before the findings of a step; whatever else is printed is the libraries'.
MARK = "nqperf probe: "


def _fingerprint() -> dict[str, Any]:
    device.forbid_tf32()  # as the baseline has it
    return {"fingerprint": take_fingerprint(tensorflow=True)}


def _memory() -> dict[str, Any]:
    return {"malloc": malloc_library(), "keeps_memory": keeps_memory()}


def _graph() -> dict[str, Any]:
    counts = device.layer_counts()
    return {"onednn": counts.onednn_ops > 0, "grappler": counts.rewritten_nodes > 0}


def _tf32() -> dict[str, Any]:
    return {"tf32": device.tf32_works()}


def _xla() -> dict[str, Any]:
    fault = device.xla_fault()
    if fault:
        raise RuntimeError(fault)
    return {"xla": True}


def _float16() -> dict[str, Any]:
    return {"float16": device.product_speedup("float16")}


def _bfloat16() -> dict[str, Any]:
    return {"bfloat16": device.product_speedup("bfloat16")}


def _softmax() -> dict[str, Any]:
    return {"bfloat16_softmax": device.bfloat16_softmax_widens()}


def _openvino(precision: str) -> bool:
    find_engine("openvino").require()
    from nqperf.engines.openvino.graphs import multiplies_in

    return multiplies_in(precision)


def _openvino_int8() -> dict[str, Any]:
    return {"openvino_int8": _openvino("int8")}


def _openvino_bfloat16() -> dict[str, Any]:
    return {"openvino_bfloat16": _openvino("mixed_bfloat16")}


def _openvino_int8_bfloat16() -> dict[str, Any]:
    return {"openvino_int8_bfloat16": _openvino("int8_bfloat16")}


# In this order: memory before anything has been taken, and last what may end the process.
STEPS: dict[str, Callable[[], dict[str, Any]]] = {
    "memory": _memory,
    "fingerprint": _fingerprint,
    "graph": _graph,
    "tf32": _tf32,
    "xla": _xla,
    "float16": _float16,
    "bfloat16": _bfloat16,
    "softmax": _softmax,
    "openvino_int8": _openvino_int8,
    "openvino_bfloat16": _openvino_bfloat16,
    "openvino_int8_bfloat16": _openvino_int8_bfloat16,
}
# Apart from the others' process: where TensorFlow's oneDNN has computed, OpenVINO's failed in 9 of 34 starts.
APART = frozenset({"openvino_int8", "openvino_bfloat16", "openvino_int8_bfloat16"})


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one step saw, or why it saw nothing."""

    step: str
    seen: dict[str, Any] = msgspec.field(default_factory=dict)
    fault: str | None = None


def main(steps: list[str]) -> None:
    """Do the steps of these names and print what each saw."""
    gc.disable()  # a process of seconds: looking for garbage amid TensorFlow's import would take as long as that
    for step in steps:
        try:
            finding = Finding(step=step, seen=STEPS[step]())
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what the step found
            finding = Finding(step=step, fault=" ".join(str(error).split()) or type(error).__name__)
        sys.stdout.write(f"{MARK}{msgspec.json.encode(finding).decode()}\n")
        sys.stdout.flush()
        if sys.platform == "linux":
            ctypes.CDLL(None).fflush(None)  # what oneDNN has said of itself would be lost with the process


if __name__ == "__main__":
    main(sys.argv[1:])
