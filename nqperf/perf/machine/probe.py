"""What an engine is seen to do on this machine before any switch is set, seen in a process of its own.

Started with the arguments ENGINE STEP..., it does each step and prints what it saw at once, for a step may end the
process.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from nqperf.engines.probe import Probe, Step
from nqperf.engines.registry import EngineRow, find_engine
from nqperf.perf.machine.fingerprint import take_fingerprint
from nqperf.perf.machine.resources import keeps_memory, malloc_library
from nqperf.records.results import UNUSED_GPUS, Fingerprint

# Before the findings of a step; whatever else is printed is the libraries'.
MARK = "nqperf probe: "
# What is looked at beside an engine's own steps, in the process of the baseline's engine: before all of them, for
# memory is to be seen before anything has been taken.
MEMORY, FINGERPRINT = "memory", "fingerprint"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one `step` has `seen`, its states by name, or in `fault` why it saw nothing."""

    step: str
    seen: dict[str, Any] = msgspec.field(default_factory=dict)
    fault: str | None = None


def steps_of(engine: EngineRow) -> Mapping[str, Step]:
    """Return the steps of `engine`, and before them those of the machine."""
    probe = engine.probe_of()
    return {
        MEMORY: lambda: {"malloc": malloc_library(), "keeps_memory": keeps_memory()},
        FINGERPRINT: lambda: {FINGERPRINT: _described(probe)},
        **probe.steps,
    }


def _described(probe: Probe) -> Fingerprint:
    """Return the fingerprint with the device that an engine computes on, and the GPUs that it leaves unused."""
    listed = take_fingerprint()
    found = probe.described(listed)
    if not listed.gpus or found.gpus:
        return found
    return msgspec.structs.replace(found, observed={**found.observed, UNUSED_GPUS: ", ".join(listed.gpus)})


def main(steps: Mapping[str, Step], names: list[str]) -> None:
    """Do those of `steps` that are called as `names` say, in this order, and print what each saw."""
    gc.disable()  # a process of seconds: looking for garbage amid TensorFlow's import would take as long as that
    for name in names:
        try:
            finding = Finding(step=name, seen=dict(steps[name]()))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what the step found
            finding = Finding(step=name, fault=" ".join(str(error).split()) or type(error).__name__)
        sys.stdout.write(f"{MARK}{msgspec.json.encode(finding).decode()}\n")
        sys.stdout.flush()
        if sys.platform == "linux":
            ctypes.CDLL(None).fflush(None)  # what oneDNN has said of itself would be lost with the process


if __name__ == "__main__":
    main(steps_of(find_engine(sys.argv[1])), sys.argv[2:])
