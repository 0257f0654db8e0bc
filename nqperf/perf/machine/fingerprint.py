"""What this machine and its software are, read from the system; an engine's probe adds which device it computes on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

from nqperf.engines.registry import engine_variables, engine_versions, installed_versions
from nqperf.engines.threads import available_cores, cpu_quota
from nqperf.perf.machine.gpus import gpu_settings, listed_gpus, output, visible_gpus
from nqperf.perf.machine.resources import memory_bytes
from nqperf.records.results import GPU_FAULT, Fingerprint

# Instructions that decide how fast 8, 16 and 32 bits are, under Linux's names; the second row is Arm's.
INSTRUCTION_SETS = (
    *("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_fp16", "amx_int8"),
    *("asimdhp", "asimddp", "bf16", "i8mm", "sve"),
)
# Recorded beside what the engines compute with.
_DISTRIBUTIONS = (
    *("numpy", "scipy", "nqperf"),
    # NVIDIA's libraries, whichever engine brings them: which of them computes decides about speed on a GPU.
    *(f"nvidia-{name}" for name in ("cublas", "cublas-cu12", "cuda-runtime", "cuda-runtime-cu12", "cudnn-cu12")),
    *("nvidia-cudnn-cu13", "jax-cuda12-plugin", "jax-cuda13-plugin", "tensorrt"),
)
# Settings from outside that change times whatever the engine; recorded as they stand, beside the engines' own.
_ENVIRONMENT = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
UNKNOWN = "unknown"
_CPUINFO = Path("/proc/cpuinfo")


class Cpu(NamedTuple):
    """A processor: `model` is its name, `id` its vendor-family-model, `isa` which of INSTRUCTION_SETS it has."""

    model: str
    id: str
    isa: tuple[str, ...]


def take_fingerprint() -> Fingerprint:
    """Return the fingerprint of this machine; what cannot be found out is None or "unknown".

    No library is imported for it, so the GPUs are those that the driver lists and CUDA_VISIBLE_DEVICES lets through. To
    judge by is what the engine of the baseline makes of it in its probe: the GPUs that it really uses.
    """
    cpu = _cpu()
    listed, visible = listed_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = visible_gpus(listed.gpus, visible)
    told = gpu_settings(gpus[0]) if gpus else {}
    if listed.broken:
        told[GPU_FAULT] = listed.fault or ""
    return Fingerprint(
        system=platform.system() or UNKNOWN,
        machine=platform.machine() or UNKNOWN,
        cpu_model=cpu.model,
        cpu_id=cpu.id,
        cores=available_cores(),
        isa=cpu.isa,
        gpus=tuple(gpu.name for gpu in gpus),
        driver=gpus[0].driver if gpus else None,
        versions={
            "python": platform.python_version(),
            **engine_versions(),
            **installed_versions(_DISTRIBUTIONS),
        },
        observed={**_resources(), **recorded_environment(), **told},
    )


def recorded_environment() -> dict[str, str]:
    """Return the variables of this process's environment that change times, in any engine."""
    names = sorted({*_ENVIRONMENT, *engine_variables()})
    return {name: os.environ[name] for name in names if name in os.environ}


def parse_cpuinfo(text: str) -> Cpu:
    """Return what Linux's /proc/cpuinfo, its `text`, says of its first processor, on x86 and on Arm."""
    found = re.findall(r"^([^\t:]+?)\s*:[ \t]*(.*)$", text, flags=re.MULTILINE)
    # Read backwards, so that the first processor's lines win; on Arm some lines stand once for all.
    fields = {name.lower(): value.strip() for name, value in reversed(found)}
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    parts = [fields.get("vendor_id"), fields.get("cpu family"), fields.get("model")]
    if not any(parts):
        parts = [fields.get("cpu implementer"), fields.get("cpu part"), fields.get("cpu variant")]
    identity = "-".join(part for part in parts if part) or UNKNOWN
    return Cpu(
        model=" ".join(fields.get("model name", "").split()) or identity,
        id=identity,
        isa=tuple(sorted(flags.intersection(INSTRUCTION_SETS))),
    )


def _resources() -> dict[str, str]:
    """Return the memory that there is, and the cores' time where control groups limit it."""
    memory, quota = memory_bytes(), cpu_quota()
    found = {"memory": None if memory is None else f"{memory / (1 << 30):.1f} GiB", "cpu_quota": quota and f"{quota:g}"}
    return {name: value for name, value in found.items() if value}


def _cpu() -> Cpu:
    """Return this machine's processor."""
    try:
        return parse_cpuinfo(_CPUINFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:  # no Linux
        name = output("sysctl", "-n", "machdep.cpu.brand_string")[0].strip() or platform.processor() or UNKNOWN
        return Cpu(model=name, id=platform.machine() or UNKNOWN, isa=())
