"""What a variant may need of a machine, and how a machine's fingerprint tells that it is not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from nqperf.gate.records import Fingerprint

Requirement = Literal["gpu", "cpu", "onednn", "tf32", "bfloat16"]

# NVIDIA's first generation with TF32 and bfloat16.
_AMPERE = (8, 0)
_BFLOAT16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}


def _no_gpu(fingerprint: Fingerprint) -> str | None:
    return None if fingerprint.gpus else "needs a GPU that TensorFlow sees: nqperf doctor tells what is missing"


def _on_gpu(fingerprint: Fingerprint) -> str | None:
    return "is for machines that compute on the CPU" if fingerprint.gpus else None


def _no_onednn(fingerprint: Fingerprint) -> str | None:
    if fingerprint.machine.lower() in ("x86_64", "amd64"):
        return _on_gpu(fingerprint)
    return f"needs oneDNN's kernels, which TensorFlow uses by default on x86-64, not on {fingerprint.machine}"


def _capability(fingerprint: Fingerprint) -> tuple[int, ...]:
    text = fingerprint.observed.get("compute_capability", "0.0")
    return tuple(int(part) for part in text.split("."))


def _no_tf32(fingerprint: Fingerprint) -> str | None:
    if not fingerprint.gpus:
        return _no_gpu(fingerprint)
    return (
        None if _capability(fingerprint) >= _AMPERE else f"{fingerprint.gpus[0]} has no TF32; expected Ampere or later"
    )


def _no_bfloat16(fingerprint: Fingerprint) -> str | None:
    if fingerprint.gpus:
        has = _capability(fingerprint) >= _AMPERE
        return None if has else f"{fingerprint.gpus[0]} has no bfloat16 units; expected Ampere or later"
    if _BFLOAT16_INSTRUCTIONS.isdisjoint(fingerprint.isa):
        return f"the CPU has none of {', '.join(sorted(_BFLOAT16_INSTRUCTIONS))}, and bfloat16 would be emulated"
    return None


MISSING: Mapping[Requirement, Callable[[Fingerprint], str | None]] = {
    "gpu": _no_gpu,
    "cpu": _on_gpu,
    "onednn": _no_onednn,
    "tf32": _no_tf32,
    "bfloat16": _no_bfloat16,
}
