"""What this machine and its software are, read from the system; an engine's probe adds which device it computes on."""

from __future__ import annotations

import csv
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from nqperf.engines.registry import engine_variables, engine_versions, installed_versions
from nqperf.engines.threads import available_cores, cpu_quota
from nqperf.perf.machine.resources import memory_bytes
from nqperf.records.results import Fingerprint

# Instructions that decide how fast 8, 16 and 32 bits are, under Linux's names; the second row is Arm's.
INSTRUCTION_SETS = (
    *("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_fp16", "amx_int8"),
    *("asimdhp", "asimddp", "bf16", "i8mm", "sve"),
)
# Recorded beside what the engines compute with.
_DISTRIBUTIONS = ("numpy", "scipy", "nqperf")
# Settings from outside that change times whatever the engine; recorded as they stand, beside the engines' own.
_ENVIRONMENT = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
UNKNOWN = "unknown"
_CPUINFO = Path("/proc/cpuinfo")
_COMMAND_SECONDS = 20
_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,driver_version,name", "--format=csv,noheader")


class Cpu(NamedTuple):
    """A processor's name, `model`, its vendor-family-model, `id`, and which of INSTRUCTION_SETS it has, `isa`."""

    model: str
    id: str
    isa: tuple[str, ...]


class Gpu(NamedTuple):
    """A line of nvidia-smi: the GPU's `number`, from 0, its `uuid`, the `driver`'s version, and its `name`."""

    number: str
    uuid: str
    driver: str
    name: str


def take_fingerprint() -> Fingerprint:
    """Return the fingerprint of this machine; what cannot be found out is None or "unknown".

    No library is imported for it, so the GPUs are those that the driver lists and CUDA_VISIBLE_DEVICES lets through. To
    judge by is what the engine of the baseline makes of it in its probe: the GPUs that it really uses.
    """
    cpu = _cpu()
    gpus = visible_gpus(listed_gpus().gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))
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
        observed={**_resources(), **recorded_environment()},
    )


def recorded_environment() -> dict[str, str]:
    """Return the variables of this process's environment that change times, in any engine."""
    names = sorted({*_ENVIRONMENT, *engine_variables()})
    return {name: os.environ[name] for name in names if name in os.environ}


def parse_cpuinfo(text: str) -> Cpu:
    """Return what `text`, Linux's /proc/cpuinfo, says of its first processor, on x86 and on Arm."""
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


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """Return the GPUs in `listing`, the lines of nvidia-smi.

    A line of another shape (an error message) is passed over.
    """
    rows = csv.reader(listing.splitlines(), skipinitialspace=True)
    return tuple(Gpu(*row) for row in rows if len(row) == len(Gpu._fields) and row[0].isdigit())


def visible_gpus(gpus: tuple[Gpu, ...], visible: str | None) -> tuple[Gpu, ...]:
    """Return those of `gpus` that CUDA_VISIBLE_DEVICES, `visible`, lets through, in its order; where it is None, all.

    They end at the first that is not there.
    """
    if visible is None:
        return gpus
    chosen = []
    for token in (part.strip() for part in visible.split(",")):
        named = (
            gpu for gpu in gpus if gpu.number == token or (token.startswith("GPU-") and gpu.uuid.startswith(token))
        )
        gpu = next(named, None)
        if gpu is None:
            break
        chosen.append(gpu)
    return tuple(chosen)


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
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")[0].strip() or platform.processor() or UNKNOWN
        return Cpu(model=name, id=platform.machine() or UNKNOWN, isa=())


class Listed(NamedTuple):
    """The `gpus` that NVIDIA's driver lists, and where it lists none, why, in `fault`."""

    gpus: tuple[Gpu, ...]
    fault: str | None


def listed_gpus() -> Listed:
    """Return the GPUs that NVIDIA's driver lists, whether or not they are hidden from this process."""
    said, fault = _output(*_QUERY)
    gpus = parse_gpus(said)
    return Listed(gpus=gpus, fault=None if gpus else fault or f"nvidia-smi lists none: {_last_line(said)}")


def _output(*command: str) -> tuple[str, str | None]:
    """Return what `command` prints, and what kept it from that: it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)
    except OSError:
        return "", f"{command[0]} is not there"
    except subprocess.TimeoutExpired:
        return "", f"{command[0]} gives no answer within {_COMMAND_SECONDS} s"
    if done.returncode:
        return "", f"{command[0]} fails: {_last_line(done.stdout + done.stderr)}"
    return done.stdout, None


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it says nothing")
