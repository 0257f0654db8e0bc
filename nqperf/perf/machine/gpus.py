"""NVIDIA's GPUs as their driver lists them, and how they are set: asked of nvidia-smi, whose words are data."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Mapping
from typing import NamedTuple

_TOOL = "nvidia-smi"
_SECONDS = 20
_QUERY = (_TOOL, "--query-gpu=index,uuid,driver_version,name", "--format=csv,noheader")
# What decides about times beside the GPU's name, by what it is called on record; a change of it is told.
SETTINGS: Mapping[str, str] = {
    "gpu_power_limit": "power.limit",
    "gpu_clock": "clocks.max.sm",
    "gpu_memory_clock": "clocks.max.memory",
    "gpu_application_clock": "clocks.applications.graphics",
    "gpu_persistence": "persistence_mode",
    "gpu_mig": "mig.mode.current",
    "gpu_ecc": "ecc.mode.current",
    "gpu_compute_mode": "compute_mode",
    "gpu_memory": "memory.total",
}
# Told as it is when it is looked at, and other in every run.
OF_THE_MOMENT: Mapping[str, str] = {"gpu_memory_free": "memory.free"}
PROCESSES = "gpu_processes"
_PART = re.compile(r"^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)]+)\)")
_WHOLE = re.compile(r"^GPU (\d+): (.+) \(UUID: ([^)]+)\)")


class Gpu(NamedTuple):
    """A line of nvidia-smi, or a part of a GPU that MIG has cut up, whose `number` is "GPU:part".

    `uuid` is its own, as "GPU-..." or "MIG-...", `driver` the driver's version, `name` the product's.
    """

    number: str
    uuid: str
    driver: str
    name: str


class Listed(NamedTuple):
    """The `gpus` that NVIDIA's driver lists, or the `fault` why none; `broken` tells that its tool is there."""

    gpus: tuple[Gpu, ...]
    fault: str | None
    broken: bool = False


def listed_gpus() -> Listed:
    """Return the GPUs that NVIDIA's driver lists, whether or not they are hidden from this process.

    Where MIG has cut one up, its parts stand among them.
    """
    said, fault = output(*_QUERY)
    gpus = parse_gpus(said)
    if gpus:
        parts = parse_parts(output(_TOOL, "-L")[0], gpus[0].driver)
        return Listed(gpus=(*gpus, *parts), fault=None)
    absent = fault is not None and fault.endswith("is not there")
    fault = fault or f"nvidia-smi lists none: {last_line(said)}"
    return Listed(gpus=(), fault=fault, broken=not absent)


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """Return the GPUs in nvidia-smi's `listing`; a line of another shape (an error message) is passed over."""
    rows = csv.reader(listing.splitlines(), skipinitialspace=True)
    return tuple(Gpu(*row) for row in rows if len(row) == len(Gpu._fields) and row[0].isdigit())


def parse_parts(listing: str, driver: str) -> tuple[Gpu, ...]:
    """Return the parts that MIG has made, in the `listing` of `nvidia-smi -L`, with this `driver`."""
    found, number, name = [], "", ""
    for line in listing.splitlines():
        if whole := _WHOLE.match(line):
            number, name = whole[1], whole[2]
        elif part := _PART.match(line):
            found.append(Gpu(f"{number}:{part[2]}", part[3], driver, f"{name} MIG {part[1]}"))
    return tuple(found)


def visible_gpus(gpus: tuple[Gpu, ...], visible: str | None) -> tuple[Gpu, ...]:
    """Return those of `gpus` that CUDA_VISIBLE_DEVICES lets through, in its order; it ends at the first that is absent.

    `visible` is its value. Without it, None, CUDA sees the first part of a GPU that MIG has cut up, and nothing else.
    """
    parts = tuple(gpu for gpu in gpus if ":" in gpu.number)
    if visible is None:
        return parts[:1] or gpus
    chosen = []
    for token in (part.strip() for part in visible.split(",")):
        named = (
            gpu for gpu in gpus if gpu.number == token or (token[:4] in ("GPU-", "MIG-") and gpu.uuid.startswith(token))
        )
        gpu = next(named, None)
        if gpu is None:
            break
        chosen.append(gpu)
    return tuple(chosen)


def gpu_settings(gpu: Gpu) -> dict[str, str]:
    """Return how `gpu` is set, by the names of SETTINGS and OF_THE_MOMENT; what the driver does not tell is left out.

    PROCESSES is the number of processes that compute on it.
    """
    of = gpu.number.partition(":")[0]
    asked = {**SETTINGS, **OF_THE_MOMENT}
    found = dict(zip(asked, _values(of, *asked.values()), strict=True))
    if not any(found.values()):  # one word that an old driver does not know spoils the whole answer
        found = {name: _values(of, field)[0] for name, field in asked.items()}
    said, fault = output(_TOOL, "--query-compute-apps=pid", "--format=csv,noheader", "-i", of)
    if fault is None:
        found[PROCESSES] = str(sum(line.strip().isdigit() for line in said.splitlines()))
    return {name: value for name, value in found.items() if value and not value.startswith("[")}


def _values(number: str, *fields: str) -> list[str]:
    """Return what nvidia-smi says of a GPU, one text a field; empty texts where it says something else."""
    said, _ = output(_TOOL, f"--query-gpu={','.join(fields)}", "--format=csv,noheader", "-i", number)
    rows = [row for row in csv.reader(said.splitlines(), skipinitialspace=True) if len(row) == len(fields)]
    return [value.strip() for value in rows[0]] if rows else [""] * len(fields)


def output(*command: str) -> tuple[str, str | None]:
    """Return what `command` prints, and what kept it from that: it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except OSError:
        return "", f"{command[0]} is not there"
    except subprocess.TimeoutExpired:
        return "", f"{command[0]} gives no answer within {_SECONDS} s"
    if done.returncode:
        return "", f"{command[0]} fails: {last_line(done.stdout + done.stderr)}"
    return done.stdout, None


def last_line(text: str) -> str:
    """Return the last line of `text` that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it says nothing")
